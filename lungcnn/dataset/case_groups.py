"""Which slices of the dataset belong to one case? Inferred, since the release names no patients.

Slices that look almost the same (correlation of 64 x 64 thumbnails above 0.97) belong together, and so do neighbours in
file number within a class that look alike (above 0.80), since numbers mostly follow the case, and copies of a slice:
mirrored or turned, as in augmented releases. Connected slices are one group. A case can still be split over
neighbouring groups; folds are therefore cut as contiguous blocks of groups.
"""

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from lungcnn.classes import CLASSES, Classes
from lungcnn.dataset.case_list import CASE_LIST, COLUMNS, read_case_list
from lungcnn.dataset.folder import find_images
from lungcnn.dataset.near_duplicates import KnownHashes, hashes_of_copies
from lungcnn.dataset.thumbnails import thumbnail
from lungcnn.errors import DatasetError, LungCNNError
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.loading import load_slice

SAME_SCAN = 0.97
SAME_CASE = 0.80
# Fewer than `near_duplicates.NEAR_BITS`: no two development slices of different groups are so near each other, and a
# wrong joint moves whole cases.
COPY_BITS = 21
FOLDS = 5


def infer_groups(
    thumbnails: np.ndarray, labels: Sequence[str], numbers: Sequence[int], copies: np.ndarray | None = None
) -> np.ndarray:
    """Group of each slice, int `[n]`, counted from 0 in order of their first slice.

    Args:
        thumbnails: float32 `[n, 4096]` as `thumbnails.thumbnail` makes them.
        labels: `[n]`. numbers: `[n]`, the number in the file name; -1 where there is none.
        copies: bool `[n, n]`, which slices are known to be copies of which (`find_copies`).
    """
    from scipy.sparse.csgraph import connected_components

    alike = thumbnails @ thumbnails.T
    classes, order = np.asarray(labels), np.asarray(numbers)
    neighbours = (classes[:, None] == classes[None]) & (np.abs(order[:, None] - order[None]) == 1)
    neighbours &= (order >= 0)[:, None] & (order >= 0)[None]
    joined = (alike > SAME_SCAN) | (neighbours & (alike > SAME_CASE))
    if copies is not None:
        joined |= copies
    _, found = connected_components(joined, directed=False)
    _, first = np.unique(found, return_index=True)
    return np.argsort(np.argsort(first))[found]


def find_copies(hashes: Sequence[np.ndarray | None]) -> np.ndarray:
    """Which slices are copies of which, as they are, mirrored or turned: bool `[n, n]`.

    Args:
        hashes: of each slice as `near_duplicates.hashes_of_copies`; None for one without lungs.
    """
    copies = np.zeros((len(hashes), len(hashes)), bool)
    hashed = np.array([index for index, one in enumerate(hashes) if one is not None], int)
    if hashed.size:
        known = KnownHashes(np.stack([one[0] for one in hashes if one is not None]))
        for index in hashed:
            copies[index, hashed] = known.bits_apart(hashes[index]).min(axis=0) <= COPY_BITS
    np.fill_diagonal(copies, False)
    return copies | copies.T


def contiguous_folds(groups: np.ndarray, labels: Sequence[str], count: int = FOLDS) -> np.ndarray:
    """Fold of each slice, int `[n]`: within each class, contiguous blocks of groups with about as many slices each.

    A group under two labels goes where its first slice's label puts it. Slices are taken in the order given.
    """
    _, first = np.unique(groups, return_index=True)
    fold_of: dict[int, int] = {}
    for label in dict.fromkeys(labels):
        mine = [group for group in np.argsort(first) if labels[first[group]] == label]
        sizes = np.array([(groups == group).sum() for group in mine])
        middles = (np.cumsum(sizes) - sizes / 2) / sizes.sum()
        fold_of.update(zip(mine, (middles * count).astype(int), strict=True))
    return np.array([fold_of[group] for group in groups])


def write_case_list(root: Path, out: Path, progress: Callable = iter, classes: Classes = CLASSES) -> dict[str, int]:
    """Infer the case groups of a dataset folder and write them as a case list.

    Slices that the built-in list keeps apart as a test set stay so: a model must not learn from them.

    Args:
        root: the dataset's folder. out: the CSV. progress: wraps the sequence of files. classes: as `find_images`.

    Returns:
        Counts: `slices`, `groups`, `kept_apart`, `unreadable`, and `copies`: slices that were put into a group only
        because they are mirrored or turned copies of one in it.

    Raises:
        DatasetError: as `folder.find_images`, or none of the images can be read.
    """
    root, images = find_images(root, classes)
    built_in = read_case_list(CASE_LIST)
    rows, thumbnails, hashes, unreadable = [], [], [], 0
    for image in sorted(progress(images), key=lambda image: (image.label, _number(image.path), image.path.name)):
        try:
            ct_slice = load_slice(image.path)
        except LungCNNError:
            unreadable += 1
            continue
        listed = built_in.get((image.sha256, image.label))
        thumbnails.append(thumbnail(ct_slice.hu))
        hashes.append(_hashes(ct_slice))
        rows.append(
            {
                "file": image.path.relative_to(root).as_posix(),
                "label": image.label,
                "sha256": image.sha256,
                "width": ct_slice.hu.shape[1],
                "height": ct_slice.hu.shape[0],
                "split": listed["split"] if listed else "dev",
            }
        )
    if not rows:
        raise DatasetError(f"None of the {unreadable} images in {root} could be read.")
    labels = [row["label"] for row in rows]
    likenesses = np.stack(thumbnails), labels, [_number(Path(row["file"])) for row in rows]
    groups = infer_groups(*likenesses, find_copies(hashes))
    # Each group that copies joined out of several: all of its slices but those of the largest of them were added.
    alone = infer_groups(*likenesses)
    copies = sum(len(parts) - np.bincount(parts).max() for parts in (alone[groups == group] for group in set(groups)))
    develop = np.array([row["split"] == "dev" for row in rows])
    # A group with a test slice is a test case: none of it may be learnt from.
    develop &= ~np.isin(groups, groups[~develop])
    folds = np.full(len(rows), -1)
    if develop.any():
        _, inner = np.unique(groups[develop], return_inverse=True)
        folds[develop] = contiguous_folds(inner, [label for label, learn in zip(labels, develop, strict=True) if learn])
    for row, group, fold, learn in zip(rows, groups, folds, develop, strict=True):
        row |= {"case_group": f"G{group + 1:03d}", "split": "dev" if learn else "test", "fold": fold if learn else ""}
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return {
        "slices": len(rows),
        "groups": len(set(groups)),
        "kept_apart": int((~develop).sum()),
        "unreadable": unreadable,
        "copies": int(copies),
    }


def _hashes(ct_slice: CTSlice) -> np.ndarray | None:
    try:
        return hashes_of_copies(ct_slice)
    except LungCNNError:
        return None


def _number(path: Path) -> int:
    """The number in a file name such as 'Normal case (12).jpg', or -1."""
    found = re.findall(r"\d+", path.stem)
    return int(found[-1]) if found else -1
