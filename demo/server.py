"""How the page is served: launch settings that keep it offline, quiet and private."""

import logging
import threading
import time
from typing import Any
from urllib.parse import urlparse

from . import gradio_internals, memory
from .guard import Guard
from .intake import MAX_FILE, intake, receive
from .rules import Rules
from .shares import UNREAD

_ALL_FORGOTTEN = 2400  # seconds after which nothing is held for anybody any more, with some to spare
log = logging.getLogger("demo")


def launch_settings(rules: Rules | None = None) -> dict[str, Any]:
    """Keyword arguments of `launch` on which privacy and security rest; how the page looks is `page.look`.

    Args:
        rules: what the guard lets pass; None for a demo on this machine alone.
    """
    from starlette.middleware import Middleware

    from .connections import Connection, Knocks, most_connections

    rules = rules or Rules()
    gradio_internals.allow_no_other_origins()
    gradio_internals.receive_uploads_with(receive)
    gradio_internals.serve_with(Connection, most_connections(), Knocks())

    return {
        "footer_links": [],
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "mcp_server": False,
        "pwa": False,
        "max_file_size": MAX_FILE,
        "quiet": True,
        "show_error": False,
        "prevent_thread_lock": True,
        "inbrowser": False,
        "share": False,
        "num_workers": 0,
        # Gradio begins so many events at once, whose ever they are; who comes first is told in `line.Line`.
        "max_threads": max(40, rules.shares.line),
        **gradio_internals.NO_SELF_TEST,
        "app_kwargs": {
            "middleware": [Middleware(Guard, rules=rules)],
            "docs_url": None,
            "redoc_url": None,
            "openapi_url": None,
        },
    }


def open_tunnel(page, rules: Rules) -> str | None:
    """Make a public link to a page that is being served; None where that can't be had."""
    try:
        address = gradio_internals.open_tunnel(page)
    except Exception as error:  # noqa: BLE001 - no network, no binary, no permission: all end the same way
        log.info("no public link: %s", type(error).__name__)
        return None
    found = urlparse(address)
    rules.hosts.add(found.hostname or "")
    return found._replace(scheme="https").geturl()


def keep_tidy(page, rules: Rules, every: float = 5, age: float = 10) -> None:
    """Forget what nobody comes for, for as long as the demo runs.

    Uploads and results that were not fetched or read, sessions in which nothing is shown, what Gradio notes of uploads.
    """
    from .outgoing import outgoing

    def look_at_calls():
        _, live = gradio_internals.events_of(page)
        intake.drop_expired(rules.shares.asking(live))
        gradio_internals.forget_unread(page, rules.shares.unread)

    def in_the_loop():
        if rules.shares.loop is not None:
            rules.shares.loop.call_soon_threadsafe(look_at_calls)

    def give_back():
        # A demo that nobody uses would spend a fiftieth of a core on looking.
        if time.monotonic() - rules.shares.last < _ALL_FORGOTTEN:
            memory.give_back()

    chores = (
        outgoing.drop_expired,
        lambda: gradio_internals.drop_sessions(page, age, lambda visit: visit.empty, UNREAD, rules.shares.has_page),
        lambda: rules.shares.forget_pages(page.state_holder.session_data),
        lambda: gradio_internals.forget_uploads(page),
        in_the_loop,
        give_back,
    )

    def sweep():
        memory.begin()
        while True:
            time.sleep(every)
            for chore in chores:
                try:
                    chore()
                except Exception as error:  # noqa: BLE001 - one that fails must not end the others
                    log.error("unexpected %s while tidying up", type(error).__name__)

    threading.Thread(target=sweep, daemon=True).start()
