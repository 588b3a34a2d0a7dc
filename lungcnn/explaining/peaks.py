"""The places of a slice that speak for malignant, each with the probability by that place alone."""

from collections.abc import Iterator
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
        malignant: calibrated probability of the slice by this place alone, the others hidden.
        strength: log-odds of the strongest cell above those of the slice's background.
        share: of all that speaks for malignant on the slice, 0 to 1.
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
    the place's own cells with the slice's weakest cells (`BACKGROUND`): what else stands out is hidden.
    """
    above = (evidence.odds - np.quantile(evidence.odds, BACKGROUND)).astype(np.float32)
    places = list(_places(above))
    if not places:
        return []
    background = above <= 0
    kept = np.stack([background, *(background | region for _, region, _ in places)])
    without, *malignant = calibrate(evidence.logits(kept), calibration)[:, evidence.label].tolist()
    least = max(least, ADDS * without / (1 - without + ADDS * without))
    spoken = np.maximum(evidence.spoken, 0)
    total = float(spoken.sum())
    return [
        _on_slice(box, above.shape, cell, reach, p, float(above[cell]), float(spoken[region].sum()) / total)
        for (cell, region, reach), p in zip(places, malignant, strict=True)
        if p >= least and total > 0
    ]


def _places(above: np.ndarray) -> Iterator[tuple[tuple[int, int], np.ndarray, tuple[float, ...]]]:
    """Strongest cell (row, column), cells of its own (bool, as `above`), and reach (left, top, right, bottom) of each.

    Args:
        above: float32 `[rows, columns]`, evidence above the background's.
    """
    largest = cv2.dilate(above, np.ones((3, 3), np.uint8))
    peaks = [(int(i), int(j)) for i, j in np.argwhere((above == largest) & (above > 0))]
    finer = cv2.resize(np.maximum(above, 0), None, fx=_FINER, fy=_FINER, interpolation=cv2.INTER_LINEAR)
    free = np.ones(above.shape, bool)  # of stronger places
    count = 0
    for row, column in sorted(peaks, key=lambda at: (-above[at], at)):
        if not free[row, column] or count == MOST:
            continue
        count += 1
        least = SHARE * above[row, column]
        near = np.zeros(above.shape, bool)
        near[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = True
        own = _around((above >= least) & free, row, column)
        middle = _FINER // 2
        inside = (finer >= least) & np.kron(own | near & free, np.ones((_FINER, _FINER))).astype(bool)
        reach = _around(inside, row * _FINER + middle, column * _FINER + middle)
        free &= ~own
        ys, xs = np.flatnonzero(reach.any(axis=1)), np.flatnonzero(reach.any(axis=0))
        edges = (xs[0], ys[0], xs[-1] + 1, ys[-1] + 1)
        yield (row, column), own | near, tuple(float(edge) / _FINER for edge in edges)


def _around(inside: np.ndarray, row: int, column: int) -> np.ndarray:
    """The part of a mask that hangs together with one of its cells."""
    _, parts = cv2.connectedComponents(inside.astype(np.uint8), connectivity=4)
    return parts == parts[row, column]


def _on_slice(box: CropBox, cells, cell, reach, malignant: float, strength: float, share: float) -> Peak:
    row, column = cell
    corners = [box.point_to_slice(reach[i], reach[j], cells) for i, j in ((0, 1), (2, 3))]
    (left, right), (top, bottom) = (sorted(pair) for pair in zip(*corners, strict=True))
    x, y = box.point_to_slice(column + 0.5, row + 0.5, cells)
    rows, columns = cells[::-1] if box.turn.swaps else cells
    size = (box.width / columns, box.height / rows)
    return Peak(x, y, left, top, right, bottom, size, malignant, strength, share)
