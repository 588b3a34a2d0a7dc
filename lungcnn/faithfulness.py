"""Checks of an explanation against the model itself: hide what the map marks, and see what the model then says."""

import numpy as np

from lungcnn.classifier import Classifier

STEPS = 8
RANDOM_ORDERS = 4


def lung_fraction(heatmap: np.ndarray, lungs: np.ndarray) -> float | None:
    """Share of the positive map `[rows, columns]` inside the lung mask of the same shape; None for an empty map."""
    positive = np.maximum(heatmap, 0)
    total = float(positive.sum())
    return float(positive[lungs].sum()) / total if total > 0 else None


def deletion_insertion(
    classifier: Classifier, crop: np.ndarray, crop_lungs: np.ndarray, cells: np.ndarray, label: int
) -> dict | None:
    """Deletion and insertion areas (Petsiuk 2018) of a map, against random orders of the same granularity.

    Cells are hidden by, or uncovered from, lung tissue: most marked first, in eight steps. A faithful map takes
    the class's probability down fast (small deletion area) and brings it up fast (large insertion area).

    Args:
        crop: float32 `[size, size]`. crop_lungs: bool of the same shape. cells: the map `[rows, columns]`.
        label: the class explained.

    Returns:
        `deletion_auc`, `insertion_auc` (0 to 1), `better_than_random` (insertion minus deletion exceeds the mean of
        the random orders'), or None for an empty map.
    """
    if not (cells > 0).any():
        return None
    rng = np.random.default_rng(0)  # the same slice gets the same verdict
    count = cells.size
    orders = [np.argsort(-cells, axis=None, kind="stable")]
    orders += [rng.permutation(count) for _ in range(RANDOM_ORDERS)]
    rank = np.empty((len(orders), count))
    for row, order in enumerate(orders):
        rank[row, order] = np.arange(count)
    steps = count * np.linspace(0, 1, STEPS + 1)[1:-1]
    marked = rank[:, None, :] < steps[None, :, None]
    scale = crop.shape[0] // cells.shape[0]
    hidden = marked.reshape(len(orders), len(steps), *cells.shape).repeat(scale, 2).repeat(scale, 3)
    fill = np.float32(np.median(crop[crop_lungs]) if crop_lungs.any() else crop.min())
    deleted, inserted = np.where(hidden, fill, crop), np.where(hidden, crop, fill)
    ends = np.stack([crop, np.full_like(crop, fill)])
    size = crop.shape[0]
    batch = np.concatenate([ends, deleted.reshape(-1, size, size), inserted.reshape(-1, size, size)])
    p = classifier(batch).probabilities[:, label].astype(float)
    whole, nothing, curves = p[0], p[1], p[2:].reshape(2, len(orders), len(steps))
    deletion = _area(whole, curves[0], nothing)
    insertion = _area(nothing, curves[1], whole)
    gain = insertion - deletion
    return {
        "deletion_auc": float(deletion[0]),
        "insertion_auc": float(insertion[0]),
        "better_than_random": bool(gain[0] > gain[1:].mean()),
    }


def _area(first: float, curves: np.ndarray, last: float) -> np.ndarray:
    """Area under each curve `[orders, steps]` between its common ends, over a width of 1."""
    ends = np.ones((len(curves), 1))
    return np.trapezoid(np.hstack([ends * first, curves, ends * last]), dx=1 / STEPS, axis=1)
