"""The IQ-OTH/NCCD folder, checked, and turned into lung crops with their cases.

Which slices belong to one case is not published; the case list that ships with the package (or one given)
holds the inferred groups, the folds made of them and the slices kept apart as a test set.
"""

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import numpy as np

from lungcnn.anatomy import CROP_SIZE, CropBox, find_anatomy
from lungcnn.errors import DatasetError, LungCNNError
from lungcnn.loading import load_slice
from lungcnn.network import CLASSES

FOLDERS = {"Normal cases": "normal", "Bengin cases": "benign", "Benign cases": "benign", "Malignant cases": "malignant"}
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".dcm"}
CASE_LIST = files("lungcnn") / "data" / "iq-oth-nccd-cases.csv"
BOX_LIST = files("lungcnn") / "data" / "lesion-boxes-dev.csv"
# The malignant slices that the first list leaves out. It serves to measure; training doesn't see it.
SECOND_LOOK = files("lungcnn") / "data" / "lesion-boxes-second-look.csv"
WHERE_FROM = (
    "Get the IQ-OTH/NCCD lung cancer dataset from Mendeley Data (bhmdr45bh2) or Kaggle, unpack it, and name the folder "
    "that holds 'Normal cases', 'Bengin cases' (spelt so) and 'Malignant cases'"
)
COLUMNS = ("file", "label", "sha256", "width", "height", "case_group", "split", "fold")
_NEEDED = ("file", "label", "sha256", "case_group", "split", "fold")
SPLITS = ("dev", "test", "all")


@dataclass(frozen=True)
class LesionBox:
    """A box around a visible finding, drawn by eye: pixels `x0, y0` (inside) to `x1, y1` (beyond); `sure` or not."""

    x0: int
    y0: int
    x1: int
    y1: int
    kind: str
    sure: bool


@dataclass(frozen=True)
class DatasetSlice:
    """One file of the dataset.

    Attributes:
        label: index in `CLASSES`; the case's, not what the slice shows.
        fold: None for slices outside the folds.
        boxes: what was seen on it (`BOX_LIST`), empty where nothing; None where nobody looked.
        second_look: the same by `SECOND_LOOK`, on malignant slices without `boxes`.
    """

    path: Path
    file: str
    label: int
    sha256: str
    case: str
    split: str
    fold: int | None
    boxes: tuple[LesionBox, ...] | None = None
    second_look: tuple[LesionBox, ...] | None = None


@dataclass(frozen=True)
class Dataset:
    """The slices of one split, and what was found in the folder beside them."""

    root: Path
    slices: tuple[DatasetSlice, ...]
    split: str
    kept_apart: int
    unlisted: tuple[str, ...]
    conflicting: tuple[str, ...]
    duplicates: tuple[tuple[str, ...], ...]

    @property
    def labels(self) -> np.ndarray:
        """int64 `[n]`."""
        return np.array([item.label for item in self.slices])

    @property
    def cases(self) -> np.ndarray:
        """str `[n]`, the case group of each slice."""
        return np.array([item.case for item in self.slices])

    def describe(self) -> str:
        """What was found, for a person, one line a finding."""
        counts = Counter(item.label for item in self.slices)
        by_class = ", ".join(f"{counts[label]} {name}" for label, name in enumerate(CLASSES))
        purpose = "to learn from" if self.split == "dev" else f"of the split '{self.split}'"
        lines = [f"{len(self.slices)} slices {purpose} ({by_class}) in {len(set(self.cases))} case groups"]
        if self.kept_apart:
            lines.append(f"{self.kept_apart} slices of the {'test set' if self.split == 'dev' else 'rest'} left alone")
        if self.duplicates:
            lines.append(f"{len(self.duplicates)} sets of identical files (kept: they share a case)")
        if self.conflicting:
            lines.append(f"{len(self.conflicting)} slices left out: the same scan stands under two labels")
        if self.unlisted:
            lines.append(f"{len(self.unlisted)} files left out: not in the case list, so their case is unknown")
        return "\n".join(lines)


@dataclass(frozen=True)
class Image:
    """A file in one of the class folders, with that class's name and the sha256 of its bytes."""

    path: Path
    label: str
    sha256: str


