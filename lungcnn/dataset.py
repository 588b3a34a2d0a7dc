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

from lungcnn.anatomy import find_anatomy
from lungcnn.errors import DatasetError, LungCNNError
from lungcnn.loading import load_slice
from lungcnn.network import CLASSES

FOLDERS = {"Normal cases": "normal", "Bengin cases": "benign", "Benign cases": "benign", "Malignant cases": "malignant"}
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".dcm"}
CASE_LIST = files("lungcnn") / "data" / "iq-oth-nccd-cases.csv"
WHERE_FROM = (
    "Get the IQ-OTH/NCCD lung cancer dataset from Mendeley Data (bhmdr45bh2) or Kaggle, unpack it, and name the folder "
    "that holds 'Normal cases', 'Bengin cases' (spelt so) and 'Malignant cases'"
)
_COLUMNS = ("file", "label", "sha256", "case_group", "split", "fold")


@dataclass(frozen=True)
class DatasetSlice:
    """One file of the dataset: `label` indexes `CLASSES`; `fold` is None for slices outside the folds."""

    path: Path
    file: str
    label: int
    sha256: str
    case: str
    split: str
    fold: int | None


@dataclass(frozen=True)
class Dataset:
    """The slices a model may learn from, and what was found in the folder beside them."""

    root: Path
    slices: tuple[DatasetSlice, ...]
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
        lines = [f"{len(self.slices)} slices to learn from ({by_class}) in {len(set(self.cases))} case groups"]
        if self.kept_apart:
            lines.append(f"{self.kept_apart} slices of the test set left alone")
        if self.duplicates:
            lines.append(f"{len(self.duplicates)} sets of identical files (kept: they share a case)")
        if self.conflicting:
            lines.append(f"{len(self.conflicting)} slices left out: the same scan stands under two labels")
        if self.unlisted:
            lines.append(f"{len(self.unlisted)} files left out: not in the case list, so their case is unknown")
        return "\n".join(lines)


def read_dataset(root: Path | str, cases: Path | str | None = None) -> Dataset:
    """Read and check a dataset folder in the release's own layout.

    Args:
        root: the folder with one folder a class; a folder around it (as Kaggle's zip makes) is looked into.
        cases: a case list (CSV with file, label, sha256, case_group, split, fold); None for the one that ships.

    Raises:
        DatasetError: no folder, no class folders, no images, a class without images, or a case list that
            doesn't fit. Files are matched by sha256, so renaming does no harm.
    """
    root = _find_root(Path(root))
    listed = _read_case_list(Path(cases) if cases else CASE_LIST)
    found = [
        (path, label)
        for folder, label in FOLDERS.items()
        for path in sorted((root / folder).glob("*"))
        if path.suffix.lower() in SUFFIXES
    ]
    missing = set(CLASSES) - {label for _, label in found}
    if missing:
        names = ", ".join(sorted(missing))
        raise DatasetError(f"There are no images of the class(es) {names} in {root}. {WHERE_FROM}.")

    slices, unlisted, kept_apart = [], [], 0
    by_hash = defaultdict(list)
    for path, label in found:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        file = path.relative_to(root).as_posix()
        row = listed.get((sha256, label))
        if row is None:
            unlisted.append(file)
        elif row["split"] != "dev":
            kept_apart += 1
        else:
            by_hash[sha256].append(file)
            fold = int(row["fold"]) if row["fold"] else None
            slices.append(DatasetSlice(path, file, CLASSES.index(label), sha256, row["case_group"], row["split"], fold))
    if not slices:
        raise DatasetError(
            f"None of the {len(found)} images in {root} is in the case list. For another dataset give its own "
            "case list with --cases (columns file, label, sha256, case_group, split, fold)."
        )
    conflicting = _label_conflicts(slices)
    return Dataset(
        root=root,
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


def _read_case_list(path) -> dict[tuple[str, str], dict]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except OSError as error:
        raise DatasetError(f"The case list {path} could not be read: {error.strerror}.") from None
    lacking = [name for name in _COLUMNS if not rows or name not in rows[0]]
    if lacking:
        raise DatasetError(f"The case list {path} lacks the column(s) {', '.join(lacking)}.")
    return {(row["sha256"], row["label"]): row for row in rows}


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
        failed: file and reason of those that could not.
    """

    slices: tuple[DatasetSlice, ...]
    crops: np.ndarray
    lungs: np.ndarray
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
    def folds(self) -> np.ndarray:
        """int64 `[n]`, -1 for slices outside the folds."""
        return np.array([-1 if item.fold is None else item.fold for item in self.slices])


def crop_dataset(dataset: Dataset, progress=iter) -> CropSet:
    """Cut the lung crop of every slice; `progress` wraps the sequence (for instance `tqdm.tqdm`).

    Raises `DatasetError` when no slice of some class could be cropped.
    """
    kept, crops, lungs, failed = [], [], [], []
    for item in progress(dataset.slices):
        try:
            anatomy = find_anatomy(load_slice(item.path))
        except LungCNNError as error:
            failed.append((item.file, str(error)))
            continue
        kept.append(item)
        crops.append(anatomy.crop)
        lungs.append(anatomy.crop_lungs)
    lacking = set(range(len(CLASSES))) - {item.label for item in kept}
    if lacking:
        names = ", ".join(CLASSES[label] for label in sorted(lacking))
        raise DatasetError(f"No slice of the class(es) {names} could be read and cropped; {len(failed)} files failed.")
    return CropSet(tuple(kept), np.stack(crops), np.stack(lungs), tuple(failed))
