"""What we reach into Gradio for that it has no public way to, each with the reason. Pinned to one release series."""

import contextlib
import datetime
import logging
import sys
from collections.abc import Callable, Container, Iterator
from typing import Any

from starlette.requests import cookie_parser

# Gradio would end the demo where its own page takes more than 3 seconds to answer: a busy machine is no fault.
NO_SELF_TEST: dict[str, Any] = {"_frontend": False}


@contextlib.contextmanager
def without_pyarrow() -> Iterator[None]:
    """Import Gradio without the pyarrow that its pandas would import: 35 MiB, for tables that we have none of."""
    kept = sys.modules.get("pyarrow")
    sys.modules["pyarrow"] = kept  # type: ignore[assignment] # None: it counts as not installed
    try:
        yield
    finally:
        if kept is None:
            del sys.modules["pyarrow"]


def receive_uploads_with(receive: Callable) -> None:
    """Have the upload route hand uploads to `receive`; it writes them to disk, and keeps its own check of the login."""
    import gradio.routes

    gradio.routes.upload_fn = receive  # type: ignore[attr-defined]


class NoOtherOrigins:
    """In the place of Gradio's CORS middleware, which allows any origin with credentials under most host names."""

    def __init__(self, app, **_):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


def serve_with(protocol: type, most: int, knocks) -> None:
    """Have Gradio's server speak `protocol`, with so many connections at most, taken as `connections.Knocks` says."""
    import gradio.http_server

    class Server(gradio.http_server.Server):
        def __init__(self, config, *args, **options):
            # What proxies say is for the guard to believe; the page needs no web sockets.
            config.http, config.ws, config.limit_concurrency, config.proxy_headers = protocol, "none", most, False
            for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # what it logs goes where all goes
                logging.getLogger(name).handlers.clear()
                logging.getLogger(name).propagate = True
            config.backlog = knocks.at_once
            super().__init__(config, *args, **options)

        async def startup(self, sockets=None):
            await super().startup(sockets)
            for server in self.servers:
                knocks.let_wait(server.sockets)

    if gradio.http_server.Server.__module__ == "gradio.http_server":
        gradio.http_server.Server = Server  # type: ignore[misc]


def allow_no_other_origins() -> None:
    """Pages of other sites can't read our answers. Call this before the app is made."""
    import gradio.routes

    gradio.routes.CustomCORSMiddleware = NoOtherOrigins  # type: ignore[assignment,attr-defined]


def logged_in(app, cookies: str) -> bool:
    """As Gradio's `login_check`, which is a closure inside its routes."""
    if app.auth is None:
        return True
    names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    found = cookie_parser(cookies)
    return any(found.get(name) in app.tokens for name in names)


def open_tunnel(page) -> str:
    """The public address of a page that is being served: `launch(share=True)` would wait for it before serving."""
    from gradio import networking

    return networking.setup_tunnel(
        page.server_name, page.server_port, page.share_token, page.share_server_address, None
    )


def drop_sessions(
    page, age: float, empty: Callable[[Any], bool], unread: float, has_page: Callable[[str], bool]
) -> None:
    """Forget sessions whose states are all `empty`, unused for `age` seconds; one that comes back is made anew. Those
    that never had a page in a browser go with what they hold, after `unread` seconds.

    Gradio keeps the last 10,000, of a tenth of a megabyte each, and every call of the API is one. Those for which an
    event waits or is under way stay.
    """
    holder, now = page.state_holder, datetime.datetime.now()
    at_work = {event.session_hash for event in list(page._queue.event_ids_to_events.values())}
    with holder.lock:
        for name, used in list(holder.time_last_used.items()):
            if name in at_work:
                continue
            session = holder.session_data.get(name)
            idle = session is None or all(empty(value) for value in session.state_data.values())
            unused = (now - used).total_seconds()
            if unused > age and (idle or (unused > unread and not has_page(name))):
                holder.session_data.pop(name, None)
                holder.time_last_used.pop(name, None)


def forget_uploads(page) -> None:
    """Gradio keeps the name of each upload for ever, to delete files of ours that there aren't."""
    page.upload_file_set.clear()


def forget_progress(name: str, over: bool = False) -> None:
    """Gradio keeps for ever how far each upload is that was asked about, or of which nobody asked until it was over.

    Args:
        over: whether nobody will be told any more. Else it is kept while it comes in or somebody waits for it.
    """
    from gradio.routes import file_upload_statuses as progress

    if over:
        progress.stop_tracking(name)
    if name not in progress._statuses and name in progress._signals and not progress._signals[name]._waiters:
        del progress._signals[name]


def functions_of(app) -> Container[int]:
    """Numbers of the page's events; for others Gradio's routes raise."""
    return app.get_blocks().fns


def events_of(page) -> tuple[set[str], set[str]]:
    """Names of the events that are under way, and of those and the ones whose results nobody has been told yet."""
    queue = page._queue
    at_work = set(queue.event_ids_to_events)
    return at_work, at_work.union(*queue.pending_event_ids_session.values())


def let_streams_end(page) -> None:
    """Have several streams of one session end without an error. The second one's would leave a task of Gradio's behind
    for ever, which says that the stream is alive. Call this after `queue()` and before `launch()`.
    """
    from gradio.utils import LRUCache

    class Results(LRUCache):
        def __delitem__(self, session: str) -> None:
            with contextlib.suppress(KeyError):
                super().__delitem__(session)

    queue = page._queue
    queue.pending_messages_per_session = Results(queue.pending_messages_per_session.max_size)


def forget_unread(page, unread: Callable[[dict[str, set[str]]], list[str]]) -> None:
    """Drop results of the sessions that `unread` picks of those in which all is over. For the event loop alone.

    Gradio keeps the last 2,000 sessions' results, of up to 24 MB each, until somebody reads them.
    """
    queue = page._queue
    over = {
        name: set(queue.pending_event_ids_session.get(name, ()))
        for name in queue.pending_messages_per_session
        if not any(event.session_hash == name for event in list(queue.event_ids_to_events.values()))
    }
    for name in unread(over):
        queue.pending_messages_per_session.pop(name, None)
        queue.pending_event_ids_session.pop(name, None)
