"""Whatever a parser, a decoder or a measure raises on odd bytes becomes an error for people."""

from contextlib import AbstractContextManager

from lungcnn.errors import UnreadableFileError, told_as


def told_as_damage(sentence: str) -> AbstractContextManager[None]:
    """Raise `UnreadableFileError(sentence)` for any exception that isn't ours already; its kind is logged."""
    return told_as(UnreadableFileError, sentence)
