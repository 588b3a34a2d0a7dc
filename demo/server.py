"""How the page is served: launch settings that keep it offline, quiet and private."""

import contextlib
import logging
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from demo import gradio_internals
from demo.guard import Guard
from demo.intake import MAX_FILE
from demo.rules import Rules

log = logging.getLogger("demo")


def launch_settings(scratch: Path | None = None, rules: Rules | None = None) -> dict[str, Any]:
    """Keyword arguments of `launch` on which privacy and security rest; how the page looks is `page.look`.

    Args:
        scratch: our private folder, the only one from which files are served.
        rules: what the guard lets pass; None for a demo on this machine alone.
    """
    from starlette.middleware import Middleware

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
        **gradio_internals.NO_SELF_TEST,
        "allowed_paths": [str(scratch)] if scratch else None,
        "blocked_paths": [str(path) for path in _never_served() if not scratch or path not in scratch.parents],
        "app_kwargs": {
            "middleware": [Middleware(Guard, rules=rules or Rules())],
            "docs_url": None,
            "redoc_url": None,
            "openapi_url": None,
        },
    }


def _never_served() -> list[Path]:
    root = Path(__file__).parent.parent
    return [root, Path.home() / ".ssh", Path("/etc"), Path("/proc"), Path("/sys")]


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


def keep_tidy(page, scratch: Path, every: float = 30, age: float = 60) -> None:
    """Forget what nobody comes for, for as long as the demo runs.

    Uploads and results that were not fetched, the empty files that Gradio makes of each upload, and sessions in which
    nothing is shown.
    """
    from demo.intake import intake
    from demo.outgoing import outgoing

    def sweep():
        while True:
            time.sleep(every)
            intake.drop_expired()
            outgoing.drop_expired()
            gradio_internals.drop_sessions(page, age, lambda visit: visit.empty)
            for path in scratch.glob("tmp*"):
                with contextlib.suppress(OSError):
                    if path.stat().st_size == 0 and time.time() - path.stat().st_mtime > age:
                        path.unlink()

    threading.Thread(target=sweep, daemon=True).start()
