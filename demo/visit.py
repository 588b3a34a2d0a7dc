"""What one visitor looks at, and the one rule about it: whatever he did last is what is shown."""

import asyncio
import contextlib
import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lungcnn import CTSlice, Reading, Series, SeriesReport, SliceReport

if TYPE_CHECKING:
    from .feed import SliceFeed
from . import texts
from .examples import Truth
from .gone import GoneError
from .holding import holding
from .worker.deposits import Upload, size_of

DELIVERY_SECONDS = 2  # for a browser that went away in the middle


class Superseded(Exception):  # noqa: N818 - it isn't an error
    """Raised in work that the visitor no longer waits for, because he asked for something else since."""


class Turn:
    """One thing that a visitor asked for. It is over when he asks for another.

    Attributes:
        delivered: whether what it has given so far is on its way to the browser.
    """

    def __init__(self, before: "Turn | None" = None):
        self._before, self.over = before, False
        self.delivered = asyncio.Event()
        self.delivered.set()

    async def start(self) -> None:
        """Wait for what the turn before has given already: it must not reach the browser after ours."""
        if self._before is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._before.delivered.wait(), DELIVERY_SECONDS)
            self._before = None

    def check(self) -> None:
        """Raises `Superseded` where it is over."""
        if self.over:
            raise Superseded


@dataclass(frozen=True, eq=False)
class Stack:
    """A series that was judged.

    Attributes:
        upload: whose series it is. number: which of them. reading: all that was found in the upload, without the files.
        feed: from which the browser fetches its slices.
    """

    upload: Upload
    number: int
    reading: Reading
    series: Series
    report: SeriesReport
    feed: "SliceFeed"

    @property
    def name(self) -> str:
        """A random one, by which the viewer tells its slices from others."""
        return self.feed.name


@dataclass(frozen=True, eq=False)
class Shown:
    """What is on the page; everything in it belongs together.

    Attributes:
        given: the slice as it was read, which the pipeline is asked about; None where there is none.
        report: what is said of it; None as long as nothing is.
        index: its place in `stack`, the series, if there is one.
        source: the DICOM file of the slice, where the operator offers DICOM results; else None.
        truth: what was drawn, for a bundled phantom.
        name: a random one for the slice, which ties maps to it.
    """

    given: CTSlice | None = None
    report: SliceReport | None = None
    index: int = 0
    stack: Stack | None = None
    source: bytes | Path | None = field(default=None, repr=False)
    truth: Truth | None = None
    name: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def ct_slice(self) -> CTSlice | None:
        """The slice to show: as it was judged, once it is; as it was read before."""
        judged = self.report and self.report.ct_slice
        return judged or self.given

    @property
    def corrected(self) -> bool:
        """Whether the slice that was judged is another than the one that was read: its window or polarity was wrong."""
        shown, given = self.ct_slice, self.given
        return shown is not given and (shown is None or given is None or not np.array_equal(shown.hu, given.hu))

    @property
    def size(self) -> int:
        """Bytes that it holds: files, and pixels twice, for Gradio keeps what it has sent of them."""
        slices = (self.given, self.report.ct_slice if self.report else None)
        pixels = {id(one): one.hu.nbytes for one in slices if one is not None}
        file = len(self.source) if isinstance(self.source, bytes) else 0
        return 2 * sum(pixels.values()) + file + (size_of(self.stack.upload, self.stack.reading) if self.stack else 0)

    @property
    def judged(self) -> bool:
        """Whether there are probabilities."""
        return self.report is not None and self.report.status == "ok"


class Visit:
    """One visitor's session.

    Attributes:
        shown: what is on the page. turn: what he asked for last.
        dropped: whether what was on the page is no longer held, to make room for others; or nothing ever was, and a
            page that asks about it is of a session that has gone.
    """

    def __init__(self) -> None:
        self.shown = Shown()
        self.turn = Turn()
        self.dropped = True
        self._lock = threading.Lock()
        self._files: set[str] = set()

    def __deepcopy__(self, _) -> "Visit":
        """Gradio copies a state's first value for each session."""
        return Visit()

    @property
    def empty(self) -> bool:
        """Whether nothing would be lost with it."""
        return self.shown.given is None and self.shown.stack is None

    def begin(self) -> Turn:
        """The visitor asks for something: what he asked for before is over."""
        with self._lock:
            self.turn.over = True
            self.turn = Turn(self.turn)
            return self.turn

    def newest(self, files: list[str]) -> list[str]:
        """Those of an upload's files that were not in the last one, which Gradio's box may still hold and send, too."""
        with self._lock:
            found = [file for file in files if file not in self._files]
            self._files = set(files)
        return found

    def show(self, turn: Turn, shown: Shown) -> Shown:
        """Put something on the page. Raises `Superseded` where the turn is over."""
        with self._lock:
            turn.check()
            self.shown, self.dropped = shown, False
        holding.note(self, shown.size)
        return shown

    def drop(self) -> None:
        """Hold nothing any more: there is no room for it."""
        with self._lock:
            self.shown, self.dropped = Shown(), True

    def check_held(self) -> None:
        """Raises `GoneError` where what he asks about is no longer held."""
        if self.dropped:
            raise GoneError(texts.DROPPED)
