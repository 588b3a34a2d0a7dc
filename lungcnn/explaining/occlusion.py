"""Occlusion (Zeiler and Fergus 2014): hide a place, and see what the model then says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lungcnn.explaining.explainer import Explainer

OCCLUSION_CELLS = 2
# Finer maps would take thousands of passes and show no more.
MOST_CELLS = 16


def occlusion(explainer: Explainer, crop: np.ndarray) -> np.ndarray:
    """How much each logit falls when a square two cells wide is filled with the crop's median grey; signed.

    Args:
        crop: float32 `[rows, columns]`.

    Returns:
        float32 `[classes, cells, cells]`, as many cells as the explained map has, 16 by 16 at most.
    """
    rows, columns = (min(cells, MOST_CELLS) for cells in explainer.classifier.engine.cells)
    height, width = crop.shape
    fill = np.float32(np.median(crop))
    batch = np.repeat(crop[None], rows * columns + 1, axis=0)
    for index in range(rows * columns):
        middle = (index // columns + 0.5) * height / rows, (index % columns + 0.5) * width / columns
        half = OCCLUSION_CELLS * height / rows / 2, OCCLUSION_CELLS * width / columns / 2
        top, left = (max(0, round(m - h)) for m, h in zip(middle, half, strict=True))
        batch[index, top : round(middle[0] + half[0]), left : round(middle[1] + half[1])] = fill
    logits = explainer.classifier.logits(batch)
    return (logits[-1] - logits[:-1]).T.reshape(-1, rows, columns)
