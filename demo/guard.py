"""What stands between the network and Gradio: which hosts, paths, bodies and files pass, and which headers go out."""

import asyncio
import logging
import secrets
from pathlib import PurePath
from urllib.parse import parse_qsl

from . import feed, routes, texts
from .answers import Answer
from .catalogue import in_language
from .gradio_internals import events_of, forget_progress, functions_of, logged_in
from .incoming import Unacceptable, clean_call, clean_query, read_body
from .outgoing import outgoing
from .private_logs import kind_and_place
from .routes import FILE, QUEUE, SLICES, UPLOAD
from .rules import Rules

log = logging.getLogger("demo")


class Guard:
    """ASGI middleware around Gradio's app."""

    def __init__(self, app, rules: Rules):
        self.app, self.rules = app, rules

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":  # Gradio needs no web sockets
            return await send({"type": "websocket.close", "code": 1008})
        path = scope["path"].removeprefix((scope.get("root_path") or "").rstrip("/")) or "/"
        nonce = secrets.token_urlsafe(16)
        answer = Answer(send, self.rules.headers(nonce), nonce if path == "/" else None)
        answer.accepted = dict(scope["headers"]).get(b"accept-language", b"").decode("latin-1")
        try:
            await self._pass(scope, receive, answer, path)
        except Unacceptable as error:
            say = answer.detail if path.startswith(QUEUE) else answer.plain
            await say(error.status, in_language(error.sentence, answer.accepted))
        return None

    async def _pass(self, scope, receive, answer: Answer, path: str) -> None:
        """Answer a request, or have Gradio answer what is left of it. Raises `Unacceptable`."""
        given, method = dict(scope["headers"]), scope["method"]
        host = given.get(b"host", b"").decode("latin-1")
        if not self.rules.trusts(host):
            raise Unacceptable(421, texts.UNTRUSTED_HOST)
        if path == routes.HEALTH and method in ("GET", "HEAD"):
            return await self._tell_health(answer)
        route = routes.found(method, path)
        if route is None:
            raise Unacceptable(404, texts.NO_SUCH_PAGE)
        if not self.rules.is_of_ours(given.get(b"origin", b"").decode("latin-1"), host):
            raise Unacceptable(403, texts.FOREIGN_ORIGIN)
        if route in routes.NEEDS_MODEL and self.rules.trouble():
            raise Unacceptable(503, texts.WORKER_GONE)
        scope = scope | {
            "query_string": clean_query(scope["query_string"]),
            "headers": self.rules.clean_headers(scope["headers"]),
            "client": (self.rules.visitor(scope), 0),
        }
        scheme = dict(scope["headers"]).get(b"x-forwarded-proto", scope["scheme"].encode()).decode("latin-1")
        answer.address = f"{scheme}://{host}{(scope.get('root_path') or '').rstrip('/')}"
        answer.stranger = not logged_in(scope["app"], given.get(b"cookie", b"").decode("latin-1"))
        shares = self.rules.shares
        shares.loop = asyncio.get_running_loop()
        with shares.request(scope["client"][0]) as has_room:
            if not has_room:
                raise Unacceptable(429, texts.TOO_MUCH.format(count=shares.requests))
            await self._answer(scope, receive, answer, route, path)

    async def _answer(self, scope, receive, answer: Answer, route: str, path: str) -> None:
        """Answer a request that passes."""
        if path.startswith(FILE):
            await self._give(scope, answer, path.removeprefix(FILE))
        elif path.startswith(SLICES):
            await self._give_slice(scope, answer, path)
        elif route == "/login":
            await self._log_in(scope, receive, answer)
        elif scope["method"] == "POST" and route != UPLOAD:
            body = clean_call(await read_body(receive, dict(scope["headers"])), functions_of(scope["app"]))
            scope, receive = _with_body(scope, body), _replay(body, receive)
            await (self._ask if route in routes.ASKS else self.app)(scope, receive, answer)
        elif route == routes.HEARTBEAT:
            with self.rules.shares.page(PurePath(path).name):
                await self.app(scope, receive, answer)
        elif route in routes.READS:
            await self._read(scope, receive, answer, path)
        elif route == routes.PROGRESS:
            try:
                await self.app(scope, receive, answer)
            finally:
                forget_progress(_asked(scope, "upload_id"))
        else:
            await self.app(scope, receive, answer)

    async def _tell_health(self, answer: Answer) -> None:
        """Ready where a slice that comes now would be judged: the model is loaded, and the worker answers."""
        trouble, ready = self.rules.trouble(), self.rules.ready()
        status = "unavailable" if trouble else "ready" if ready else "loading"
        await answer.plain(200 if status == "ready" else 503, status)

    async def _give(self, scope, answer: Answer, name: str) -> None:
        """A file of ours; Gradio's own route would fetch any address, and serve what lies in its folder."""
        data = None if answer.stranger else outgoing.fetch(name)
        if data is None:
            raise Unacceptable(404, texts.NO_SUCH_PAGE)
        await answer.file(data, PurePath(name), scope["method"] == "HEAD")

    async def _give_slice(self, scope, answer: Answer, path: str) -> None:
        try:
            data = None if answer.stranger else await feed.answer(path, scope["client"][0])
        except feed.Busy:
            raise Unacceptable(503, texts.BUSY) from None
        if data is None:
            raise Unacceptable(404, texts.NO_SUCH_PAGE)
        if data:
            await answer.file(data, PurePath("slice.bin"), head_only=False)
        else:  # its visitor moved on, which is no error: his browser would log one
            await answer.nothing()

    async def _ask(self, scope, receive, answer: Answer) -> None:
        """A call that will stand in line, if its visitor hasn't filled his part of that."""
        shares, visitor = self.rules.shares, scope["client"][0]
        at_work, live = events_of(scope["app"].get_blocks())
        his = shares.under_way(visitor, live)
        if his >= shares.most:
            raise Unacceptable(429, texts.TOO_MUCH.format(count=shares.most))
        if len(at_work) >= shares.room(his):
            raise Unacceptable(503, texts.LINE_FULL.format(most=shares.line, now=len(at_work)))

        async def noted(message) -> None:
            if message["type"] == "http.response.body":
                shares.note(visitor, message.get("body", b""))
            await answer(message)

        await self.app(scope, receive, noted)

    async def _read(self, scope, receive, answer: Answer, path: str) -> None:
        """A stream of results; those that nobody reads are dropped. Gradio raises in the midst of one whose session has
        gone, after it has said so: that is no fault, and its line must not stand for those that are.
        """
        name = _asked(scope, "session_hash") or PurePath(path).name
        self.rules.shares.reading(name, 1)
        try:
            await self.app(scope, receive, answer)
        except Exception as error:
            if answer.status is None:
                raise
            log.info("a stream of results ended by %s", kind_and_place(error))
            await answer({"type": "http.response.body", "body": b""})
        finally:
            self.rules.shares.reading(name, -1)

    async def _log_in(self, scope, receive, answer: Answer) -> None:
        body = await read_body(receive, dict(scope["headers"]))
        said: list[dict] = []

        async def keep(message) -> None:
            said.append(message)

        async def check() -> bool:
            await self.app(scope, _replay(body, receive), keep)
            return said[0]["status"] != 400

        if not await self.rules.tries.attempt(check, scope["client"][0]):
            raise Unacceptable(429, texts.TOO_MANY_TRIES)
        for message in said:
            await answer(message)


def _asked(scope, name: str) -> str:
    """A parameter of a request."""
    return dict(parse_qsl(scope["query_string"].decode())).get(name, "")


def _with_body(scope, body: bytes):
    """The headers of a request whose body was written anew."""
    kept = [item for item in scope["headers"] if item[0] not in (b"content-length", b"content-type")]
    ours = [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]
    return scope | {"headers": kept + ours}


def _replay(body: bytes, receive):
    """A `receive` that gives a body, then what comes after it."""
    given = False

    async def again():
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
