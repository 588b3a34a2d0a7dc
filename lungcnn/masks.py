"""Binary masks, uint8 0 and 1 `[rows, columns]`: what several steps do with them."""

import cv2
import numpy as np


def disc(diameter: int) -> np.ndarray:
    """A round structuring element."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))


def largest_piece(mask: np.ndarray) -> np.ndarray | None:
    """The largest 4-connected piece of a mask, or None where it is empty."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    if count < 2:
        return None
    return (labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])).astype(np.uint8)


def joined_to_border(mask: np.ndarray) -> np.ndarray:
    """The part of a mask that is joined to the border of the image."""
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    cv2.floodFill(padded, None, (0, 0), 2)
    return (padded[1:-1, 1:-1] == 2).astype(np.uint8)


def filled(mask: np.ndarray) -> np.ndarray:
    """A mask with its holes filled."""
    return 1 - joined_to_border(1 - mask)


def hull(mask: np.ndarray) -> np.ndarray:
    """The convex hull of a mask that isn't empty."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    covered = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(covered, cv2.convexHull(np.concatenate(outlines)), 1)
    return covered
