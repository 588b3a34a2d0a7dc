"""The case list: which slices belong to one case, to which fold and split. It is inferred, since none is published."""

import csv
from pathlib import Path

from lungcnn.errors import DatasetError

CASE_LIST = Path(__file__).with_name("iq-oth-nccd-cases.csv")
COLUMNS = ("file", "label", "sha256", "width", "height", "case_group", "split", "fold")
_NEEDED = ("file", "label", "sha256", "case_group", "split", "fold")


def read_case_list(path: Path) -> dict[tuple[str, str], dict]:
    """The rows of a case list by sha256 and class. Raises `DatasetError` where it can't be read or lacks a column."""
    return {(row["sha256"], row["label"]): row for row in list_rows(path)}


def list_rows(path: Path) -> list[dict]:
    """The rows of a case list, checked; raises as `read_case_list`."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except OSError as error:
        raise DatasetError(f"The case list {path} could not be read: {error.strerror}.") from None
    lacking = [name for name in _NEEDED if not rows or name not in rows[0]]
    if lacking:
        raise DatasetError(f"The case list {path} lacks the column(s) {', '.join(lacking)}.")
    return rows