def find_images(root: Path | str) -> tuple[Path, list[Image]]:
    """The images of a dataset folder in the release's own layout, by class and name, and the folder they lie in.

    Args:
        root: the folder with one folder a class; a folder around it (as Kaggle's zip makes) is looked into.

    Raises:
        DatasetError: no folder, no class folders, no images, or a class without images.
    """
    root = _find_root(Path(root))
    found = [
        Image(path, label, hashlib.sha256(path.read_bytes()).hexdigest())
        for folder, label in FOLDERS.items()
        for path in sorted((root / folder).glob("*"))
        if path.suffix.lower() in SUFFIXES
    ]
    missing = set(CLASSES) - {image.label for image in found}
    if missing:
        names = ", ".join(sorted(missing))
        raise DatasetError(f"There are no images of the class(es) {names} in {root}. {WHERE_FROM}.")
    return root, found


def read_dataset(root: Path | str, cases: Path | str | None = None, split: str = "dev") -> Dataset:
    """Read and check a dataset folder in the release's own layout.

    Args:
        root: as `find_images`.
        cases: a case list (CSV with file, label, sha256, case_group, split, fold); None for the one that ships.
        split: which slices to take, one of `SPLITS`; a model may learn from "dev" only.

    Raises:
        DatasetError: as `find_images`, or a case list that doesn't fit. Files are matched by sha256, so renaming
            does no harm.
    """
    root, found = find_images(root)
    listed = read_case_list(Path(cases) if cases else CASE_LIST)
    looked_at, second_look = _looked_at(BOX_LIST), _looked_at(SECOND_LOOK)
    slices, unlisted, kept_apart = [], [], 0
    by_hash = defaultdict(list)
    for image in found:
        file = image.path.relative_to(root).as_posix()
        row = listed.get((image.sha256, image.label))
        if row is None:
            unlisted.append(file)
        elif split not in ("all", row["split"]):
            kept_apart += 1
        else:
            by_hash[image.sha256].append(file)
            slices.append(
                DatasetSlice(
                    path=image.path,
                    file=file,
                    label=CLASSES.index(image.label),
                    sha256=image.sha256,
                    case=row["case_group"],
                    split=row["split"],
                    fold=int(row["fold"]) if row["fold"] else None,
                    boxes=looked_at.get((image.sha256, image.label)),
                    second_look=second_look.get((image.sha256, image.label)),
                )
            )
    if not slices and len(unlisted) < len(found):
        raise DatasetError(f"None of the {len(found)} images in {root} is in the split '{split}' of the case list.")
    if not slices:
        raise DatasetError(
            f"None of the {len(found)} images in {root} is in the case list. For another dataset give its own "
            "case list with --cases (columns file, label, sha256, case_group, split, fold)."
        )
    conflicting = _label_conflicts(slices)
    return Dataset(
        root=root,
        split=split,
        slices=tuple(item for item in slices if item.file not in conflicting),
        kept_apart=kept_apart,
        unlisted=tuple(unlisted),
        conflicting=tuple(sorted(conflicting)),
        duplicates=tuple(tuple(names) for names in by_hash.values() if len(names) > 1),
    )


def _find_root(root: Path) -> Path:
    if not root.is_dir():
        raise DatasetError(f"There is no folder {root}. {WHERE_FROM}.")
    for folder in [root, *sorted(root.glob("*/")), *sorted(root.glob("*/*/"))]:
        if any((folder / name).is_dir() for name in FOLDERS):
            return folder
    raise DatasetError(f"The folder {root} holds none of the class folders. {WHERE_FROM}.")


def read_case_list(path: Path) -> dict[tuple[str, str], dict]:
    """The rows of a case list by sha256 and class. Raises `DatasetError` where it can't be read or lacks a column."""
    return {(row["sha256"], row["label"]): row for row in _rows(path)}


def _rows(path: Path) -> list[dict]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except OSError as error:
        raise DatasetError(f"The case list {path} could not be read: {error.strerror}.") from None
    lacking = [name for name in _NEEDED if not rows or name not in rows[0]]
    if lacking:
        raise DatasetError(f"The case list {path} lacks the column(s) {', '.join(lacking)}.")
    return rows


def _looked_at(box_list) -> dict[tuple[str, str], tuple[LesionBox, ...]]:
    """Boxes by sha256 and class: file names may stand for other images, and identical files have several names."""
    boxes = read_boxes(box_list)
    return {(row["sha256"], row["label"]): boxes[row["file"]] for row in _rows(CASE_LIST) if row["file"] in boxes}


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


def thumbnail(grey: np.ndarray) -> np.ndarray:
    """A slice as a unit vector float32 `[4096]` (64x64 by area, mean removed): dot products are correlations."""
    import cv2

    small = cv2.resize(np.asarray(grey, np.float32), (64, 64), interpolation=cv2.INTER_AREA).ravel()
    small -= small.mean()
    return small / max(float(np.linalg.norm(small)), 1e-6)


