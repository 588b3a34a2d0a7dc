"""Body, lungs and lung crop of a slice."""

from dataclasses import dataclass

import cv2
import numpy as np

from lungcnn.masks import of_columns
from lungcnn.preprocessing.body import body_mask
from lungcnn.preprocessing.lung_crop import CropBox, cut_crop, cut_lungs, lung_box, middle_of
from lungcnn.preprocessing.lungs import lung_mask
from lungcnn.preprocessing.turn import AS_STORED, Turn
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.windowing import to_grey

TISSUE_HU = -480.0
# The masks are found on a copy of about this many pixels a side: finer detail doesn't move the crop.
WORKING_SIZE = 256


@dataclass(frozen=True, eq=False)
class Anatomy:
    """What was found on a slice.

    Attributes:
        body, lungs: bool `[rows, columns]`, as stored; `lungs` includes vessels and what lies enclosed in lung.
        box: the lung crop's rectangle, and how what it holds is turned.
        crop: float32 `[128, 128]`, grey 0 to 1 under the dataset's window, air outside the body; upright.
        crop_lungs: bool `[128, 128]`, the lung mask on the crop.
    """

    body: np.ndarray
    lungs: np.ndarray
    box: CropBox
    crop: np.ndarray
    crop_lungs: np.ndarray

    def lung_sides(self) -> tuple[float, float]:
        """Area of the lungs left and right of the body's middle on the upright image, as shares of the body's."""
        body, lungs = self.box.turn.apply(self.body), self.box.turn.apply(self.lungs)
        across, area = of_columns(lungs), np.count_nonzero(body)
        middle = int(middle_of(body))
        return float(across[:middle].sum() / area), float(across[middle:].sum() / area)


def find_anatomy(ct_slice: CTSlice, turn: Turn = AS_STORED) -> Anatomy:
    """Find body and lungs on a slice and cut the lung crop, turned by `turn`.

    Raises:
        NoBodyError: nothing that could be a body in cross-section.
        NoLungsError: a body without air-filled lungs (another body part, or a window that hides them).
    """
    body, lungs = find_masks(ct_slice.hu, ct_slice.aspect)
    return crop_anatomy(ct_slice, body, lungs, turn)


def crop_anatomy(ct_slice: CTSlice, body: np.ndarray, lungs: np.ndarray, turn: Turn = AS_STORED) -> Anatomy:
    """The anatomy of a slice whose masks, bool `[rows, columns]`, are known."""
    box = lung_box(body, lungs, ct_slice.aspect, turn)
    return Anatomy(body, lungs, box, cut_crop(ct_slice.hu, body, box), cut_lungs(lungs, box))


def find_masks(hu: np.ndarray, aspect: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Body and lung masks, bool `[rows, columns]`, of a slice in HU whose pixels are `aspect` times as high as wide.

    Raises `NoBodyError` and `NoLungsError` as `find_anatomy`.
    """
    rows, columns = hu.shape
    scale = WORKING_SIZE / max(rows * aspect, columns)
    size = max(16, round(columns * scale)), max(16, round(rows * aspect * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    grey = cv2.medianBlur(cv2.resize(to_grey(hu), size, interpolation=method), 3)
    tissue = (grey > to_grey(np.float32(TISSUE_HU))).astype(np.uint8)
    body = body_mask(tissue, grey)
    lungs = lung_mask(tissue, body)
    return _enlarged(body, rows, columns), _enlarged(lungs, rows, columns)


def _enlarged(mask: np.ndarray, rows: int, columns: int) -> np.ndarray:
    return cv2.resize(mask * 255, (columns, rows), interpolation=cv2.INTER_LINEAR) > 127
