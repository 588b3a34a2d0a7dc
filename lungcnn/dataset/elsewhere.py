"""Slices of other hospitals' scanners, listed in a `slices.csv`: learnt from beside the dataset, and measured on.

A network that knows one hospital's slices alone takes whatever its own don't show for disease.
"""

import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lungcnn.classes import CLASSES, MALIGNANT
from lungcnn.dataset.crops import CropSet, cut_crops
from lungcnn.dataset.folder import DatasetSlice
from lungcnn.dataset.lesion_boxes import LesionBox
from lungcnn.errors import DatasetError
from lungcnn.preprocessing.anatomy import Anatomy
from lungcnn.reading.ct_slice import CTSlice

LIST = "slices.csv"
_COLUMNS = {"file", "label", "patient", "x0", "y0", "x1", "y1", "collection", "licence"}
# Diseased, but no tumour is seen: such a slice may be called anything but malignant.
DISEASED = -1
_LABELS = {**{name: label for label, name in enumerate(CLASSES)}, "other": DISEASED}


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """Slices of other scanners.

    Attributes:
        crop_set: those that the gate admits; labels are classes, or `DISEASED`.
        learnable: bool `[n]`, which of them may be learnt from: a licence for non-commercial use forbids it.
    """

    crop_set: CropSet
    learnable: np.ndarray

    def folds(self, count: int) -> np.ndarray:
        """Fold of each slice, int `[n]`, no collection in two: tumours are spread evenly, then the number of slices."""
        names, which = np.unique(self.crop_set.collections, return_inverse=True)
        tumours, slices = np.bincount(which, self.crop_set.labels == MALIGNANT), np.bincount(which)
        held, folds = np.zeros((count, 2)), np.zeros(len(which), int)
        for index in np.lexsort((names, -slices, -tumours)):
            # A collection without tumours goes where the fewest slices are.
            fold = np.lexsort((held[:, 1], held[:, 0]) if tumours[index] else (held[:, 0], held[:, 1]))[0]
            held[fold] += tumours[index], slices[index]
            folds[which == index] = fold
        return folds


def find_list(folder: Path) -> Path | None:
    """The `slices.csv` in a folder, or in one that it holds; None where there is none."""
    return min([*folder.glob(LIST), *folder.glob(f"*/{LIST}")], default=None)


def read_elsewhere(folder: Path, find: Callable[[CTSlice], Anatomy]) -> Elsewhere:
    """Read the slices that a folder's `slices.csv` lists, and cut their crops as the product does.

    Args:
        folder: it holds the list, or has one folder that does. The list has a row a slice, or a row a box: file, label
            ("normal", "benign", "malignant", "other" for disease without a tumour; rows of other labels are left
            out), patient, x0, y0, x1, y1 (pixels, or empty), collection, licence.
        find: the anatomy of a slice that may be judged (`gate.examine.admit`).

    Raises `DatasetError` where there is no such list, a column or file is missing, or no slice can be judged.
    """
    path = find_list(folder)
    if path is None:
        raise DatasetError(f"The folder {folder} holds no {LIST} with slices of other scanners.")
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or not set(rows[0]) >= _COLUMNS:
        raise DatasetError(f"{path.name} lists no slices with the columns {', '.join(sorted(_COLUMNS))}.")
    slices, licences = _slices(path, rows)
    crop_set = cut_crops(slices, find)
    if not crop_set.slices:
        raise DatasetError(f"None of the {len(slices)} slices that {path} lists can be judged.")
    learnable = np.array(["NC" not in licences[item.file] for item in crop_set.slices])
    return Elsewhere(crop_set, learnable)


def _slices(path: Path, rows: list[dict]) -> tuple[list[DatasetSlice], dict[str, str]]:
    """The listed slices in the list's order, and each file's licence."""
    slices: dict[str, DatasetSlice] = {}
    boxes: dict[str, tuple[LesionBox, ...]] = {}
    for row in rows:
        if row["label"] not in _LABELS:
            continue
        file = path.parent / row["file"]
        if not file.is_file():
            raise DatasetError(f"{path.name} lists {row['file']}, which isn't there.")
        if row["x0"]:
            x0, y0, x1, y1 = (round(float(row[name])) for name in ("x0", "y0", "x1", "y1"))
            box = LesionBox(x0, y0, x1, y1, kind="tumour", sure=True)
            boxes[row["file"]] = (*boxes.get(row["file"], ()), box)
        if row["file"] not in slices:
            slices[row["file"]] = DatasetSlice(
                path=file,
                file=row["file"],
                label=_LABELS[row["label"]],
                sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
                case=f"{row['collection']}/{row['patient']}",
                split="dev",
                fold=None,
                collection=row["collection"],
            )
    # A malignant slice without a box was not looked at for one.
    listed = [replace(item, boxes=boxes.get(item.file)) for item in slices.values()]
    return listed, {row["file"]: row["licence"] for row in rows}
