"""What the page held of a visitor, and holds no longer."""

from lungcnn import UnreadableFileError


class GoneError(UnreadableFileError):
    """What was sent, or was open, has been given up: to make room, or because nobody came for it."""
