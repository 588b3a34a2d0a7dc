"""How the page is served: launch settings that keep it offline, quiet and private."""

import contextlib
import datetime
import logging
import os
import re
import threading
import time
from pathlib import Path
from urllib.parse import urlparse

from demo.guard import Guard, Rules

MAX_QUEUE = 64
log = logging.getLogger("demo")


def launch_settings(scratch: Path | None = None, rules: Rules | None = None) -> dict:
    """Keyword arguments of `launch` on which privacy and security rest; how the page looks is `app.look`.

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
        "max_file_size": "64mb",
        "quiet": True,
        "show_error": False,
        "prevent_thread_lock": True,
        "inbrowser": False,
        "share": False,
        "num_workers": 0,
        # Gradio would end the demo where its own page takes more than 3 seconds to answer: a busy machine is no fault.
        "_frontend": False,
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


def make_rules(host: str, root_path: str | None = None, trusted=(), embedders=(), page=None, head="") -> Rules:
    """Rules for a demo at `host`.

    Args:
        root_path: the address behind a proxy; where it is a full one, its host is trusted.
        trusted: further host names. embedders: origins whose pages may show the demo in a frame.
        page: the `gr.Blocks`, asked whether it needs scripts evaluated. head: what it adds to the head of the page.
    """
    hosts = {*trusted, host}
    if root_path and urlparse(root_path).hostname:
        hosts.add(urlparse(root_path).hostname)
    if os.environ.get("SPACE_ID"):  # a Hugging Face Space: shown in a frame of its page
        hosts |= {"*.hf.space"}
        embedders = (*embedders, "https://huggingface.co", "https://*.hf.space")
    scripts = tuple(re.findall(r"<script>(.*?)</script>", head, re.DOTALL))
    everywhere = host in ("0.0.0.0", "::", "[::]")  # noqa: S104
    return Rules(hosts, everywhere, tuple(embedders), evaluates_scripts(page), scripts)


def evaluates_scripts(page) -> bool:
    """Whether a page has scripts that Gradio evaluates in the browser."""
    if page is None:
        return False
    config = page.get_config_file()
    parts = [*config["dependencies"], *(component["props"] for component in config["components"])]
    return bool(page.js) or any(part.get("js") or part.get("js_on_load") for part in parts)


def open_tunnel(page, rules: Rules) -> str | None:
    """Make a public link to a page that is being served; None where that can't be had."""
    from gradio import networking

    try:
        address = networking.setup_tunnel(
            page.server_name, page.server_port, page.share_token, page.share_server_address, None
        )
    except Exception as error:  # noqa: BLE001 - no network, no binary, no permission: all end the same way
        log.info("no public link: %s", type(error).__name__)
        return None
    found = urlparse(address)
    rules.hosts.add(found.hostname)
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
            drop_empty_sessions(page.state_holder, age)
            for path in scratch.glob("tmp*"):
                with contextlib.suppress(OSError):
                    if path.stat().st_size == 0 and time.time() - path.stat().st_mtime > age:
                        path.unlink()

    threading.Thread(target=sweep, daemon=True).start()


def drop_empty_sessions(holder, age: float) -> None:
    """Forget sessions that hold no slice and were not used for `age` seconds.

    Gradio keeps the last 10,000, of a tenth of a megabyte each, and every call of the API is one. One that comes back
    is made anew.
    """
    now = datetime.datetime.now()
    with holder.lock:
        for name, used in list(holder.time_last_used.items()):
            session = holder.session_data.get(name)
            empty = session is None or all(value is None for value in session.state_data.values())
            if empty and (now - used).total_seconds() > age:
                holder.session_data.pop(name, None)
                holder.time_last_used.pop(name, None)
