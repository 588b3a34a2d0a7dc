"""The body's mask: the largest piece of tissue, without couch, clothes and cables."""

import cv2
import numpy as np

from lungcnn.errors import RefusalError
from lungcnn.masks import disc, filled, hull, joined_to_border, largest_piece, of_pieces, pieces
from lungcnn.windowing import AIR_HU, to_grey


class NoBodyError(RefusalError):
    """No body was found on the slice."""

    code = "no_body"


# Lung that the field of view cuts open is told from the air outside by being brighter, in grey levels, and by lying
# between the body's parts. The opening is limited, as a share of the picture's side.
LUNG_OVER_AIR = 8
LARGEST_OPENING = 0.45
_AIR = float(to_grey(np.float32(AIR_HU)))
# Brighter than this, what lies around the body is lung too: the picture shows the inside of a chest.
_BRIGHTEST_AIR = float(to_grey(np.float32(-850)))


def body_mask(tissue: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """The largest piece of tissue, its holes filled; the opening parts it from couch, clothes and cables.

    Args:
        tissue: uint8 0 and 1 `[rows, columns]`.
        grey: uint8 `[rows, columns]`, the grey levels under the dataset's window.

    Raises `NoBodyError` where there is none.
    """
    tissue = tissue | _opened_lung(tissue, grey)
    # The opening acts on the filled outline: on bare tissue it would tear the thin chest wall.
    body = largest_piece(cv2.morphologyEx(filled(tissue), cv2.MORPH_OPEN, disc(9)))
    if body is None or body.mean() < 0.03:
        raise NoBodyError(
            "No body in cross-section was found on the image. Accepted are axial chest-CT slices under a lung window."
        )
    return filled(body)


def _opened_lung(tissue: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """Lung that is joined to the air outside, because the picture's border or the scanner's field of view cuts it."""
    if not tissue.any():
        return tissue
    outside = joined_to_border(1 - tissue)
    air = max(_AIR, _median(grey, outside)) if outside.any() else _AIR
    air = air if air <= _BRIGHTEST_AIR else _AIR
    brighter = (grey >= air + LUNG_OVER_AIR).astype(np.uint8)
    dim = cv2.morphologyEx(cv2.bitwise_and(outside, brighter), cv2.MORPH_OPEN, disc(5))
    labels, areas = pieces(dim)
    found, around = np.zeros_like(tissue), None
    for label in np.flatnonzero(areas >= 0.01 * tissue.size):
        if around is None:
            # Without a couch's shell, but with what a cut through both lungs leaves in front and behind.
            bare = _large_pieces(cv2.morphologyEx(1 - outside, cv2.MORPH_OPEN, disc(5)))
            if not bare.any():
                break
            around = hull(bare)
        lung = (labels == label).astype(np.uint8)
        rim = cv2.copyMakeBorder(lung, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        rim = cv2.dilate(rim, np.ones((3, 3), np.uint8)) - rim
        solid = cv2.copyMakeBorder(tissue, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        opening = (rim & (1 - cv2.dilate(solid, np.ones((3, 3), np.uint8)))).sum()
        if around[lung > 0].mean() > 0.9 and opening <= LARGEST_OPENING * max(tissue.shape):
            found |= lung
    return found


def _median(grey: np.ndarray, mask: np.ndarray) -> float:
    """The median of grey levels, uint8 `[rows, columns]`, on a mask that isn't empty."""
    below = cv2.calcHist([grey], [0], mask, [256], [0, 256]).ravel().cumsum()
    half = below[-1] / 2
    return float(np.searchsorted(below, half, "left") + np.searchsorted(below, half, "right")) / 2


def _large_pieces(mask: np.ndarray) -> np.ndarray:
    """The largest piece of a mask and all that are a quarter as large or more."""
    labels, areas = pieces(mask)
    return of_pieces(labels, (areas > 0) & (areas >= 0.25 * areas.max()))
