"""What a refused picture looks like, for the sentence that says so: a radiograph, an MRI, a photograph; else nothing.

A multinomial logistic model of the picture shrunk to `GRID` cells a side and of five numbers; `tools/fit_gate.py` fits
it. It decides nothing but words.
"""

import json
from functools import cache
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


def what_it_looks_like(levels: np.ndarray) -> str | None:
    """A sentence without its full stop on a picture `[rows, columns]` in any linear unit; None where it may be a CT."""
    numbers = {name: np.array(values) for name, values in _numbers().items()}
    scores = numbers["weights"] @ ((glance(levels) - numbers["means"]) / numbers["deviations"]) + numbers["constants"]
    odds = np.exp(scores - scores.max())
    best = int(odds.argmax())
    return SAYS[best] if best in SAYS and odds[best] / odds.sum() >= SURE[best] else None


def glance(levels: np.ndarray) -> np.ndarray:
    """What is seen at a glance, float `[GRID * GRID + 5]`; left and right are the same to it."""
    small = cv2.resize(np.asarray(levels, np.float32), (96, 96), interpolation=cv2.INTER_AREA)
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
        ]
    )


@cache
def _numbers() -> dict:
    return json.loads(NUMBERS.read_text(encoding="utf-8"))
