"""Whatever a parser, a decoder or a measure raises on odd bytes becomes an error for people."""

from collections.abc import Iterator
from contextlib import contextmanager

from lungcnn.errors import UnreadableFileError, UnsupportedFileError, told_as


@contextmanager
def told_as_damage(sentence: str) -> Iterator[None]:
    """Raise `UnreadableFileError(sentence)` for any exception that isn't ours already; its kind is logged.

    A file that takes more memory than there is raises `UnsupportedFileError`.
    """
    with told_as(UnreadableFileError, sentence):
        try:
            yield
        except MemoryError:
            raise UnsupportedFileError("Reading the file takes more memory than any CT slice does.") from None
