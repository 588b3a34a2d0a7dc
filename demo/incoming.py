"""What is taken of a request before Gradio sees it: parsed, checked, and written anew.

Every name is of bounded form, and a file is an upload by its ticket, never a path or an address.
"""

import asyncio
import json
import os
import re
from collections.abc import Container
from typing import Any
from urllib.parse import parse_qsl, urlencode

from . import texts
from .intake import TICKET, intake
from .routes import NAME

MAX_BODY = 2**20  # bytes of a request other than an upload
MAX_DEPTH = 16
BODY_SECONDS = 20
_FIELDS = {"data", "event_data", "fn_index", "trigger_id", "session_hash", "event_id"}
_NAMES = ("session_hash", "event_id")
_NUMBERS = ("fn_index", "trigger_id")
_QUERY = {"session_hash", "upload_id", "__theme", "__lang", "view"}
_LINK = re.compile(r"\s*[a-z][a-z0-9+.-]*:", re.IGNORECASE)


class Unacceptable(Exception):  # noqa: N818 - an answer
    """A request that is answered with a sentence."""

    def __init__(self, status: int, sentence: str):
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


def clean_query(query: bytes) -> bytes:
    """The parameters that the page uses. Raises `Unacceptable` for a deep link, or a name of unusual form."""
    found = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    for name, value in found:
        if name == "deep_link":
            raise Unacceptable(404, texts.NO_SUCH_PAGE)
        if name in ("session_hash", "upload_id"):
            _check_name(value)
    return urlencode([(name, value) for name, value in found if name in _QUERY]).encode()


async def read_body(receive, headers: dict[bytes, bytes]) -> bytes:
    """The body of a request. Raises `Unacceptable` where it is too large, or takes too long to come."""
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > MAX_BODY:
        raise Unacceptable(413, texts.BODY_TOO_LARGE)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                body += message.get("body", b"")
                if len(body) > MAX_BODY:
                    raise Unacceptable(413, texts.BODY_TOO_LARGE)
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        raise Unacceptable(408, texts.TOO_SLOW) from None


def clean_call(body: bytes, functions: Container[int]) -> bytes:
    """A call's JSON, written anew with the fields that calls have. Raises `Unacceptable`.

    Args:
        functions: numbers of the page's events.
    """
    try:
        call = json.loads(body)
        if not isinstance(call, dict):
            raise ValueError
        call = {name: value for name, value in call.items() if name in _FIELDS}
        for name in _NAMES:
            if call.get(name) is not None:
                _check_name(call[name])
        for name in _NUMBERS:
            if type(call.get(name)) not in (int, type(None)):  # True counts as an int elsewhere
                raise ValueError
        if call.get("fn_index") is not None and call["fn_index"] not in functions:
            raise ValueError
        for name in ("data", "event_data"):
            if name in call:
                call[name] = _with_uploads(call[name])
        # What JSON or UTF-8 has no word for, Gradio chokes on when it says so.
        return json.dumps(call, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Unacceptable(400, texts.BAD_CALL) from None


def _check_name(value: object) -> None:
    if not isinstance(value, str) or not re.fullmatch(NAME, value, re.ASCII):
        raise Unacceptable(400, texts.BAD_CALL)


def _with_uploads(value: Any, depth: int = 0) -> Any:
    """`value` with each file in it replaced by the upload that it stands for, and nothing else that was said of it."""
    if depth > MAX_DEPTH:
        raise ValueError
    if isinstance(value, list):
        return [_with_uploads(item, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("path") is None and value.get("url") is None:
        return {name: _with_uploads(item, depth + 1) for name, item in value.items()}
    ticket = value.get("path")
    if not isinstance(ticket, str) or not TICKET.fullmatch(ticket):
        link = _LINK.match(str(ticket or value.get("url")))
        raise Unacceptable(400, texts.NO_LINKS if link else texts.NO_UPLOAD)
    intake.claim(ticket)
    # Gradio insists on a place in its folder; there is no file of that name.
    path = os.path.join(os.environ["GRADIO_TEMP_DIR"], ticket)
    return {"path": path, "meta": {"_type": "gradio.FileData"}}
