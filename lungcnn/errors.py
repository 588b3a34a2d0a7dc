"""Errors that a person can act on: what was received, what is accepted, what to do.

Every error that lungcnn raises on purpose derives from `LungCNNError`, so that a caller can show
its text as it is. `code` is the machine-readable reason in `predict --json`.
"""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_log = logging.getLogger("lungcnn")


@dataclass(frozen=True)
class Reason:
    """Why a slice was refused or failed, or what to keep in mind: a code for machines and a sentence for people."""

    code: str
    message: str


class LungCNNError(Exception):
    """Base of every error of ours; `str(error)` is a sentence for the user."""

    code = "error"

    def __reduce__(self):
        # Exceptions are rebuilt by calling them with their text, which fails for those that take more than it.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type, arguments: tuple, attributes: dict):
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(attributes)
    return error


class UnreadableFileError(LungCNNError):
    """The file is missing, empty, truncated, or its pixels cannot be decoded."""

    code = "unreadable"


class UnsupportedFileError(LungCNNError):
    """The file is intact as far as we can tell, but not of a kind that holds a CT slice."""

    code = "unsupported"


class RefusalError(LungCNNError):
    """Base of the refusals: the file could be read, but what it shows is not to be judged."""

    code = "refused"


class NotCTError(RefusalError):
    """A DICOM object of another modality."""

    code = "not_ct"


class DatasetError(LungCNNError):
    """The training folder is missing, empty, or not laid out as the IQ-OTH/NCCD release."""

    code = "dataset"


class ModelFileError(LungCNNError):
    """The model or its card is missing, or the file does not match the sha256 in the card."""

    code = "model"


class ModelStructureError(LungCNNError):
    """The model cannot be explained: no convolution, no logits, or not a functional network."""

    code = "model_structure"


class UsageError(LungCNNError):
    """An argument is not one of those accepted: the text lists them."""

    code = "usage"


class JudgingError(LungCNNError):
    """Something went wrong in judging a slice that nobody foresaw; the log says where."""

    code = "judging"

    def __init__(self, text: str = "This slice could not be judged: something failed that nobody foresaw."):
        super().__init__(text)


class OutputError(LungCNNError):
    """A result can't be written; the text says where and why."""

    code = "output"


class MissingPackageError(LungCNNError):
    """An optional package is needed and isn't installed; the text says which extra brings it."""

    code = "missing_package"


@contextmanager
def told_as(kind: type[LungCNNError], *sentence: str) -> Iterator[None]:
    """Raise `kind(*sentence)` for any exception that isn't ours already.

    The log gets its type and the line that raised it, not its text: that may repeat what a file says of a patient.
    """
    try:
        yield
    except LungCNNError:
        raise
    except Exception as error:  # noqa: BLE001 - libraries raise anything on damaged bytes
        place = traceback.extract_tb(error.__traceback__)[-1]
        _log.warning("%s raised in %s, line %s", type(error).__name__, Path(place.filename).name, place.lineno)
        raise kind(*sentence) from None
