"""Lettering burned into a picture: white islands of a letter's size."""

import cv2
import numpy as np

from lungcnn.preprocessing.anatomy import Anatomy

# HU above soft tissue, so that small letters with soft edges are seen, too.
WHITE = 180


def count_letters(hu: np.ndarray, anatomy: Anatomy) -> tuple[int, int, int]:
    """White islands of lettering's size in the lungs, those in one line anywhere in the body, and those around it."""
    box = anatomy.box
    where = np.s_[max(0, box.top) : box.top + box.height, max(0, box.left) : box.left + box.width]
    inside = cv2.erode(anatomy.lungs[where].astype(np.uint8), np.ones((9, 9), np.uint8))
    # Beside the body half the resolution will do: it is only warned of.
    half = np.s_[::2, ::2]
    outside = 1 - cv2.dilate(anatomy.body[half].astype(np.uint8), np.ones((3, 3), np.uint8))
    return (
        len(_islands((hu[where] > 200) & inside.astype(bool), 1)),
        _in_line(_islands((hu > WHITE) & anatomy.body, 1)),
        len(_islands((hu[half] > 200) & outside.astype(bool), 2)),
    )


def _islands(white: np.ndarray, step: int) -> np.ndarray:
    """`[n, 5]`: left, top, width, height and area of each white island as large as a letter."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(white.astype(np.uint8), connectivity=8)
    width, height, area = (stats[1:, i] for i in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
    letters = (area >= 12 // step) & (height >= 4) & (height <= 48 // step) & (width <= 48 // step)
    return stats[1:][letters]


def _in_line(islands: np.ndarray) -> int:
    """The most islands that share a base line and a height and follow each other; five at most on chest slices."""
    # Noise has thousands of islands, of which a few hundred tell as much.
    left, top, width, height, area = islands[:512].T
    letters = (width <= 1.6 * height) & (area < 0.9 * width * height)
    left, base, height = left[letters], (top + height)[letters], height[letters]
    if not left.size:
        return 0
    near = np.abs(left[:, None] - left) < 12 * height[:, None]
    alike = (base[:, None] == base) & (height[:, None] == height)
    return int((near & alike).sum(axis=1).max())
