"""Importing TensorFlow without its notices on standard error."""

import os
import sys

from lungcnn.errors import MissingPackageError


def import_tensorflow() -> None:
    """Import TensorFlow with file descriptor 2 put aside: its C++ start-up notices heed no setting.

    What other threads write to standard error meanwhile is lost. Raises `MissingPackageError` where it isn't installed.
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
    except ImportError:
        raise MissingPackageError(
            "This needs TensorFlow, which judging with a model of this project doesn't: "
            'pip install ".[train]", in a copy of the repository, brings it.'
        ) from None
    finally:
        os.dup2(kept, 2)
        os.close(kept)
