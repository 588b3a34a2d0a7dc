"""Whatever a parser, a decoder or a measure raises on odd bytes becomes an error for people; what it was is logged."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lungcnn.errors import LungCNNError, UnreadableFileError

_log = logging.getLogger("lungcnn")


@contextmanager
def told_as_damage(sentence: str) -> Iterator[None]:
    """Raise `UnreadableFileError(sentence)` for any exception that isn't ours already.

    The log gets its kind and the line that raised it, not its text: that may repeat what a file says of a patient.
    """
    try:
        yield
    except LungCNNError:
        raise
    except Exception as error:  # noqa: BLE001 - libraries raise anything on damaged bytes
        place = traceback.extract_tb(error.__traceback__)[-1]
        _log.warning("%s raised in %s, line %s", type(error).__name__, Path(place.filename).name, place.lineno)
        raise UnreadableFileError(sentence) from None
