"""The lungs' mask: air inside the body, closed over vessels and what lies enclosed."""

import cv2
import numpy as np

from lungcnn.errors import RefusalError
from lungcnn.masks import at_the_border, disc, of_pieces, pieces
from lungcnn.windowing import WINDOWS

_LUNG = WINDOWS["lung"]
# Shares of the body's area: of a piece of air that can be a lung, and of all of them.
LEAST_PIECE, LEAST_LUNG = 0.012, 0.03


class NoLungsError(RefusalError):
    """No lungs, or too little of them, were found inside the body."""

    code = "no_lungs"


def lung_mask(tissue: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Air inside the body in pieces large enough for a lung, closed over vessels and what lies enclosed."""
    # A margin of skin is taken off: folds of air at the surface are not lung.
    inner = cv2.erode(body, disc(5), borderType=cv2.BORDER_CONSTANT, borderValue=1)
    air = cv2.morphologyEx(inner & (1 - tissue), cv2.MORPH_OPEN, disc(3))
    labels, areas = pieces(air)
    large = (areas > 0) & (areas >= LEAST_PIECE * body.sum())
    if areas[large].sum() < max(1, LEAST_LUNG * body.sum()):
        raise NoLungsError(
            "There is little aerated lung on this slice, or none: too little to be judged. Accepted are axial slices "
            "of the chest between apices and bases, under a window that shows "
            f"lung tissue (centre near {_LUNG.centre:g}, width near {_LUNG.width:g} HU)."
        )
    lungs = cv2.copyMakeBorder(of_pieces(labels, large), 16, 16, 16, 16, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(lungs, cv2.MORPH_CLOSE, disc(11))[16:-16, 16:-16]
    return _fill_small_holes(closed, largest=int(0.04 * body.sum())) & body


def _fill_small_holes(mask: np.ndarray, largest: int) -> np.ndarray:
    """Fill holes of up to `largest` pixels: vessels and masses, not a heart that the lungs meet around."""
    labels, areas = pieces(1 - mask)
    small = (areas > 0) & (areas <= largest) & ~at_the_border(labels, len(areas))
    return mask | of_pieces(labels, small)
