"""Memory that many threads would hold for nothing."""

import contextlib
import ctypes

_M_ARENA_MAX, _ARENAS = -8, 2


def keep_few_arenas() -> None:
    """Let glibc share two heaps among all threads: else each gets its own, and keeps what it once needed."""
    with contextlib.suppress(OSError, AttributeError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)
