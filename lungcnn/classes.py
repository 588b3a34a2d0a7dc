"""The classes, in the one order in which everything lists them, and their colours."""

import re
from collections.abc import Sequence

from lungcnn.errors import UsageError

# They become columns, keys and names in a stylesheet.
_NAME = re.compile(r"[^\W\d][\w-]{0,31}")


class Classes(tuple[str, ...]):
    """The names of a model's or a dataset's classes, in their order.

    Attributes:
        suspicious: the class that slices and series are searched for: it has the operating point and the findings.
            "malignant" unless another is named; None where there is neither.
    """

    suspicious: str | None

    def __new__(cls, names: Sequence[str], suspicious: str | None = None):
        made = super().__new__(cls, names)
        made.suspicious = suspicious or ("malignant" if "malignant" in made else None)
        return made

    @property
    def suspect(self) -> int | None:
        """Index of the suspicious class."""
        return None if self.suspicious is None else self.index(self.suspicious)

    @property
    def lesions(self) -> tuple[int, int] | None:
        """Indices of normal and malignant, between which a tumour makes the difference; None where one is missing."""
        return (self.index("normal"), self.index("malignant")) if {"normal", "malignant"} <= set(self) else None

    @property
    def suspicious_first(self) -> tuple[str, ...]:
        """The names as tables of figures have them."""
        others = [name for name in reversed(self) if name != self.suspicious]
        return (self.suspicious, *others) if self.suspicious else tuple(others)


CLASSES = Classes(("normal", "benign", "malignant"))
NORMAL, BENIGN, MALIGNANT = range(len(CLASSES))
# Okabe and Ito (2008): told apart by the colour-blind as well.
CLASS_COLOURS = {"normal": "#0072b2", "benign": "#e69f00", "malignant": "#d55e00"}
# Theirs too, but for yellow and black, which get lost on a light or a dark page.
_MORE_COLOURS = ("#009e73", "#cc79a7", "#56b4e9")


def class_colours(classes: Sequence[str]) -> dict[str, str]:
    """A colour of each class; from the seventh on they come again."""
    free = [*_MORE_COLOURS, *(colour for name, colour in CLASS_COLOURS.items() if name not in classes)]
    others = [name for name in classes if name not in CLASS_COLOURS]
    chosen = CLASS_COLOURS | {name: free[number % len(free)] for number, name in enumerate(others)}
    return {name: chosen[name] for name in classes}


def parse_classes(names: str, suspicious: str | None = None) -> Classes:
    """Classes from "healthy, nodule" and the name of the suspicious one; raises `UsageError` for what can't be."""
    found = [name.strip().lower() for name in names.split(",")]
    if len(found) < 2 or len(set(found)) < len(found) or not all(map(_NAME.fullmatch, found)):
        raise UsageError(
            f"The classes are given as '{names}'. Accepted are at least two different names with commas between them, "
            "each of letters, digits, '_' and '-', beginning with a letter: normal,benign,malignant."
        )
    classes = Classes(found)
    return classes if suspicious is None else Classes(found, found[class_index(suspicious.strip().lower(), classes)])


def class_index(name: str, classes: Sequence[str] = CLASSES) -> int:
    """The index of a class name; raises `UsageError` naming those there are."""
    try:
        return classes.index(name)
    except ValueError:
        raise UsageError(f"There is no class '{name}'. Accepted: {', '.join(classes)}.") from None
