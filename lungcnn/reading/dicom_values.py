"""Values of DICOM attributes as plain numbers and texts, whatever was written there."""

import math
from collections.abc import Iterable

from lungcnn.errors import UnreadableFileError


def finite_number(value) -> float | None:
    """A finite float from one DICOM value, None for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def finite_numbers(value) -> tuple[float, ...]:
    """Finite floats from a DICOM value of any multiplicity; empty where one of them is no number."""
    numbers = [finite_number(one) for one in _several(value)]
    return tuple(number for number in numbers if number is not None) if None not in numbers else ()


def texts(value) -> list[str]:
    """The texts of a DICOM value of any multiplicity, without the blanks around them."""
    return [str(one).strip() for one in _several(value)]


def term(value) -> str:
    """A defined term, which some write in small letters, or end with a NUL."""
    return str(value or "").strip("\0 ").upper()


def positive_int(ds, keyword: str, default: int | None = None) -> int:
    """The attribute `keyword` of a Dataset; raises `UnreadableFileError`, which names it, for anything else."""
    value = finite_number(ds.get(keyword, default))
    if value is None or value < 1 or value != int(value):
        raise UnreadableFileError(f"The DICOM attribute {keyword} is missing or not a positive number: damaged file.")
    return int(value)


def _several(value) -> list:
    if value is None:
        return []
    return [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
