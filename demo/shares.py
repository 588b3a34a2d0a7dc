"""What one visitor may have going on: part of the line and of the connections, and no results that nobody reads."""

import contextlib
import json
import threading
import time
from asyncio import AbstractEventLoop
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

UNREAD = 60  # seconds that results wait whose stream nobody reads
PAGES = 5000  # that were open: names of their sessions
REQUESTS = 250  # a quarter of the connections; a page in a browser has two or three


@dataclass
class Shares:
    """Who asked for what, and which streams are read.

    A visitor is known by the address that he comes from; behind a proxy whose name was given, by what that says.

    Attributes:
        most: calls that one visitor may have under way, those not read yet among them.
        line: calls of all visitors that may be under way.
        requests: requests of one visitor that may be under way; streams are for as long as somebody listens.
        last: when anything was asked last.
    """

    most: int = 32
    line: int = 64
    requests: int = REQUESTS
    loop: AbstractEventLoop | None = None  # in which requests are answered
    clock: Callable[[], float] = time.monotonic
    last: float = field(default_factory=time.monotonic)
    _requests: Counter[str] = field(default_factory=Counter)
    _askers: dict[str, str] = field(default_factory=dict)
    _read: Counter[str] = field(default_factory=Counter)
    _unread_since: dict[str, float] = field(default_factory=dict)
    _pages: dict[str, int] = field(default_factory=dict)  # how often each is open, the last one opened last
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextlib.contextmanager
    def request(self, visitor: str) -> Iterator[bool]:
        """A request of his is under way in the block; False where he has too many. In the event loop alone."""
        self._requests[visitor] += 1
        self.last = self.clock()
        try:
            yield self._requests[visitor] <= self.requests
        finally:
            self._requests[visitor] -= 1
            if not self._requests[visitor]:
                del self._requests[visitor]

    @contextlib.contextmanager
    def page(self, session: str) -> Iterator[None]:
        """A page in a browser is open in the block."""
        with self._lock:
            self._pages[session] = self._pages.pop(session, 0) + 1
            closed = [name for name, times in self._pages.items() if not times]
            for name in closed[: max(0, len(self._pages) - PAGES)]:
                del self._pages[name]
        try:
            yield
        finally:
            with self._lock:
                self._pages[session] -= 1

    def has_page(self, session: str) -> bool:
        """Whether a page is open for a session, or was: its visitor may come back."""
        return session in self._pages

    def under_way(self, visitor: str, live: Collection[str]) -> int:
        """How many of his calls are; `live` are the events that aren't over."""
        return self._under_way(live)[visitor]

    def asking(self, live: Collection[str]) -> set[str]:
        """Visitors who have calls under way; `live` as above."""
        return set(self._under_way(live))

    def _under_way(self, live: Collection[str]) -> Counter[str]:
        with self._lock:
            self._askers = {event: asker for event, asker in self._askers.items() if event in live}
            return Counter(self._askers.values())

    def room(self, under_way: int) -> int:
        """How long the line may be for one more of who has so many: a quarter is kept for those who have nothing."""
        return self.line * 3 // 4 if under_way else self.line

    def note(self, visitor: str, answer: bytes) -> None:
        """He asked for something: `answer` names the event."""
        try:
            event = json.loads(answer)["event_id"]
        except (ValueError, TypeError, KeyError):
            return  # it was refused
        with self._lock:
            self._askers[event] = visitor

    def reading(self, name: str, by: int) -> None:
        """The stream of a session or event is read from now on (`by` 1), or no more (-1)."""
        with self._lock:
            self._read[name] += by
            if not self._read[name]:
                del self._read[name]

    def unread(self, over: dict[str, set[str]]) -> list[str]:
        """Of sessions in which all is over, with their events: those whose results nobody has read for too long."""
        now = self.clock()
        with self._lock:
            waiting = {name for name, events in over.items() if not self._read.keys() & {name, *events}}
            self._unread_since = {name: self._unread_since.get(name, now) for name in waiting}
            return [name for name, since in self._unread_since.items() if now - since > UNREAD]