def _label_conflicts(slices: Sequence[DatasetSlice], threshold: float = 0.97) -> set[str]:
    """Files of which a near-duplicate stands under another label, within case groups that hold two labels."""
    members = defaultdict(list)
    for item in slices:
        members[item.case].append(item)
    conflicting = set()
    for group in members.values():
        if len({item.label for item in group}) < 2:
            continue
        vectors = np.stack([thumbnail(load_slice(item.path).hu) for item in group])
        labels = np.array([item.label for item in group])
        alike = (vectors @ vectors.T > threshold) & (labels[:, None] != labels[None])
        conflicting |= {group[index].file for index in np.flatnonzero(alike.any(axis=1))}
    return conflicting


@dataclass(frozen=True, eq=False)
class CropSet:
    """Lung crops of a dataset.

    Attributes:
        slices: the `n` slices that could be read and cropped, in the dataset's order.
        crops: float32 `[n, 128, 128]`, grey 0 to 1.
        lungs: bool `[n, 128, 128]`, the lung mask on the crop.
        boxes, second_look: of the `n` slices, those of `DatasetSlice` in pixels of the crop: corners (x0, y0, x1, y1)
            float `[boxes, 4]`, and whether each is sure, bool `[boxes]`; None where nobody looked.
        failed: file and reason of those that could not.
    """

    slices: tuple[DatasetSlice, ...]
    crops: np.ndarray
    lungs: np.ndarray
    boxes: tuple[tuple[np.ndarray, np.ndarray] | None, ...]
    second_look: tuple[tuple[np.ndarray, np.ndarray] | None, ...]
    failed: tuple[tuple[str, str], ...] = field(default=())

    @property
    def labels(self) -> np.ndarray:
        """int64 `[n]`."""
        return np.array([item.label for item in self.slices])

    @property
    def cases(self) -> np.ndarray:
        """str `[n]`."""
        return np.array([item.case for item in self.slices])

    @property
    def sure_lesions(self) -> dict[str, np.ndarray]:
        """Malignant slices on which a lesion is surely seen, bool `[n]`, by the first list and by the second look."""
        malignant = self.labels == CLASSES.index("malignant")
        return {
            name: malignant & np.array([found is not None and found[1].any() for found in boxes], bool)
            for name, boxes in (("sure_lesions", self.boxes), ("second_look", self.second_look))
        }

    def take(self, index: np.ndarray) -> "CropSet":
        """The slices at `index` (int or bool `[n]`)."""
        chosen = np.arange(len(self.slices))[index]
        return CropSet(
            slices=tuple(self.slices[i] for i in chosen),
            crops=self.crops[chosen],
            lungs=self.lungs[chosen],
            boxes=tuple(self.boxes[i] for i in chosen),
            second_look=tuple(self.second_look[i] for i in chosen),
        )

    @property
    def folds(self) -> np.ndarray:
        """int64 `[n]`, -1 for slices outside the folds."""
        return np.array([-1 if item.fold is None else item.fold for item in self.slices])


def crop_dataset(dataset: Dataset, progress=iter) -> CropSet:
    """Cut the lung crop of every slice; `progress` wraps the sequence (for instance `tqdm.tqdm`).

    Raises `DatasetError` when no slice of some class could be cropped.
    """
    kept, crops, lungs, boxes, second_look, failed = [], [], [], [], [], []
    for item in progress(dataset.slices):
        try:
            anatomy = find_anatomy(load_slice(item.path))
        except LungCNNError as error:
            failed.append((item.file, str(error)))
            continue
        kept.append(item)
        crops.append(anatomy.crop)
        lungs.append(anatomy.crop_lungs)
        boxes.append(_on_crop(item.boxes, anatomy.box))
        second_look.append(_on_crop(item.second_look, anatomy.box))
    lacking = set(range(len(CLASSES))) - {item.label for item in kept}
    if lacking:
        names = ", ".join(CLASSES[label] for label in sorted(lacking))
        raise DatasetError(f"No slice of the class(es) {names} could be read and cropped; {len(failed)} files failed.")
    return CropSet(tuple(kept), np.stack(crops), np.stack(lungs), tuple(boxes), tuple(second_look), tuple(failed))


def _on_crop(boxes: tuple[LesionBox, ...] | None, crop: CropBox):
    if boxes is None:
        return None
    size = (CROP_SIZE, CROP_SIZE)
    corners = [
        (*crop.point_from_slice(box.x0, box.y0, size), *crop.point_from_slice(box.x1, box.y1, size)) for box in boxes
    ]
    return np.array(corners, float).reshape(-1, 4), np.array([box.sure for box in boxes], bool)
