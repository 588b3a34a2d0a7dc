"""What all visitors' sessions hold in memory, and what goes where that is too much."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from .fair import VISITOR, making_way

if TYPE_CHECKING:
    from .visit import Visit

MAX_HELD = 1536 * 2**20  # bytes of files and pixels; one series of the largest size and many slices


class Holding:
    """A budget over all sessions. Beyond it the visitor who holds most loses the largest of his sessions, of those of a
    size the longest unused one.
    """

    def __init__(self, limit: int = MAX_HELD):
        self._limit = limit
        self._sizes: weakref.WeakKeyDictionary[Visit, tuple[str, int]] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def note(self, visit: Visit, size: int) -> None:
        """A session of the visitor whose work this is holds so many bytes now; it is the last that has to go."""
        with self._lock:
            self._sizes.pop(visit, None)
            self._sizes[visit] = VISITOR.get(), size
            gone = making_way(dict(self._sizes), self._limit, spared=visit)  # in the order of their use
            for other in gone:
                del self._sizes[other]
        for other in gone:
            other.drop()


holding = Holding()
