"""Memory that is no longer used goes back to the system.

Python finds large pictures in cycles of references only after many small objects, and the C library keeps what they
took for the next.
"""

import contextlib
import ctypes
import gc


def begin() -> None:
    """What is there from the start stays: looking for what doesn't is quick then."""
    gc.collect()
    gc.freeze()


def give_back() -> None:
    """Find what is no longer used, and hand it back where the C library can."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
