"""What a network learns from beside the dataset: slices of other scanners, and nodules to put into slices."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungcnn.dataset.crops import CropSet
from lungcnn.dataset.elsewhere import LIST, Elsewhere, find_list, read_elsewhere
from lungcnn.errors import DatasetError
from lungcnn.preprocessing.anatomy import Anatomy
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.training.nodules import LEAST_MM, NodulePatches, read_nodules

NODULES = "*nodules*.npz"


@dataclass(frozen=True, eq=False)
class Additional:
    """Data beside the dataset; either may be None.

    Attributes:
        elsewhere: slices of other scanners. nodules: as `read_nodules` gives them. nodules_sha256: of their file.
    """

    elsewhere: Elsewhere | None = None
    nodules: dict[str, NodulePatches] | None = None
    nodules_sha256: str | None = None

    def describe(self) -> str:
        """What was found, for a person, one line a finding."""
        lines = []
        if self.elsewhere:
            slices, learnt = self.elsewhere.crop_set, self.elsewhere.learnable
            lines.append(
                f"{learnt.sum()} slices of other scanners to learn from, in "
                f"{len(set(slices.collections[learnt]))} collections; {(~learnt).sum()} more to measure on alone"
            )
            if slices.failed:
                lines.append(f"{len(slices.failed)} slices of other scanners left out: they can't be judged")
        for name, kind in (self.nodules or {}).items():
            lines.append(f"{len(kind.levels)} nodules that look {name}, of {LEAST_MM:g} mm and more")
        return "\n".join(lines)

    def join(self, crop_set: CropSet, folds: np.ndarray) -> tuple[CropSet, np.ndarray, np.ndarray]:
        """The dataset's slices and, after them, those of elsewhere.

        Args:
            folds: int `[n]`, of the dataset's slices.

        Returns:
            The slices, their folds int `[n + m]` (no collection in two), and which may be learnt from, bool `[n + m]`.
        """
        learnable = np.ones(len(folds), bool)
        if self.elsewhere is None:
            return crop_set, folds, learnable
        others = self.elsewhere.folds(len(np.unique(folds)))
        return (
            crop_set.join(self.elsewhere.crop_set),
            np.concatenate([folds, np.unique(folds)[others]]),
            np.concatenate([learnable, self.elsewhere.learnable]),
        )


def read_additional(folder: Path, find: Callable[[CTSlice], Anatomy]) -> Additional:
    """What a folder holds of them: a `slices.csv` (here or one folder down), and a file of nodules (`.npz`).

    Args:
        find: as `read_elsewhere`.

    Raises `DatasetError` where it holds neither, or one that can't be read.
    """
    listed = find_list(folder) is not None
    files = sorted(folder.glob(NODULES))
    if not listed and not files:
        raise DatasetError(
            f"The folder {folder} holds nothing more to learn from: neither {LIST} with slices of other scanners nor a "
            f"file of nodules ({NODULES})."
        )
    return Additional(
        read_elsewhere(folder, find) if listed else None,
        read_nodules(files[0]) if files else None,
        hashlib.sha256(files[0].read_bytes()).hexdigest() if files else None,
    )
