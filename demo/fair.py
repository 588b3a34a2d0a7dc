"""Whose turn is next: visitors' in turn, so that nobody's many requests stand before another's one."""

import contextlib
import contextvars
import threading
from collections import deque
from collections.abc import Iterator

# Whom the work at hand is for, as `Rules.visitor` tells them apart.
VISITOR: contextvars.ContextVar[str] = contextvars.ContextVar("visitor", default="")


class Gate:
    """So many threads at a time; of those that wait, visitors take turns."""

    def __init__(self, places: int):
        self._free = places
        self._waiting: dict[str, deque[threading.Event]] = {}  # the visitor who was let in longest ago comes first
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """A place for the visitor whose work this is, waited for."""
        with self._lock:
            let_in = threading.Event()
            if self._free:
                self._free -= 1
                let_in.set()
            else:
                self._waiting.setdefault(VISITOR.get(), deque()).append(let_in)
        let_in.wait()
        try:
            yield
        finally:
            with self._lock:
                self._give_on()

    def _give_on(self) -> None:
        if not self._waiting:
            self._free += 1
            return
        visitor = next(iter(self._waiting))
        theirs = self._waiting.pop(visitor)
        theirs.popleft().set()
        if theirs:
            self._waiting[visitor] = theirs
