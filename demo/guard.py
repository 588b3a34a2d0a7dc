"""What stands between the network and Gradio: which hosts, paths and sizes pass, and which headers go out."""

import json
import secrets
from pathlib import PurePath

from demo import texts
from demo.gradio_internals import logged_in
from demo.outgoing import KINDS, outgoing
from demo.rules import Rules

API = "/gradio_api/"
FILE = API + "file="
# Gradio's routes that the page and `gradio_client` need. The rest (proxies, deep links, run history, monitoring,
# component servers, recording, code assistants) is shut, whatever the installed release puts there.
PAGE = ("/", "/config", "/config/", "/login", "/login/", "/logout", "/favicon.ico", "/robots.txt", "/theme.css")
FOLDERS = ("/assets/", "/static/", FILE, API + "heartbeat/", API + "call/explain/")
CALLS = (
    *("app_id", "call/explain", "cancel", "info", "login_check", "openapi.json", "queue/data", "queue/join"),
    *("reset", "startup-events", "theme.css", "upload", "upload_progress", "user"),
)
MAX_BODY = 2**20  # bytes of a request other than an upload


class Guard:
    """ASGI middleware around Gradio's app."""

    def __init__(self, app, rules: Rules):
        self.app, self.rules = app, rules

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":  # Gradio needs no web sockets
            return await send({"type": "websocket.close", "code": 1008})
        nonce = secrets.token_urlsafe(16)
        answer = _Answer(send, self.rules.headers(nonce), nonce)
        given = dict(scope["headers"])
        host = given.get(b"host", b"").decode("latin-1")
        path = scope["path"].removeprefix(scope.get("root_path") or "") or "/"
        if not self.rules.trusts(host):
            return await answer.plain(421, texts.UNTRUSTED_HOST)
        if not allowed(path) or b"deep_link" in scope["query_string"]:
            return await answer.plain(404, texts.NO_SUCH_PAGE)
        if (
            path.startswith(FILE)
            and scope["method"] in ("GET", "HEAD")
            and logged_in(scope["app"], given.get(b"cookie", b"").decode("latin-1"))
        ):
            data = outgoing.fetch(path.removeprefix(FILE))
            if data is not None:
                return await answer.file(data, PurePath(path), scope["method"] == "HEAD")
        if path != API + "upload" and scope["method"] == "POST":
            body = await _read(receive, given)
            if body is None:
                return await answer.plain(413, texts.BODY_TOO_LARGE)
            receive = _replay(body, receive)
            if _asks_for_download(body):
                return await answer.plain(400, texts.NO_LINKS)
        if path.rstrip("/") == "/login" and scope["method"] == "POST":

            async def check():
                await self.app(scope, receive, answer)
                return answer.status

            if not await self.rules.tries.attempt(check):
                await answer.plain(429, texts.TOO_MANY_TRIES)
            return None
        return await self.app(scope, receive, answer)


def allowed(path: str) -> bool:
    """Whether a path (without the root path) is one that the page needs."""
    if path in PAGE or path.startswith(FOLDERS):
        return True
    return path.startswith(API) and path.removeprefix(API).rstrip("/") in CALLS


class _Answer:
    """`send` of an ASGI call: adds the headers, and the nonce to the scripts of a page."""

    def __init__(self, send, headers: dict[str, str], nonce: str):
        self._send, self._headers, self._nonce = send, headers, nonce
        self._start = None
        self._page = b""
        self.status = None

    async def __call__(self, message):
        if message["type"] == "http.response.start":
            self.status = message["status"]
            kept = [(name, value) for name, value in message["headers"] if name.decode().lower() not in self._headers]
            added = [(name.encode(), value.encode()) for name, value in self._headers.items()]
            message = message | {"headers": kept + added}
            kind = dict(kept).get(b"content-type", b"")
            if kind.startswith(b"text/html"):
                self._start = message | {
                    "headers": [item for item in message["headers"] if item[0] != b"content-length"]
                }
                return
        elif self._start is not None and message["type"] == "http.response.body":
            self._page += message.get("body", b"")
            if message.get("more_body"):
                return
            page = self._page.replace(b"<script", f"<script nonce={self._nonce}".encode())
            await self._send(self._start)
            self._start, message = None, {"type": "http.response.body", "body": page}
        await self._send(message)

    async def file(self, data: bytes, path: PurePath, head_only: bool):
        """Answer with a download."""
        headers = [
            (b"content-type", KINDS.get(path.suffix, "application/octet-stream").encode()),
            (b"content-disposition", f'attachment; filename="{path.name}"'.encode()),
            (b"content-length", str(len(data)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await self({"type": "http.response.start", "status": 200, "headers": headers})
        await self({"type": "http.response.body", "body": b"" if head_only else data})

    async def plain(self, status: int, text: str):
        """Answer with a sentence."""
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        await self({"type": "http.response.start", "status": status, "headers": headers})
        await self({"type": "http.response.body", "body": text.encode()})


async def _read(receive, headers) -> bytes | None:
    """The body, or None where it is too large."""
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > MAX_BODY:
        return None
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _replay(body: bytes, receive):
    """A `receive` that gives the body once more, then what comes after it."""
    given = False

    async def again():
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _asks_for_download(body: bytes) -> bool:
    """Whether a call names a file by a web address, which Gradio would fetch for whoever asks."""
    try:
        left = [json.loads(body)] if body[:1] in b"{[" else []
    except ValueError:
        return False  # Gradio says so itself
    while left:
        item = left.pop()
        if isinstance(item, dict):
            path = item.get("path")
            if isinstance(path, str) and path.strip().lower().startswith(("http:", "https:")):
                return True
            left.extend(item.values())
        elif isinstance(item, list):
            left.extend(item)
    return False
