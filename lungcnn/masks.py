"""Binary masks, uint8 0 and 1 `[rows, columns]`: what several steps do with them."""

import cv2
import numpy as np


def disc(diameter: int) -> np.ndarray:
    """A round structuring element."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))


def pieces(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 4-connected pieces of a mask of less than 2^17 pixels, numbered from 1.

    Returns:
        The number of each pixel's piece, uint16 `[rows, columns]`, 0 for what is none; and the area of each piece by
        its number, int `[pieces + 1]`, 0 for the first.
    """
    # `connectedComponentsWithStats` takes three times as long, for centres and boxes that nobody asks for.
    count, labels = cv2.connectedComponents(mask, connectivity=4, ltype=cv2.CV_16U)
    areas = cv2.calcHist([labels], [0], None, [count], [0, count]).ravel().astype(int)
    areas[0] = 0
    return labels, areas


def of_pieces(labels: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The mask of the pieces that are chosen: bool `[pieces + 1]` by their numbers in `labels`."""
    return chosen.astype(np.uint8).take(labels)


def at_the_border(labels: np.ndarray, count: int) -> np.ndarray:
    """Which pieces reach the border of the picture, bool `[count]` by their numbers in `labels`; not the first."""
    found = np.zeros(count, bool)
    for line in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        found[line] = True
    found[0] = False
    return found


def of_columns(mask: np.ndarray) -> np.ndarray:
    """How many pixels of a mask lie in each column: int32 `[columns]`."""
    return cv2.reduce(np.ascontiguousarray(mask).view(np.uint8), 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel()


def largest_piece(mask: np.ndarray) -> np.ndarray | None:
    """The largest 4-connected piece of a mask, or None where it is empty."""
    labels, areas = pieces(mask)
    return (labels == areas.argmax()).view(np.uint8) if areas.any() else None


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
