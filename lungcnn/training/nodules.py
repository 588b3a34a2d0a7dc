"""Real nodules of the LIDC-IDRI collection, pasted into lung crops.

A patch shows one nodule of a CT slice; the readers outlined it and said how suspicious it looks (Armato 2011). Cut out
of its own background and put into others, it teaches what a tumour looks like, whoever's chest it is in.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lungcnn.errors import DatasetError
from lungcnn.training.lesions import tissue_level

# Of a patch, and of a crop of about 300 mm across.
PATCH_MM, CROP_MM = 1.4, 2.2
# Smaller ones are a crop's pixel or two: nobody could tell them from a vessel there.
LEAST_MM = 7.0
# Median of the readers, 1 to 5.
SUSPICIOUS, HARMLESS = 4.0, 2.0
# A nodule that changes its pixels less on the mean isn't seen.
_LEAST_CHANGE = 0.12
_ARRAYS = ("patch", "mask", "malignancy")


@dataclass(frozen=True, eq=False)
class NodulePatches:
    """Nodules of one kind.

    Attributes:
        levels: float32 `[n, 64, 64]`, 0 at the level of lung and 1 at that of soft tissue.
        masks: float32 `[n, 64, 64]`, the readers' outlines, 0 to 1.
    """

    levels: np.ndarray
    masks: np.ndarray

    def paste(
        self, crop: np.ndarray, lungs: np.ndarray, rng: np.random.Generator, largest: float = 1.35
    ) -> tuple[np.ndarray, np.ndarray]:
        """Paste one nodule, turned, mirrored and scaled, centred anywhere in the lungs.

        Args:
            crop: float32 `[size, size]`, grey 0 to 1. lungs: bool of the same shape. rng: source of every choice.
            largest: by how much it may be enlarged.

        Returns:
            The new crop and the nodule's mask, float32 `[size, size]`. Unchanged, and 0, where there is no room or
            the nodule wouldn't be seen.
        """
        ys, xs = np.nonzero(lungs)
        nothing = crop, np.zeros_like(crop)
        if not len(ys):
            return nothing
        pick, place = rng.integers(len(self.levels)), rng.integers(len(ys))
        scale = PATCH_MM / CROP_MM * np.exp(rng.uniform(np.log(0.85), np.log(largest)))
        matrix = _turned(scale, rng, (xs[place], ys[place]), self.masks[pick])
        size = crop.shape[::-1]
        mask = _placed(self.masks[pick], matrix, size)
        if not (mask > 0.3).any():
            return nothing
        level = _placed(self.levels[pick], matrix, size)
        # A little more than the outline, so that spicules and a blurred border come along.
        grown = cv2.dilate(mask, np.ones((3, 3), np.uint8))
        opacity = np.clip(cv2.GaussianBlur(grown, (0, 0), 0.7) * 1.15, 0, 1)
        lung = _lung_level(crop, lungs, xs[place], ys[place])
        picture = lung + level * (tissue_level(crop) + rng.normal(0, 0.012) - lung)
        drawn = crop + opacity * np.maximum(picture - crop, 0)
        if (drawn - crop)[mask > 0.3].mean() < _LEAST_CHANGE:
            return nothing
        return np.clip(drawn, 0, 1, dtype=np.float32), mask


def read_nodules(path: Path) -> dict[str, NodulePatches]:
    """The nodules of at least `LEAST_MM` in a file, as `{"malignant": ..., "benign": ...}` by the readers' suspicion.

    Args:
        path: `.npz` with patch and mask uint8 `[n, 64, 64]`, `PATCH_MM` a pixel and each patch scaled for itself, and
            malignancy float `[n]`, 1 to 5.

    Raises `DatasetError` for a file that isn't that.
    """
    try:
        with np.load(path) as file:
            patches, masks, suspicion = (file[name] for name in _ARRAYS)
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(f"{path.name} is no file of nodules (arrays {', '.join(_ARRAYS)}): {error}.") from None
    area = masks.reshape(len(masks), -1).sum(axis=1) / 255
    large = 2 * np.sqrt(area / np.pi) * PATCH_MM >= LEAST_MM
    kinds = {"malignant": large & (suspicion >= SUSPICIOUS), "benign": large & (suspicion <= HARMLESS)}
    return {name: _levelled(patches[chosen], masks[chosen]) for name, chosen in kinds.items()}


def _levelled(patches: np.ndarray, masks: np.ndarray) -> NodulePatches:
    outlines = masks.astype(np.float32) / 255
    levels = [_levels(patch, mask > 127) for patch, mask in zip(patches, masks, strict=True)]
    told = np.array([level is not None for level in levels])
    return NodulePatches(np.stack([level for level in levels if level is not None]), outlines[told])


def _levels(patch: np.ndarray, inside: np.ndarray) -> np.ndarray | None:
    """A patch with lung at 0 and soft tissue at 1; None where the two can't be told apart."""
    near = cv2.dilate(inside.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    around = patch[near & ~cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)]
    if around.size < 20:
        return None
    lung = float(np.percentile(around, 30))
    histogram = cv2.GaussianBlur(np.bincount(patch.ravel(), minlength=256).astype(np.float32)[None], (0, 0), 3)[0]
    # Soft tissue is the peak well above lung and below bone.
    lowest = int(lung + 0.35 * (float(np.percentile(patch, 98)) - lung))
    tissue = lowest + int(histogram[lowest:].argmax())
    core = float(np.percentile(patch[inside], 75)) if inside.any() else 0.0
    contrast = max(tissue, core) - lung
    if contrast < 30:
        return None
    return np.clip((patch - lung) / contrast, -0.2, 1.4).astype(np.float32)


def _turned(scale: float, rng, place: tuple[int, int], mask: np.ndarray) -> np.ndarray:
    """Affine `[2, 3]` from a patch to the crop that brings the nodule's middle to `place`."""
    ys, xs = np.nonzero(mask > 0.3)
    angle, mirror = rng.uniform(0, 2 * np.pi), -1.0 if rng.random() < 0.5 else 1.0
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[mirror * cos, -sin], [mirror * sin, cos]])
    return np.hstack([turn, (np.array(place) - turn @ (xs.mean(), ys.mean()))[:, None]])


def _placed(patch: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    # The crop's pixels are coarser than the patch's: without this they would skip over its detail.
    smooth = cv2.GaussianBlur(patch, (0, 0), 0.6)
    return cv2.warpAffine(smooth, matrix, size, flags=cv2.INTER_LINEAR, borderValue=0)


def _lung_level(crop: np.ndarray, lungs: np.ndarray, x: int, y: int, reach: int = 12) -> float:
    window = (slice(max(0, y - reach), y + reach), slice(max(0, x - reach), x + reach))
    return float(np.percentile(crop[window][lungs[window]], 40))
