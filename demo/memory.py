"""Memory that is no longer used goes back to the system.

Each thread would get a heap of its own and keep what it once needed; Python finds large pictures in cycles of
references only after many small objects; and the C library keeps what they took for the next.
"""

import contextlib
import ctypes
import gc

_M_ARENA_MAX, _ARENAS = -8, 2


def keep_few_arenas() -> None:
    """Let glibc share two heaps among all threads."""
    with contextlib.suppress(OSError, AttributeError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def begin() -> None:
    """What is there from the start stays: looking for what doesn't is quick then."""
    gc.collect()
    gc.freeze()


def give_back() -> None:
    """Find what is no longer used, and hand it back where the C library can."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
