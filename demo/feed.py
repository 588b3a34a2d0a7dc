"""The slices of a judged series as the browser fetches them: pixels and all that is said of them, in one piece each.

Who knows a feed's random name, which only its visitor is told, may fetch from it for as long as its series is on the
page. What is asked ahead waits for two threads of its own, in a line of visitors, so that others' slices don't wait
for it.
"""

import json
import re
import secrets
import struct
import weakref

from lungcnn import DEFAULT_METHOD, METHODS, LungCNNError, ModelCard, Series

from . import texts, viewer, views
from .line import Line
from .packing import pack
from .trust import trust
from .visit import Shown
from .waiting import JudgeInWaiting
from .worker.deposits import Upload

AT_ONCE, MOST_WAITING = 2, 12
_PATH = re.compile(r"/slices/([0-9a-f]{32})/(\d{1,5})/([a-z-]{1,40})", re.ASCII)
_line = Line(AT_ONCE)
_feeds: "weakref.WeakValueDictionary[str, SliceFeed]" = weakref.WeakValueDictionary()


class Busy(Exception):  # noqa: N818 - an answer
    """Too much is being fetched from a feed already."""


class SliceFeed:
    """The slices of one series.

    Attributes:
        name: a random one, in the addresses of its slices.
    """

    def __init__(
        self, waiting: JudgeInWaiting, upload: Upload, number: int, series: Series, positions, card: ModelCard | None
    ):
        self.name = secrets.token_hex(16)
        self._waiting, self._upload, self._number = waiting, upload, number
        self._series, self._positions, self._card = series, positions, card
        self._fetched = 0
        _feeds[self.name] = self

    def record(self, index: int, method: str) -> bytes:
        """A slice, for `scripts/stack.js`: the length of a JSON text (32 bits, little-endian), the text, the pixels.

        The text holds `slice` and `map` (null where there is none), and what the panel says, in `result` and `trust`.
        A map that takes many passes of the network isn't made for slices that are only scrolled past.
        """
        where = texts.WHICH_SLICE.format(number=index + 1, count=len(self._series))
        try:
            given, _ = self._waiting.reader.read_slice(self._upload, self._number, index)
            report = self._waiting.get().run(given, None, method=_quick(method), checks=False)
        except LungCNNError as error:
            message = views.stopped(error, where)
            return _framed({"slice": None, "map": None, "result": message, "trust": ""})
        shown = Shown(given, report, index)
        name = viewer.name_in(self.name, index)
        about, hu = viewer.slice_facts(shown.ct_slice or given, name, self.name)
        said = {"result": views.result(report, where), "trust": trust(report, self._card, pending=True)}
        made = viewer.map_facts(shown, name) if _quick(method) == method else None
        place = self._positions[index]
        return _framed({"slice": about | {"place": place}, "map": made} | said, pack(hu))

    async def fetch(self, index: int, method: str, visitor: str) -> bytes:
        """`record`, made in a thread. Raises `Busy`."""
        if self._fetched >= MOST_WAITING:
            raise Busy
        self._fetched += 1
        try:
            return await _line.call(visitor, self.record, index, method)
        finally:
            self._fetched -= 1

    def has(self, index: int, method: str) -> bool:
        """Whether there is such a slice and such a method."""
        return index < len(self._series) and method in METHODS


async def answer(path: str, visitor: str) -> bytes | None:
    """What is asked for at `/slices/NAME/INDEX/METHOD`: `b""` where the series has gone, None where there can be no
    such thing. Raises `Busy`.
    """
    found = _PATH.fullmatch(path)
    if not found:
        return None
    feed = _feeds.get(found[1])
    if feed is None:
        return b""
    if not feed.has(int(found[2]), found[3]):
        return None
    return await feed.fetch(int(found[2]), found[3], visitor)


def _quick(method: str) -> str:
    """A method whose map costs little more than the judgement."""
    return DEFAULT_METHOD if METHODS[method].slow else method


def _framed(text: dict, pixels: bytes = b"") -> bytes:
    head = json.dumps(text).encode()
    return struct.pack("<I", len(head)) + head + pixels
