"""The lung crop, what the network sees, and the map from it back to the slice.

The crop takes away what gives a case's class away without being disease: the couch, the field of view,
the size of the image and everything else outside the body. It is upright, whichever way the slice is stored.

Coordinates: `x` runs right, `y` down, in pixels of the slice, with pixel centres at half-integers
(the first pixel's centre is 0.5, 0.5), so that every enlargement maps centres exactly.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from lungcnn.masks import of_columns
from lungcnn.preprocessing.turn import AS_STORED, Turn
from lungcnn.windowing import AIR_HU, to_unit

CROP_SIZE = 128
# Raise it when anything below changes what the network sees: models trained on another version are refused.
CROP_VERSION = 1
MARGIN = 0.04


@dataclass(frozen=True)
class CropBox:
    """The rectangle of a slice that the network sees, in whole pixels; it may reach beyond the image.

    Its sides are equal in mm, so they differ in pixels where pixels are not square. It stands on the slice as stored;
    `turn` makes what it holds upright, as the crop and all maps over it are.
    """

    left: int
    top: int
    width: int
    height: int
    rows: int
    columns: int
    turn: Turn = AS_STORED

    def cut(self, image: np.ndarray, fill: float) -> np.ndarray:
        """The box's own pixels of `image` `[rows, columns]`, upright, with `fill` beyond its border."""
        cut = np.full((self.height, self.width), fill, image.dtype)
        cut[self._on_box] = image[self.on_slice]
        return np.ascontiguousarray(self.turn.apply(cut))

    def as_stored(self, crop_map: np.ndarray) -> np.ndarray:
        """Maps `[..., h, w]` over the box with their cells in the order in which they lie on the slice."""
        return np.ascontiguousarray(self.turn.undo(crop_map))

    def to_slice(self, crop_map: np.ndarray) -> np.ndarray:
        """Place an upright map `[h, w]` over the box (cells of any size) on the slice: float32 `[rows, columns]`.

        Bilinear between cell centres with half-pixel alignment: an impulse in a cell peaks at its centre. 0 outside.
        """
        size = self.width, self.height
        stored = self.as_stored(np.asarray(crop_map, np.float32))
        enlarged = cv2.resize(stored, size, interpolation=cv2.INTER_LINEAR)
        placed = np.zeros((self.rows, self.columns), np.float32)
        placed[self.on_slice] = enlarged[self._on_box]
        return placed

    @property
    def on_slice(self) -> tuple[slice, slice]:
        """The part of the box that lies on the image, as an index of the slice."""
        return _common(self.top, self.height, self.rows)[0], _common(self.left, self.width, self.columns)[0]

    @property
    def _on_box(self) -> tuple[slice, slice]:
        """The same part as an index of what lies on the box."""
        return _common(self.top, self.height, self.rows)[1], _common(self.left, self.width, self.columns)[1]

    def point_to_slice(self, x: float, y: float, cells: tuple[int, int]) -> tuple[float, float]:
        """Slice coordinates of the point (x, y) of an upright map with `cells` (rows, columns) over the box."""
        across, down = self.turn.point_as_stored(x / cells[1], y / cells[0])
        return self.left + across * self.width, self.top + down * self.height

    def point_from_slice(self, x: float, y: float, cells: tuple[int, int]) -> tuple[float, float]:
        """Where slice coordinates (x, y) lie on an upright map with `cells` (rows, columns) over the box."""
        across, down = self.turn.point_upright((x - self.left) / self.width, (y - self.top) / self.height)
        return across * cells[1], down * cells[0]


def _common(start: int, length: int, limit: int) -> tuple[slice, slice]:
    """What a stretch has in common with 0 to `limit`, counted from 0 and from the stretch's start."""
    low, high = max(start, 0), max(0, start, min(start + length, limit))
    return slice(low, high), slice(low - start, high - start)


def lung_box(body: np.ndarray, lungs: np.ndarray, aspect: float = 1.0, turn: Turn = AS_STORED) -> CropBox:
    """The square (in mm) around the lungs with a margin of 4 % of its side on each side.

    Where air is left on one side of the body only (collapse, effusion, a large mass), the box reaches as far to
    the other side of the body's middle, because what took the lung's place is what a reader wants to see.

    Args:
        body, lungs: bool `[rows, columns]`, as stored. aspect: height over width of a stored pixel.
        turn: what makes the slice upright.
    """
    body, lungs = turn.apply(body), turn.apply(lungs)
    aspect = 1 / aspect if turn.swaps else aspect
    ys, xs = np.flatnonzero(lungs.any(axis=1)), np.flatnonzero(lungs.any(axis=0))
    top, bottom, left, right = ys[0], ys[-1] + 1, xs[0], xs[-1] + 1
    middle = middle_of(body)
    reach = max(middle - left, right - middle)
    if min(middle - left, right - middle) < 0.4 * reach:
        left, right = middle - reach, middle + reach
    side = max(right - left, (bottom - top) * aspect) * (1 + 2 * MARGIN)
    width, height = max(1, round(side)), max(1, round(side / aspect))
    upright = CropBox(
        left=round((left + right - width) / 2),
        top=round((top + bottom - height) / 2),
        width=width,
        height=height,
        rows=lungs.shape[0],
        columns=lungs.shape[1],
    )
    return _as_stored(upright, turn)


def _as_stored(box: CropBox, turn: Turn) -> CropBox:
    """The box of an upright slice on the slice as stored."""
    left, top, width, height, rows, columns = box.left, box.top, box.width, box.height, box.rows, box.columns
    if turn.mirrored:
        left = columns - left - width
    for _ in range(turn.quarters):
        left, top, width, height = rows - top - height, left, height, width
        rows, columns = columns, rows
    return CropBox(left, top, width, height, rows, columns, turn)


def middle_of(body: np.ndarray) -> float:
    """Where the body's centre of mass lies from left to right."""
    return float(np.average(np.arange(body.shape[1]) + 0.5, weights=of_columns(body)))


def cut_crop(hu: np.ndarray, body: np.ndarray, box: CropBox) -> np.ndarray:
    """The network's input of a slice: float32 `[128, 128]`, grey 0 to 1, everything outside the body air."""
    seen = np.where(box.cut(body, fill=False), box.cut(hu, fill=AIR_HU), np.float32(AIR_HU))
    return _shrink(to_unit(seen))


def cut_lungs(lungs: np.ndarray, box: CropBox) -> np.ndarray:
    """The lung mask on the crop: bool `[128, 128]`."""
    return _shrink(box.cut(lungs, fill=False).astype(np.float32)) > 0.5


def _shrink(cut: np.ndarray) -> np.ndarray:
    method = cv2.INTER_AREA if min(cut.shape) >= CROP_SIZE else cv2.INTER_LINEAR
    return cv2.resize(cut, (CROP_SIZE, CROP_SIZE), interpolation=method)
