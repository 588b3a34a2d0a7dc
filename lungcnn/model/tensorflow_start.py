"""Importing TensorFlow without its notices on standard error."""

import os
import sys


def import_tensorflow() -> None:
    """Import TensorFlow with file descriptor 2 put aside: its C++ start-up notices heed no setting.

    Errors still raise as usual. What other threads write to standard error meanwhile is lost.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        import tensorflow  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
