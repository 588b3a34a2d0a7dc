"""The body's mask: the largest piece of tissue, without couch, clothes and cables."""

import cv2
import numpy as np

from lungcnn.errors import RefusalError
from lungcnn.masks import disc, filled, hull, largest_piece
from lungcnn.windowing import AIR_HU, to_grey


class NoBodyError(RefusalError):
    """No body was found on the slice."""

    code = "no_body"


# What a picture's border cuts open counts as lung where it is brighter than air by this much, in grey levels.
LUNG_OVER_AIR = 8
LARGEST_OPENING = 0.3


def body_mask(tissue: np.ndarray, grey: np.ndarray | None = None) -> np.ndarray:
    """The largest piece of tissue, its holes filled; the opening parts it from couch, clothes and cables.

    Args:
        tissue: uint8 0 and 1 `[rows, columns]`.
        grey: uint8 `[rows, columns]`, grey levels under the dataset's window, by which lung that the border of the
            picture cuts open is told from the air outside; None for none.

    Raises `NoBodyError` where there is none.
    """
    if grey is not None:
        tissue = _closed_at_the_border(tissue, grey)
    # The opening acts on the filled outline: on bare tissue it would tear the thin chest wall.
    body = largest_piece(cv2.morphologyEx(filled(tissue), cv2.MORPH_OPEN, disc(9)))
    if body is None or body.mean() < 0.03:
        raise NoBodyError(
            "No body in cross-section was found on the image. Accepted are axial chest-CT slices under a lung window."
        )
    return filled(body)


def _closed_at_the_border(tissue: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """Tissue with the border drawn as tissue where it cuts through a lung, which then isn't taken for air outside."""
    edge = np.zeros(tissue.shape, bool)
    edge[[0, -1]], edge[:, [0, -1]] = True, True
    if tissue[edge].mean() < 0.01:
        return tissue
    _, labels, stats, _ = cv2.connectedComponentsWithStats(1 - tissue, connectivity=4)
    corners = labels[[0, 0, -1, -1], [0, -1, 0, -1]]
    large = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] > 0.01 * tissue.size)
    open_air = [label for label in np.unique(labels[edge]) if label in large and label and label not in corners]
    if not open_air:
        return tissue
    closed, around = tissue.copy(), hull(largest_piece(tissue))
    for label in open_air:
        air = labels == label
        opening = (air & edge).sum() / max(tissue.shape)
        lung = np.median(grey[air]) >= to_grey(np.float32(AIR_HU)) + LUNG_OVER_AIR
        if lung and opening <= LARGEST_OPENING and around[air].mean() > 0.9:
            closed[air & edge] = 1
    return closed
