"""The IQ-OTH/NCCD folder, checked, and turned into lung crops with their cases.

Which slices belong to one case is not published; the case list that ships with the package (or one given)
holds the inferred groups, the folds made of them and the slices kept apart as a test set.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungcnn.classes import CLASSES, Classes
from lungcnn.dataset.case_list import CASE_LIST, read_case_list
from lungcnn.dataset.lesion_boxes import BOX_LIST, SECOND_LOOK, LesionBox, boxes_by_hash
from lungcnn.dataset.thumbnails import thumbnail
from lungcnn.errors import DatasetError
from lungcnn.reading.loading import load_slice

# In this order: it decides in which order slices are learnt from. Names are compared in small letters.
FOLDERS = {
    "normal cases": "normal",
    "normal": "normal",
    "bengin cases": "benign",
    "benign cases": "benign",
    "bengin": "benign",
    "benign": "benign",
    "malignant cases": "malignant",
    "malignant": "malignant",
}
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".dcm"}
WHERE_FROM = (
    "Get the IQ-OTH/NCCD lung cancer dataset from Mendeley Data (bhmdr45bh2) or Kaggle, unpack it, and name the folder "
    "that holds 'Normal cases', 'Bengin cases' (spelt so) and 'Malignant cases', or 'normal', 'benign' and 'malignant'"
)
SPLITS = ("dev", "test", "all")
HOME = "IQ-OTH/NCCD"


@dataclass(frozen=True)
class DatasetSlice:
    """One file of the dataset.

    Attributes:
        label: index of its class; the case's, not what the slice shows.
        fold: None for slices outside the folds.
        boxes: what was seen on it (`BOX_LIST`), empty where nothing; None where nobody looked.
        second_look: the same by `SECOND_LOOK`, on malignant slices without `boxes`.
        collection: where it is from.
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
    collection: str = HOME


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
    other_folders: tuple[str, ...] = ()
    classes: Classes = CLASSES

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
        by_class = ", ".join(f"{counts[label]} {name}" for label, name in enumerate(self.classes))
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
        if self.other_folders:
            lines.append(
                f"folders left out: {', '.join(self.other_folders)}: not one of the classes {', '.join(self.classes)} "
                "(others are named with --classes)"
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class Image:
    """A file in one of the class folders, with that class's name and the sha256 of its bytes."""

    path: Path
    label: str
    sha256: str


def find_images(root: Path | str, classes: Classes = CLASSES) -> tuple[Path, list[Image]]:
    """The images of a dataset folder in the release's own layout, by class and name, and the folder they lie in.

    Args:
        root: the folder with one folder a class; a folder around it (as Kaggle's zip makes) is looked into.
        classes: those to look for. Besides the names in `FOLDERS`, a class's folder is called as the class is, in
            capital or small letters, with spaces for '_'.

    Raises:
        DatasetError: no folder, no class folders, no images, or a class without images.
    """
    root = _find_root(Path(root), classes)
    found = [
        Image(path, label, hashlib.sha256(path.read_bytes()).hexdigest())
        for folder, label in _class_folders(root, classes)
        for path in sorted(folder.glob("*"))
        if path.suffix.lower() in SUFFIXES
    ]
    missing = set(classes) - {image.label for image in found}
    if missing:
        names = ", ".join(sorted(missing))
        raise DatasetError(
            f"There are no images of the class(es) {names} in {root}. A network learns from and is measured on slices "
            f"of each of its classes ({', '.join(classes)}); for a network of others name them: --classes "
            f"{','.join(name for name in classes if name not in missing) or 'first,second'}. {_where_from(classes)}."
        )
    return root, found


def _class_folders(root: Path, classes: Classes) -> list[tuple[Path, str]]:
    """The class folders in a folder with their classes, in the order of `FOLDERS` and the classes."""
    known = {folder: name for folder, name in FOLDERS.items() if name in classes}
    known |= {name: name for name in classes if name not in known}
    order = list(known)
    inside = [(folder, _as_name(folder)) for folder in sorted(root.iterdir()) if folder.is_dir()]
    inside = [(folder, name if name in known else name.replace(" ", "_")) for folder, name in inside]
    found = [(folder, name) for folder, name in inside if name in known]
    return [(folder, known[name]) for folder, name in sorted(found, key=lambda pair: order.index(pair[1]))]


def _as_name(folder: Path) -> str:
    return folder.name.strip().lower()


def read_dataset(
    root: Path | str, cases: Path | str | None = None, split: str = "dev", classes: Classes = CLASSES
) -> Dataset:
    """Read and check a dataset folder in the release's own layout.

    Args:
        root: as `find_images`.
        cases: a case list (CSV with file, label, sha256, case_group, split, fold); None for the one that ships.
        split: which slices to take, one of `SPLITS`; a model may learn from "dev" only. classes: as `find_images`.

    Raises:
        DatasetError: as `find_images`, or a case list that doesn't fit. Files are matched by sha256, so renaming
            does no harm.
    """
    root, found = find_images(root, classes)
    listed = read_case_list(Path(cases) if cases else CASE_LIST)
    boxes, second_look = boxes_by_hash(BOX_LIST), boxes_by_hash(SECOND_LOOK)
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
                    label=classes.index(image.label),
                    sha256=image.sha256,
                    case=row["case_group"],
                    split=row["split"],
                    fold=int(row["fold"]) if row["fold"] else None,
                    boxes=boxes.get((image.sha256, image.label)),
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
        other_folders=_other_folders(root, classes),
        classes=classes,
    )


def _other_folders(root: Path, classes: Classes) -> tuple[str, ...]:
    taken = {folder for folder, _ in _class_folders(root, classes)}
    return tuple(folder.name for folder in sorted(root.glob("*/")) if folder not in taken)


def _find_root(root: Path, classes: Classes) -> Path:
    if not root.is_dir():
        raise DatasetError(f"There is no folder {root}. {_where_from(classes)}.")
    for folder in [root, *sorted(root.glob("*/")), *sorted(root.glob("*/*/"))]:
        if _class_folders(folder, classes):
            return folder
    raise DatasetError(
        f"The folder {root} holds none of the class folders ({', '.join(classes)}). {_where_from(classes)}."
    )


def _where_from(classes: Classes) -> str:
    if set(classes) <= set(CLASSES):
        return WHERE_FROM
    named = "', '".join(name.replace("_", " ") for name in classes)
    return f"Name the folder that holds a folder of slices for each class: '{named}'"


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
