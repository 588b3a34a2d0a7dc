"""Whose turn is next: who holds and has had least, so that nobody's many requests stand before another's one."""

import asyncio
import contextlib
import contextvars
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator

# Whom the work at hand is for, as `Rules.visitor` tells them apart.
VISITOR: contextvars.ContextVar[str] = contextvars.ContextVar("visitor", default="")


class Gate:
    """So many threads at a time; of those that wait, the visitor comes first who holds and has had least.

    Start-time fair queueing (Goyal, Vin and Cheng 1997): time counts from when others were there to have some, too.

    Args:
        most: places that one visitor may hold.
    """

    def __init__(self, places: int, most: int | None = None, clock: Callable[[], float] = time.monotonic):
        self._free, self._most, self._clock = places, most or places, clock
        self._waiting: dict[str, deque[threading.Event]] = {}
        self._held = Counter[str]()
        self._had: dict[str, float] = {}  # seconds
        self._least = 0.0  # that the visitor had had who was let in last
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """A place for the visitor whose work this is, waited for."""
        visitor, let_in = VISITOR.get(), threading.Event()
        with self._lock:
            self._waiting.setdefault(visitor, deque()).append(let_in)
            self._had[visitor] = max(self._had.get(visitor, 0.0), self._least)
            self._let_in()
        let_in.wait()
        start = self._clock()
        try:
            yield
        finally:
            with self._lock:
                self._had[visitor] += self._clock() - start
                self._held[visitor] -= 1
                self._free += 1
                self._let_in()

    def _let_in(self) -> None:
        able = [visitor for visitor in self._waiting if self._held[visitor] < self._most]
        while self._free and able:
            visitor = min(able, key=lambda one: (self._held[one], self._had[one]))
            self._least = max(self._least, self._had[visitor])
            self._free -= 1
            self._held[visitor] += 1
            self._waiting[visitor].popleft().set()
            if not self._waiting[visitor]:
                del self._waiting[visitor]
            able = [visitor for visitor in self._waiting if self._held[visitor] < self._most]
        self._held += Counter()  # without zeros
        there = self._waiting.keys() | self._held.keys()
        self._had = {one: had for one, had in self._had.items() if one in there or (there and had > self._least)}


class Places:
    """So many at a time in an event loop; of those who wait, who holds least comes first.

    Args:
        kept: places for those who hold none.
    """

    def __init__(self, places: int, kept: int = 0):
        self._free, self._kept = places, kept
        self._held = Counter[str]()
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    def ask(self, visitor: str) -> asyncio.Future[None]:
        """Stand in line; what is returned is done when there is a place. Each must be given back by `leave`."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((visitor, place))
        self._let_in()
        return place

    def leave(self, visitor: str, place: asyncio.Future[None]) -> None:
        """Give a place back, or leave the line."""
        if (visitor, place) in self._waiting:
            self._waiting.remove((visitor, place))
            return
        self._free += 1
        self._held[visitor] -= 1
        if not self._held[visitor]:
            del self._held[visitor]
        self._let_in()

    async def given(self, visitor: str) -> asyncio.Future[None]:
        """A place, waited for; who no longer waits for it leaves the line."""
        place = self.ask(visitor)
        try:
            await place
        except asyncio.CancelledError:
            self.leave(visitor, place)
            raise
        return place

    def ahead_of(self, place: asyncio.Future[None]) -> int:
        """How many came before."""
        return [waiting for _, waiting in self._waiting].index(place)

    def waiting_of(self, visitor: str) -> int:
        """How often a visitor stands in line."""
        return sum(one == visitor for one, _ in self._waiting)

    def _let_in(self) -> None:
        while self._waiting:
            visitor, place = min(self._waiting, key=lambda waiting: self._held[waiting[0]])  # the first of those
            if self._free <= (self._kept if self._held[visitor] else 0):
                return
            self._waiting.remove((visitor, place))
            self._free -= 1
            self._held[visitor] += 1
            if not place.done():
                place.set_result(None)
