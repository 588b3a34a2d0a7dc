"""Whose turn is next: who holds and has had least, so that nobody's many requests stand before another's one."""

import asyncio
import contextlib
import contextvars
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")
# Whom the work at hand is for, as `Rules.visitor` tells them apart.
VISITOR: contextvars.ContextVar[str] = contextvars.ContextVar("visitor", default="")

_LONG = 1.0  # seconds, of work at a gate


def making_way(held: Mapping[T, tuple[str, int]], limit: int, spared: T | None = None) -> list[T]:
    """Who goes, so that the rest is no larger than `limit`: of the visitor who holds most the largest, of those of a
    size the first. The last one stays.

    Args:
        held: visitor and size of each. spared: one that stays in any case.
    """
    total, of = sum(size for _, size in held.values()), Counter[str]()
    for visitor, size in held.values():
        of[visitor] += size
    gone: list[T] = []
    others = [one for one in held if one is not spared]
    while total > limit and others and len(gone) + 1 < len(held):
        one = max(others, key=lambda one: (of[held[one][0]], held[one][1]))
        visitor, size = held[one]
        of[visitor] -= size
        total -= size
        others.remove(one)
        gone.append(one)
    return gone


class Gate:
    """So many threads at a time; of those that wait, the visitor comes first who holds and has had least.

    Start-time fair queueing (Goyal, Vin and Cheng 1997): time counts from when others were there to have some, too.

    Args:
        most: places that one visitor may hold.
        spare: places more, for who has had no more than others, in the stead of ones that take longer than a second.
    """

    def __init__(
        self, places: int, most: int | None = None, spare: int = 0, clock: Callable[[], float] = time.monotonic
    ):
        self._places, self._most, self._spare, self._clock = places, most or places, spare, clock
        self._waiting: dict[str, deque[threading.Event]] = {}
        self._began: dict[threading.Event, float] = {}  # of those that were let in
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
        while not let_in.wait(_LONG / 4):
            with self._lock:
                self._let_in()
        try:
            yield
        finally:
            with self._lock:
                self._had[visitor] += self._clock() - self._began.pop(let_in)
                self._held[visitor] -= 1
                self._let_in()

    def _let_in(self) -> None:
        while (visitor := self._next()) is not None:
            let_in = self._waiting[visitor].popleft()
            if not self._waiting[visitor]:
                del self._waiting[visitor]
            self._least = max(self._least, self._had[visitor])
            self._began[let_in] = self._clock()
            self._held[visitor] += 1
            let_in.set()
        self._held += Counter()  # without zeros
        there = self._waiting.keys() | self._held.keys()
        self._had = {one: had for one, had in self._had.items() if one in there or (there and had > self._least)}

    def _next(self) -> str | None:
        """Who is to be let in now."""
        able = [one for one in self._waiting if self._held[one] < self._most]
        if len(self._began) >= self._places:
            now = self._clock()
            quick = sum(now - since < _LONG for since in self._began.values())
            if quick >= self._places or len(self._began) >= self._places + self._spare:
                return None
            able = [one for one in able if not self._held[one] and self._had[one] <= self._least]
        return min(able, key=lambda one: (self._held[one], self._had[one]), default=None)


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
