"""Body mask, lung mask, the lung crop, and the map from the crop back to the slice.

The crop takes away what gives a case's class away without being disease: the couch, the field of view,
the size of the image and everything else outside the body.

Coordinates: `x` runs right, `y` down, in pixels of the slice, with pixel centres at half-integers
(the first pixel's centre is 0.5, 0.5), so that every enlargement maps centres exactly.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from lungcnn.errors import RefusalError
from lungcnn.loading import CTSlice
from lungcnn.windowing import to_grey, to_unit

CROP_SIZE = 128
# Raise it when anything below changes what the network sees: models trained on another version are refused.
CROP_VERSION = 1
AIR_HU = -1000.0
TISSUE_HU = -480.0
MARGIN = 0.04
# The masks are found on a copy of about this many pixels a side: finer detail doesn't move the crop.
WORKING_SIZE = 256


class NoBodyError(RefusalError):
    """No body was found on the slice."""

    code = "no_body"


class NoLungsError(RefusalError):
    """No lungs were found inside the body."""

    code = "no_lungs"


@dataclass(frozen=True)
class CropBox:
    """The rectangle of a slice that the network sees, in whole pixels; it may reach beyond the image.

    Its sides are equal in mm, so they differ in pixels where pixels are not square.
    """

    left: int
    top: int
    width: int
    height: int
    rows: int
    columns: int

    def cut(self, image: np.ndarray, fill: float) -> np.ndarray:
        """The box's own pixels of `image` `[rows, columns]`, with `fill` beyond its border."""
        cut = np.full((self.height, self.width), fill, image.dtype)
        on_slice, on_box = self._overlap()
        cut[on_box] = image[on_slice]
        return cut

    def to_slice(self, crop_map: np.ndarray) -> np.ndarray:
        """Place a map `[h, w]` over the box (cells of any size) on the slice: float32 `[rows, columns]`, 0 outside.

        Bilinear between cell centres with half-pixel alignment: an impulse in a cell peaks at its centre.
        """
        size = self.width, self.height
        enlarged = cv2.resize(np.asarray(crop_map, np.float32), size, interpolation=cv2.INTER_LINEAR)
        placed = np.zeros((self.rows, self.columns), np.float32)
        on_slice, on_box = self._overlap()
        placed[on_slice] = enlarged[on_box]
        return placed

    def _overlap(self) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """The part of the box that lies on the image, as index of the slice and of the box."""
        spans = (self.top, self.height, self.rows), (self.left, self.width, self.columns)
        ends = [(max(start, 0), max(0, start, min(start + length, limit))) for start, length, limit in spans]
        return (
            tuple(slice(low, high) for low, high in ends),
            tuple(slice(low - span[0], high - span[0]) for (low, high), span in zip(ends, spans, strict=True)),
        )

    def point_to_slice(self, x: float, y: float, cells: tuple[int, int]) -> tuple[float, float]:
        """Slice coordinates of the point (x, y) of a map with `cells` (rows, columns) over the box."""
        return self.left + x * self.width / cells[1], self.top + y * self.height / cells[0]

    def point_from_slice(self, x: float, y: float, cells: tuple[int, int]) -> tuple[float, float]:
        """Where slice coordinates (x, y) lie on a map with `cells` (rows, columns) over the box."""
        return (x - self.left) * cells[1] / self.width, (y - self.top) * cells[0] / self.height


@dataclass(frozen=True, eq=False)
class Anatomy:
    """What was found on a slice.

    Attributes:
        body, lungs: bool `[rows, columns]`; `lungs` includes vessels and what lies enclosed in lung.
        box: the lung crop's rectangle.
        crop: float32 `[128, 128]`, grey 0 to 1 under the dataset's window, air outside the body.
        crop_lungs: bool `[128, 128]`, the lung mask on the crop.
    """

    body: np.ndarray
    lungs: np.ndarray
    box: CropBox
    crop: np.ndarray
    crop_lungs: np.ndarray

    def lung_sides(self) -> tuple[float, float]:
        """Area of the lungs to the left and to the right of the body's middle on the image, as shares of the body's."""
        across, area = self.lungs.sum(axis=0), self.body.sum()
        middle = int(_middle(self.body))
        return float(across[:middle].sum() / area), float(across[middle:].sum() / area)


def find_anatomy(ct_slice: CTSlice) -> Anatomy:
    """Find body and lungs on a slice and cut the lung crop.

    Raises:
        NoBodyError: nothing that could be a body in cross-section.
        NoLungsError: a body without air-filled lungs (another body part, or a window that hides them).
    """
    body, lungs = find_masks(ct_slice.hu, ct_slice.aspect)
    box = lung_box(body, lungs, ct_slice.aspect)
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
    body = _body(tissue)
    lungs = _lungs(tissue, body)
    return tuple(
        cv2.resize(mask, (columns, rows), interpolation=cv2.INTER_LINEAR) > 127 for mask in (body * 255, lungs * 255)
    )


