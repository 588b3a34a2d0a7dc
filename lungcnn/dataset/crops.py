"""The lung crops of a dataset."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from lungcnn.classes import CLASSES, Classes
from lungcnn.dataset.folder import Dataset, DatasetSlice
from lungcnn.dataset.lesion_boxes import LesionBox
from lungcnn.errors import DatasetError, LungCNNError
from lungcnn.preprocessing.anatomy import Anatomy, find_anatomy
from lungcnn.preprocessing.lung_crop import CROP_SIZE, CropBox
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.loading import load_slice


@dataclass(frozen=True, eq=False)
class CropSet:
    """Lung crops of a dataset.

    Attributes:
        slices: the `n` slices that could be read and cropped, in the dataset's order.
        crops: float32 `[n, 128, 128]`, grey 0 to 1.
        lungs: bool `[n, 128, 128]`, the lung mask on the crop.
        boxes, second_look: of the `n` slices, those of `DatasetSlice` in pixels of the crop: corners (x0, y0, x1, y1)
            float `[boxes, 4]`, and whether each is sure, bool `[boxes]`; None where nobody looked.
        failed: file and error of those that could not.
    """

    slices: tuple[DatasetSlice, ...]
    crops: np.ndarray
    lungs: np.ndarray
    boxes: tuple[tuple[np.ndarray, np.ndarray] | None, ...]
    second_look: tuple[tuple[np.ndarray, np.ndarray] | None, ...]
    failed: tuple[tuple[str, LungCNNError], ...] = field(default=())
    classes: Classes = CLASSES

    @property
    def labels(self) -> np.ndarray:
        """int64 `[n]`."""
        return np.array([item.label for item in self.slices])

    @property
    def cases(self) -> np.ndarray:
        """str `[n]`."""
        return np.array([item.case for item in self.slices])

    @property
    def seen(self) -> tuple[tuple[np.ndarray, np.ndarray] | None, ...]:
        """What was seen on each slice, at first or at second look; None where nobody looked."""
        return tuple(
            first if first is not None else second for first, second in zip(self.boxes, self.second_look, strict=True)
        )

    @property
    def shown(self) -> np.ndarray:
        """What each slice shows by itself, int64 `[n]`: its label, or normal where nothing malignant was seen on it."""
        labels = self.labels
        if self.classes.lesions:
            normal, malignant = self.classes.lesions
            nothing = np.array([found is not None and not len(found[0]) for found in self.seen], bool)
            labels[(labels == malignant) & nothing] = normal
        return labels

    @property
    def sure_lesions(self) -> dict[str, np.ndarray]:
        """Malignant slices on which a lesion is surely seen, bool `[n]`, by the first list and by the second look."""
        malignant = np.isin(self.labels, (self.classes.lesions or ())[1:])
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
            classes=self.classes,
        )

    def join(self, other: "CropSet") -> "CropSet":
        """The slices of both, these first."""
        return CropSet(
            slices=self.slices + other.slices,
            crops=np.concatenate([self.crops, other.crops]),
            lungs=np.concatenate([self.lungs, other.lungs]),
            boxes=self.boxes + other.boxes,
            second_look=self.second_look + other.second_look,
            failed=self.failed + other.failed,
            classes=self.classes,
        )

    @property
    def collections(self) -> np.ndarray:
        """str `[n]`, where each slice is from."""
        return np.array([item.collection for item in self.slices])

    @property
    def folds(self) -> np.ndarray:
        """int64 `[n]`, -1 for slices outside the folds."""
        return np.array([-1 if item.fold is None else item.fold for item in self.slices])


def crop_dataset(
    dataset: Dataset, progress: Callable = iter, find: Callable[[CTSlice], Anatomy] = find_anatomy
) -> CropSet:
    """Cut the lung crop of every slice.

    Args:
        progress: wraps the sequence (for instance `tqdm.tqdm`).
        find: the anatomy of a slice. `find_anatomy` takes every slice with lungs, to learn from; `gate.examine.admit`
            those that the product judges.

    Raises `DatasetError` when no slice of some class could be cropped.
    """
    found = cut_crops(progress(dataset.slices), find, dataset.classes)
    lacking = set(range(len(dataset.classes))) - {item.label for item in found.slices}
    if lacking:
        names = ", ".join(dataset.classes[label] for label in sorted(lacking))
        raise DatasetError(
            f"No slice of the class(es) {names} could be read and cropped; {len(found.failed)} files failed or were "
            "refused."
        )
    return found


def cut_crops(
    slices: Iterable[DatasetSlice], find: Callable[[CTSlice], Anatomy], classes: Classes = CLASSES
) -> CropSet:
    """The lung crops of these slices; those that `find` raises a `LungCNNError` for are in `failed`."""
    kept, crops, lungs, boxes, second_look, failed = [], [], [], [], [], []
    for item in slices:
        try:
            anatomy = find(load_slice(item.path))
        except LungCNNError as error:
            failed.append((item.file, error))
            continue
        kept.append(item)
        crops.append(anatomy.crop)
        lungs.append(anatomy.crop_lungs)
        boxes.append(_on_crop(item.boxes, anatomy.box))
        second_look.append(_on_crop(item.second_look, anatomy.box))
    empty = np.zeros((0, CROP_SIZE, CROP_SIZE))
    return CropSet(
        tuple(kept),
        np.stack(crops) if crops else empty.astype(np.float32),
        np.stack(lungs) if lungs else empty.astype(bool),
        tuple(boxes),
        tuple(second_look),
        tuple(failed),
        classes,
    )


def _on_crop(boxes: tuple[LesionBox, ...] | None, crop: CropBox):
    if boxes is None:
        return None
    size = (CROP_SIZE, CROP_SIZE)
    corners = [
        (*crop.point_from_slice(box.x0, box.y0, size), *crop.point_from_slice(box.x1, box.y1, size)) for box in boxes
    ]
    return np.array(corners, float).reshape(-1, 4), np.array([box.sure for box in boxes], bool)
