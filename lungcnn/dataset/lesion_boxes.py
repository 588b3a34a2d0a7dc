"""Boxes around what is seen on a slice, drawn by eye for this project, not by a radiologist."""

import csv
from collections import defaultdict
from dataclasses import dataclass
from importlib.resources import files

from lungcnn.dataset.case_list import CASE_LIST, list_rows

BOX_LIST = files("lungcnn.dataset") / "lesion-boxes-dev.csv"
# The malignant slices that the first list leaves out. It serves to measure; training doesn't see it.
SECOND_LOOK = files("lungcnn.dataset") / "lesion-boxes-second-look.csv"


@dataclass(frozen=True)
class LesionBox:
    """A box around a visible finding, drawn by eye: pixels `x0, y0` (inside) to `x1, y1` (beyond); `sure` or not."""

    x0: int
    y0: int
    x1: int
    y1: int
    kind: str
    sure: bool


def boxes_by_hash(box_list) -> dict[tuple[str, str], tuple[LesionBox, ...]]:
    """Boxes by sha256 and class: file names may stand for other images, and identical files have several names."""
    boxes = read_boxes(box_list)
    return {(row["sha256"], row["label"]): boxes[row["file"]] for row in list_rows(CASE_LIST) if row["file"] in boxes}


def read_boxes(box_list=BOX_LIST) -> dict[str, tuple[LesionBox, ...]]:
    """Boxes of the slices that were looked at, by file name in the release; empty where nothing was seen."""
    found = defaultdict(tuple)
    with box_list.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            boxes = ()
            if row["kind"] != "none":
                corners = (int(row[name]) for name in ("x0", "y0", "x1", "y1"))
                boxes = (LesionBox(*corners, row["kind"], row["confidence"] == "sure"),)
            found[row["file"]] += boxes
    return dict(found)