def _disc(diameter: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))


def _largest(mask: np.ndarray) -> np.ndarray | None:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    if count < 2:
        return None
    return (labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])).astype(np.uint8)


def _outside(mask: np.ndarray) -> np.ndarray:
    """Pixels of the background that are joined to the border of the image."""
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(padded, None, (0, 0), 2)
    return (padded[1:-1, 1:-1] == 2).astype(np.uint8)


def _body(tissue: np.ndarray) -> np.ndarray:
    """The largest piece of tissue, its holes filled; the opening parts it from couch, clothes and cables."""
    # The opening acts on the filled outline: on bare tissue it would tear the thin chest wall.
    filled = 1 - _outside(tissue)
    body = _largest(cv2.morphologyEx(filled, cv2.MORPH_OPEN, _disc(9)))
    if body is None or body.mean() < 0.04:
        raise NoBodyError(
            "No body in cross-section was found on the image. Accepted are axial chest-CT slices under a lung window."
        )
    return 1 - _outside(body)


def _lungs(tissue: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Air inside the body in pieces large enough for a lung, closed over vessels and what lies enclosed."""
    # A margin of skin is taken off: folds of air at the surface are not lung.
    inner = cv2.erode(body, _disc(5), borderType=cv2.BORDER_CONSTANT, borderValue=1)
    air = cv2.morphologyEx(inner & (1 - tissue), cv2.MORPH_OPEN, _disc(3))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(air, connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA]
    least = 0.012 * body.sum()
    keep = [label for label in range(1, count) if areas[label] >= least]
    if not keep or areas[keep].sum() < 0.03 * body.sum():
        raise NoLungsError(
            "No lungs were found on the image. Accepted are axial slices of the chest, under a window that shows "
            "lung tissue (centre near -600, width near 1500 HU)."
        )
    lungs = np.isin(labels, keep).astype(np.uint8)
    closed = cv2.morphologyEx(
        cv2.copyMakeBorder(lungs, 16, 16, 16, 16, cv2.BORDER_CONSTANT, value=0), cv2.MORPH_CLOSE, _disc(11)
    )[16:-16, 16:-16]
    return _fill_small_holes(closed, largest=int(0.04 * body.sum())) & body


def _fill_small_holes(mask: np.ndarray, largest: int) -> np.ndarray:
    """Fill holes of up to `largest` pixels: vessels and masses, not a heart that the lungs meet around."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(1 - mask, connectivity=4)
    small = [label for label in range(1, count) if stats[label, cv2.CC_STAT_AREA] <= largest]
    touches_border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return mask | np.isin(labels, np.setdiff1d(small, touches_border)).astype(np.uint8)


def lung_box(body: np.ndarray, lungs: np.ndarray, aspect: float = 1.0) -> CropBox:
    """The square (in mm) around the lungs with a margin of 4 % of its side on each side.

    Where air is left on one side of the body only (collapse, effusion, a large mass), the box reaches as far to
    the other side of the body's middle, because what took the lung's place is what a reader wants to see.
    """
    ys, xs = np.flatnonzero(lungs.any(axis=1)), np.flatnonzero(lungs.any(axis=0))
    top, bottom, left, right = ys[0], ys[-1] + 1, xs[0], xs[-1] + 1
    middle = _middle(body)
    reach = max(middle - left, right - middle)
    if min(middle - left, right - middle) < 0.4 * reach:
        left, right = middle - reach, middle + reach
    side = max(right - left, (bottom - top) * aspect) * (1 + 2 * MARGIN)
    width, height = max(1, round(side)), max(1, round(side / aspect))
    return CropBox(
        left=round((left + right - width) / 2),
        top=round((top + bottom - height) / 2),
        width=width,
        height=height,
        rows=lungs.shape[0],
        columns=lungs.shape[1],
    )


def _middle(body: np.ndarray) -> float:
    """Where the body's centre of mass lies from left to right."""
    return float(np.average(np.arange(body.shape[1]) + 0.5, weights=body.sum(axis=0)))


def cut_crop(hu: np.ndarray, body: np.ndarray, box: CropBox) -> np.ndarray:
    """The network's input of a slice: float32 `[128, 128]`, grey 0 to 1, everything outside the body air."""
    unit = to_unit(np.where(body, hu, np.float32(AIR_HU)))
    return _shrink(box.cut(unit, fill=float(to_unit(np.float32(AIR_HU)))))


def cut_lungs(lungs: np.ndarray, box: CropBox) -> np.ndarray:
    """The lung mask on the crop: bool `[128, 128]`."""
    return _shrink(box.cut(lungs.astype(np.float32), fill=0.0)) > 0.5


def _shrink(cut: np.ndarray) -> np.ndarray:
    method = cv2.INTER_AREA if min(cut.shape) >= CROP_SIZE else cv2.INTER_LINEAR
    return cv2.resize(cut, (CROP_SIZE, CROP_SIZE), interpolation=method)
