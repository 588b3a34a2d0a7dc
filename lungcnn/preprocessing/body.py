"""The body's mask: the largest piece of tissue, without couch, clothes and cables."""

import cv2
import numpy as np

from lungcnn.errors import RefusalError
from lungcnn.masks import disc, filled, largest_piece


class NoBodyError(RefusalError):
    """No body was found on the slice."""

    code = "no_body"


def body_mask(tissue: np.ndarray) -> np.ndarray:
    """The largest piece of tissue, its holes filled; the opening parts it from couch, clothes and cables."""
    # The opening acts on the filled outline: on bare tissue it would tear the thin chest wall.
    body = largest_piece(cv2.morphologyEx(filled(tissue), cv2.MORPH_OPEN, disc(9)))
    if body is None or body.mean() < 0.04:
        raise NoBodyError(
            "No body in cross-section was found on the image. Accepted are axial chest-CT slices under a lung window."
        )
    return filled(body)
