"""What a refused picture looks like, for the sentence that says so: a radiograph, an MRI, a photograph; else nothing.

A multinomial logistic model of the picture shrunk to `GRID` cells a side, of a few numbers, and of how bright the thing
that it shows is from its rim to its middle: a head has a bright scalp, a dark skull and grey within.
`tools/fit_lookalikes.py` fits it. It decides nothing but words.
"""

import json
from functools import cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

NUMBERS = Path(__file__).with_name("lookalikes.json")
GRID = 12
CT, RADIOGRAPH, MRI, PHOTOGRAPH = range(4)
SAYS = {
    RADIOGRAPH: "This looks like a chest radiograph, not a CT slice",
    MRI: "This looks like an MRI, not a CT slice",
    PHOTOGRAPH: "This looks like a photograph, a drawing or a page, not a CT slice",
}
# Probability from which on it is said: pictures that are cut are taken for photographs easily.
SURE = {RADIOGRAPH: 0.65, MRI: 0.65, PHOTOGRAPH: 0.9}
# Bounds of the depths below the outline at which brightness is looked at, as shares of the largest.
DEPTHS = (0.0, 0.06, 0.12, 0.2, 0.3, 0.45, 0.65, 1.0)
SIDE = 128  # pixels of the picture that the outline is found on


def what_it_looks_like(levels: np.ndarray) -> str | None:
    """A sentence without its full stop on a picture `[rows, columns]` in any linear unit; None where it may be a CT."""
    numbers = {name: np.array(values) for name, values in _numbers().items()}
    scores = numbers["weights"] @ ((glance(levels) - numbers["means"]) / numbers["deviations"]) + numbers["constants"]
    odds = np.exp(scores - scores.max())
    best = int(odds.argmax())
    return SAYS[best] if best in SAYS and odds[best] / odds.sum() >= SURE[best] else None


def glance(levels: np.ndarray) -> np.ndarray:
    """What is seen at a glance, float `[n]`; left and right are the same to it."""
    given = np.asarray(levels, np.float32)
    small = cv2.resize(given, (96, 96), interpolation=cv2.INTER_AREA)
    # Ranks instead of levels: films are shown under any gamma, and black on white or white on black.
    ranks = small.ravel().argsort(kind="stable").argsort().reshape(small.shape).astype(np.float32) / small.size
    levels = np.clip((small - small.min()) / max(float(np.ptp(small)), 1e-6), 0, 1)
    middle, beside = ranks[24:80, 42:54].mean(), (ranks[24:80, 16:34].mean() + ranks[24:80, 62:80].mean()) / 2
    dark = (levels < 0.08).mean()
    if middle < beside:
        ranks = 1 - ranks
    small = ranks
    cells = cv2.resize(small, (GRID, GRID), interpolation=cv2.INTER_AREA)
    cells = (cells + cells[:, ::-1]) / 2
    border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    mirrored = np.corrcoef(small.ravel(), small[:, ::-1].ravel())[0, 1] if small.std() > 1e-6 else 1.0
    edges = np.abs(cv2.Laplacian(small, cv2.CV_32F))
    return np.array(
        [
            *cells.ravel(),
            dark,
            border.std(),
            edges.mean() * 5,
            np.percentile(edges, 50) * 5,
            mirrored,
            *_rim_to_middle(given),
        ]
    )


def _rim_to_middle(levels: np.ndarray) -> np.ndarray:
    """Of the largest thing brighter than its surroundings: grey by depth, spread of greys, shape; float `[n]`."""
    small = cv2.resize(levels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    grey = (small - small.min()) / max(float(np.ptp(small)), 1e-6)
    eight_bits = (grey * 255).astype(np.uint8)
    threshold, _ = cv2.threshold(eight_bits, 0, 255, cv2.THRESH_OTSU)
    count, parts, facts, _ = cv2.connectedComponentsWithStats((eight_bits > max(12, 0.35 * threshold)).astype(np.uint8))
    if count < 2:
        return np.zeros(len(DEPTHS) + 14)
    largest = (parts == 1 + facts[1:, cv2.CC_STAT_AREA].argmax()).astype(np.uint8)
    outlines, _ = cv2.findContours(largest, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(largest), outlines, -1, 1, -1)
    hull = cv2.convexHull(max(outlines, key=cv2.contourArea))
    _, _, width, height = cv2.boundingRect(hull)
    depth = cv2.distanceTransform(np.pad(filled, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    inside, outside = grey[filled > 0], grey[filled == 0]
    share = depth[filled > 0] / depth.max()
    bright = max(float(np.percentile(inside, 95)), 1e-3)
    rings = [inside[(share > low) & (share <= high)] for low, high in pairwise(DEPTHS)]
    return np.array(
        [
            *(ring.mean() / bright if ring.size else 0.0 for ring in rings),
            *np.percentile(inside, [5, 25, 50, 75, 90]) / bright,
            inside.std(),
            (inside < 0.1).mean(),
            (inside > 0.97).mean(),
            (grey > 0.97).mean(),
            outside.mean() if outside.size else 1.0,
            outside.std() if outside.size else 0.0,
            filled.mean(),
            filled.sum() / max(cv2.contourArea(hull), 1.0),
            width / height,
            depth.max() / max(width, height),
        ]
    )


@cache
def _numbers() -> dict:
    return json.loads(NUMBERS.read_text(encoding="utf-8"))
