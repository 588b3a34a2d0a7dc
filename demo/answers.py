"""What goes out: the headers of every answer, the nonce in the page's scripts, files and sentences of ours."""

import json
import re
from pathlib import PurePath

from .outgoing import KINDS
from .sharing import with_tags

_API_INFO = re.compile(rb"(<script>window\.gradio_api_info = ).*?(</script>)", re.DOTALL)


class Answer:
    """`send` of an ASGI call.

    Args:
        headers: added to the answer, in the place of any of that name. nonce: for the scripts in it, if it is the page.

    Attributes:
        stranger: whether it is for somebody who hasn't logged in: then the page says nothing of the API.
        address: of the page, as it was asked for. accepted: the languages that were asked for.
    """

    def __init__(self, send, headers: dict[str, str], nonce: str | None = None):
        self._send, self._headers, self._nonce = send, headers, nonce
        self.stranger, self.address, self.accepted = False, "", ""
        self._start = None
        self._page = b""
        self.status: int | None = None

    async def __call__(self, message):
        if message["type"] == "http.response.start":
            self.status = message["status"]
            kept = [(name, value) for name, value in message["headers"] if name.decode().lower() not in self._headers]
            added = [(name.encode(), value.encode()) for name, value in self._headers.items()]
            message = message | {"headers": kept + added}
            if self._nonce and dict(kept).get(b"content-type", b"").startswith(b"text/html"):
                self._start = message | {
                    "headers": [item for item in message["headers"] if item[0] != b"content-length"]
                }
                return
        elif self._start is not None and message["type"] == "http.response.body":
            self._page += message.get("body", b"")
            if message.get("more_body"):
                return
            page = _API_INFO.sub(b"\\1{};\\2", self._page) if self.stranger else self._page
            page = with_tags(page, self.address, self.accepted, self.stranger).replace(
                b"<script", f"<script nonce={self._nonce}".encode()
            )
            await self._send(self._start)
            self._start, message = None, {"type": "http.response.body", "body": page}
        await self._send(message)

    async def file(self, data: bytes, path: PurePath, head_only: bool):
        """Answer with a file of ours, which no browser runs."""
        kind = KINDS.get(path.suffix, "application/octet-stream")
        shown = "inline" if kind.startswith("image/") else "attachment"
        name = re.sub(r"[^\w.-]", "_", path.name, flags=re.ASCII)
        await self._whole(
            200,
            data,
            head_only,
            {
                "content-type": kind,
                "content-disposition": f'{shown}; filename="{name}"',
                "cache-control": "no-store",
            },
        )

    async def plain(self, status: int, text: str):
        """Answer with a sentence."""
        await self._whole(status, text.encode(), False, {"content-type": "text/plain; charset=utf-8"})

    async def detail(self, status: int, text: str):
        """Answer with a sentence as Gradio's page reads it."""
        await self._whole(status, json.dumps({"detail": text}).encode(), False, {"content-type": "application/json"})

    async def nothing(self):
        """Answer that there is nothing (any more)."""
        await self({"type": "http.response.start", "status": 204, "headers": []})
        await self({"type": "http.response.body", "body": b""})

    async def _whole(self, status: int, data: bytes, head_only: bool, headers: dict[str, str]):
        headers |= {"content-length": str(len(data))}
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self({"type": "http.response.start", "status": status, "headers": pairs})
        await self({"type": "http.response.body", "body": b"" if head_only else data})
