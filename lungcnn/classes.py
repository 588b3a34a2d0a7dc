"""The three classes, in the one order in which everything lists them, and their colours."""

from lungcnn.errors import UsageError

CLASSES = ("normal", "benign", "malignant")
NORMAL, BENIGN, MALIGNANT = range(len(CLASSES))
# Okabe and Ito (2008): told apart by the colour-blind as well.
CLASS_COLOURS = {"normal": "#0072b2", "benign": "#e69f00", "malignant": "#d55e00"}


def class_index(name: str) -> int:
    """The index of a class name; raises `UsageError` naming those there are."""
    try:
        return CLASSES.index(name)
    except ValueError:
        raise UsageError(f"There is no class '{name}'. Accepted: {', '.join(CLASSES)}.") from None
