"""Boxes around what is seen on a slice, drawn by eye for this project, not by a radiologist."""

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from lungcnn.dataset.case_list import CASE_LIST, list_rows

BOX_LIST = Path(__file__).with_name("lesion-boxes-dev.csv")
# The malignant slices that the first list leaves out.
SECOND_LOOK = Path(__file__).with_name("lesion-boxes-second-look.csv")


@dataclass(frozen=True)
class LesionBox:
    """A box around a visible finding, drawn by eye: pixels `x0, y0` (inside) to `x1, y1` (beyond); `sure` or not."""

    x0: int
    y0: int
    x1: int
    y1: int
    kind: str
    sure: bool


def boxes_by_hash(box_list: Path) -> dict[tuple[str, str], tuple[LesionBox, ...]]:
    """Boxes by sha256 and class: file names may stand for other images, and identical files have several names."""
    boxes = read_boxes(box_list)
    return {(row["sha256"], row["label"]): boxes[row["file"]] for row in list_rows(CASE_LIST) if row["file"] in boxes}


def read_boxes(box_list: Path = BOX_LIST) -> dict[str, tuple[LesionBox, ...]]:
    """Boxes of the slices that were looked at, by file name in the release; empty where nothing was seen."""
    found: dict[str, tuple[LesionBox, ...]] = defaultdict(tuple)
    with box_list.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            seen: tuple[LesionBox, ...] = ()
            if row["kind"] != "none":
                x0, y0, x1, y1 = (int(row[name]) for name in ("x0", "y0", "x1", "y1"))
                seen = (LesionBox(x0, y0, x1, y1, row["kind"], row["confidence"] == "sure"),)
            found[row["file"]] += seen
    return dict(found)
