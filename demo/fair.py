"""Whose turn is next: who has had least time, so that nobody's many or long requests stand before another's one."""

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
