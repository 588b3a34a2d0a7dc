"""What all visitors' sessions hold in memory, and what goes where that is too much."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .visit import Visit

MAX_HELD = 1536 * 2**20  # bytes of files and pixels; one series of the largest size and many slices


class Holding:
    """A budget over all sessions: beyond it the largest go first, the longest unused of those of a size.

    A slice as scanners write them holds 1 MiB; who fills the budget with large ones pushes out himself.
    """

    def __init__(self, limit: int = MAX_HELD):
        self._limit = limit
        self._sizes: weakref.WeakKeyDictionary[Visit, int] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def note(self, visit: Visit, size: int) -> None:
        """A session holds so many bytes now; it is the last that has to go."""
        with self._lock:
            self._sizes.pop(visit, None)
            self._sizes[visit] = size
            total, gone = sum(self._sizes.values()), []
            for other in sorted(self._sizes, key=lambda one: -self._sizes[one]):  # stable: in the order of their use
                if total <= self._limit:
                    break
                if other is not visit:
                    total -= self._sizes.pop(other)
                    gone.append(other)
        for other in gone:
            other.drop()


holding = Holding()
