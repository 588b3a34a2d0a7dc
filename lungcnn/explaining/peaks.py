"""The places of a slice that speak for malignant, each with the probability by that place alone."""

from dataclasses import dataclass

import cv2
import numpy as np

from lungcnn.explaining.evidence import Evidence
from lungcnn.model.calibration import Calibration, calibrate
from lungcnn.preprocessing.lung_crop import CropBox

# A place reaches as far as its evidence is above this share of its peak's.
SHARE = 0.5
# The weaker cells of a slice, this share of them, are what it looks like without any place that stands out.
BACKGROUND = 0.75
# A place must make the odds of malignant so many times those of the slice without it.
ADDS = 2.0
MOST = 8  # places looked at on a slice, the strongest first
_FINER = 4  # parts of a cell to which a place's border is known, between cell centres


@dataclass(frozen=True)
class Peak:
    """A place on a slice; coordinates are pixels of the slice as stored, as `CropBox` has them.

    Attributes:
        x, y: centre of the strongest cell. left, top, right, bottom: how far the place reaches.
        cell: width and height of a cell.
        malignant: calibrated probability of the slice by this place alone, the others hidden; at most the slice's.
        strength: log-odds of the strongest cell above those of the slice's background.
        share: of the evidence above the background on the slice, summed over its cells, 0 to 1.
    """

    x: float
    y: float
    left: float
    top: float
    right: float
    bottom: float
    cell: tuple[float, float]
    malignant: float
    strength: float
    share: float


def find_peaks(evidence: Evidence, box: CropBox, calibration: Calibration, least: float) -> list[Peak]:
    """Places of a slice from a probability of `least`, the strongest first.

    A weaker maximum within the reach of a stronger place belongs to it. `Peak.malignant` is what the network says of
    the place's own cells with the slice's weakest cells (`BACKGROUND`), at most what it says of the whole: what else
    stands out is hidden, for malignant and against it.
    """
    above = (evidence.odds - np.quantile(evidence.odds, BACKGROUND)).astype(np.float32)
    places = _places(above)
    if not places:
        return []
    background = above <= 0
    kept = np.stack([background, np.ones_like(background), *(background | place.cells for place in places)])
    without, whole, *malignant = calibrate(evidence.logits(kept), calibration)[:, evidence.label].tolist()
    bounds = np.full(len(places), max(least, ADDS * without / (1 - without + ADDS * without)))
    if without >= 0.5:  # what fills the slice is no background: the strongest place stands for it
        bounds[0] = least
    positive = np.maximum(above, 0)
    total = positive.sum()
    # Sums in another order may differ in their last digit.
    shares = [min(float(positive[place.cells].sum() / total), 1.0) for place in places]
    return [
        _on_slice(box, above, place, min(p, whole), share)
        for place, share, p, bound in zip(places, shares, malignant, bounds, strict=True)
        if p >= bound and min(p, whole) >= least
    ]


@dataclass(frozen=True, eq=False)
class _Place:
    """A maximum of the evidence: its cell, and as bool over the map its cells with those around the maximum."""

    row: int
    column: int
    cells: np.ndarray


def _places(above: np.ndarray) -> list[_Place]:
    """The maxima of float32 `[rows, columns]`, evidence above the background's, the strongest first."""
    largest = cv2.dilate(above, np.ones((3, 3), np.uint8))
    maxima = [(int(i), int(j)) for i, j in np.argwhere((above == largest) & (above > 0))]
    free = np.ones(above.shape, bool)  # of stronger places
    found: list[_Place] = []
    for row, column in sorted(maxima, key=lambda at: (-above[at], at)):
        if not free[row, column] or len(found) == MOST:
            continue
        cells = _around((above >= SHARE * above[row, column]) & free, row, column)
        near = slice(max(0, row - 1), row + 2), slice(max(0, column - 1), column + 2)
        taken = cells.copy()
        cells[near] |= free[near]
        found.append(_Place(row, column, cells))
        free &= ~taken
    return found


def _around(inside: np.ndarray, row: int, column: int) -> np.ndarray:
    """The part of a mask that hangs together with one of its cells."""
    _, parts = cv2.connectedComponents(inside.astype(np.uint8), connectivity=4)
    return parts == parts[row, column]


def _on_slice(box: CropBox, above: np.ndarray, place: _Place, malignant: float, share: float) -> Peak:
    row, column, strength = place.row, place.column, float(above[place.row, place.column])
    # How far it reaches, between cell centres.
    finer = cv2.resize(np.maximum(above, 0), None, fx=_FINER, fy=_FINER, interpolation=cv2.INTER_LINEAR)
    inside = (finer >= SHARE * strength) & place.cells.repeat(_FINER, axis=0).repeat(_FINER, axis=1)
    reach = _around(inside, row * _FINER + _FINER // 2, column * _FINER + _FINER // 2)
    ys, xs = (np.flatnonzero(reach.any(axis=axis)) / _FINER for axis in (1, 0))
    corners = [
        box.point_to_slice(x, y, above.shape) for x, y in ((xs[0], ys[0]), (xs[-1] + 1 / _FINER, ys[-1] + 1 / _FINER))
    ]
    (left, right), (top, bottom) = (sorted(map(float, pair)) for pair in zip(*corners, strict=True))
    x, y = box.point_to_slice(column + 0.5, row + 0.5, above.shape)
    rows, columns = above.shape[::-1] if box.turn.swaps else above.shape
    cell = (box.width / columns, box.height / rows)
    return Peak(x, y, left, top, right, bottom, cell, malignant, strength, share)
