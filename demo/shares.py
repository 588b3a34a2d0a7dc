"""What one visitor may have going on: part of the line and of the connections, and no results that nobody reads."""

import contextlib
import json
import threading
import time
from asyncio import AbstractEventLoop
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterator
from dataclasses import dataclass, field

UNREAD = 60  # seconds that results wait whose stream nobody reads
AWAY = 900  # seconds in which a page that was closed, or whose machine sleeps, may come back to its session
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
    _pages: Counter[str] = field(default_factory=Counter)  # how often each session's is open
    _left: dict[str, float] = field(default_factory=dict)  # since when those are closed that were
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
            self._pages[session] += 1
        try:
            yield
        finally:
            with self._lock:
                self._pages[session] -= 1
                if not self._pages[session]:
                    del self._pages[session]
                    self._left[session] = self.clock()

    def has_page(self, session: str) -> bool:
        """Whether a page is open for a session, or was not long ago: its visitor may come back."""
        with self._lock:
            return session in self._pages or self.clock() - self._left.get(session, -AWAY) < AWAY

    def forget_pages(self, sessions: Container[str]) -> None:
        """Pages that were closed and have none of these sessions: anybody can open thousands."""
        now = self.clock()
        with self._lock:
            self._left = {name: since for name, since in self._left.items() if name in sessions and now - since < AWAY}

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
