"""A slice reduced to two small views and two numbers, by which the gate tells a chest, and which way it lies.

The lung crop and the body's bounding box, each as grey levels and as bone, `GRID` cells a side: what a reader sees from
across the room. Beside them the body's width over its height, and on which side of it the couch is.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from lungcnn.preprocessing.anatomy import Anatomy
from lungcnn.preprocessing.turn import Turn
from lungcnn.windowing import AIR_HU, DATASET, to_unit

GRID = 12
BONE_HU = 160.0
SOLID_HU = -500.0
# One part in ten of the body's box: a couch is dented by who lies on it.
DENT = 0.1


@dataclass(frozen=True, eq=False)
class Views:
    """What is seen of a slice from afar.

    Attributes:
        cells: float32 `[4, GRID, GRID]`, 0 to 1: grey and bone on the lung crop, grey and bone on the body's box.
        log_aspect: logarithm of the body's width over its height, in mm.
        solid: what lies outside the body on the left, at the bottom, on the right and at the top, over the body's
            breadth there; in pixels of the view.
    """

    cells: np.ndarray
    log_aspect: float
    solid: tuple[float, float, float, float]

    def turned(self, turn: Turn) -> "Views":
        """The views of the slice turned."""
        solid = self.solid
        for _ in range(turn.quarters):
            solid = solid[3:] + solid[:3]
        if turn.mirrored:
            solid = (solid[2], solid[1], solid[0], solid[3])
        return Views(turn.apply(self.cells), -self.log_aspect if turn.swaps else self.log_aspect, solid)

    @property
    def couch_below(self) -> float:
        """Log-ratio of what lies below the body to what lies above it."""
        return float(np.log((self.solid[1] + 0.3) / (self.solid[3] + 0.3)))


def find_views(hu: np.ndarray, aspect: float, anatomy: Anatomy) -> Views:
    """The views of a slice, HU `[rows, columns]` as stored, turned as its anatomy's lung crop is."""
    turn = anatomy.box.turn
    step = max(1, round(max(hu.shape) / 192))
    hu, body = (np.ascontiguousarray(turn.apply(image[::step, ::step])) for image in (hu, anatomy.body))
    rows, columns = np.flatnonzero(body.any(axis=1)), np.flatnonzero(body.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    height, width = bottom - top, right - left
    solid = (hu > SOLID_HU) & ~body
    beside = (
        solid[:, : left + int(DENT * width)].sum() / height,
        solid[bottom - int(DENT * height) :].sum() / width,
        solid[:, right - int(DENT * width) :].sum() / height,
        solid[: top + int(DENT * height)].sum() / width,
    )
    within = np.where(body, hu, np.float32(AIR_HU))[top:bottom, left:right]
    bone = (BONE_HU - DATASET.lower) / DATASET.width
    pictures = (anatomy.crop, anatomy.crop > bone, to_unit(within), within > BONE_HU)
    return Views(
        np.stack([_shrunk(picture) for picture in pictures]),
        float(np.log(width / (height * (1 / aspect if turn.swaps else aspect)))),
        (float(beside[0]), float(beside[1]), float(beside[2]), float(beside[3])),
    )


def _shrunk(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)
