"""Checks of an explanation against the model itself: hide what the map marks, and see what the model then says."""

from dataclasses import dataclass

import numpy as np

from lungcnn.explaining.cam import grad_cam, hires_cam
from lungcnn.explaining.methods import Method
from lungcnn.explaining.sentences import MAP_BETTER, MAP_HIDDEN, MAP_NO_BETTER
from lungcnn.model.classifier import Classification, Classifier
from lungcnn.preprocessing.anatomy import Anatomy

STEPS = 8
RANDOM_ORDERS = 4
HOT = 0.5
COPIES = 6
LARGEST_SHIFT, COPY_NOISE = 2, 0.006


@dataclass(frozen=True)
class Curves:
    """Probability of the explained class as cells are hidden (deletion) or uncovered (insertion).

    Attributes:
        share: of the cells hidden or uncovered at each point, 0 to 1.
        deletion, insertion: in the map's own order. random_deletion, random_insertion: mean over random orders.
    """

    share: tuple[float, ...]
    deletion: tuple[float, ...]
    insertion: tuple[float, ...]
    random_deletion: tuple[float, ...]
    random_insertion: tuple[float, ...]


@dataclass(frozen=True)
class Faithfulness:
    """What speaks for and against one explanation; see `check_explanation`.

    Attributes:
        deletion_auc, insertion_auc: areas under the curves, 0 to 1: small and large are good (Petsiuk 2018).
        random_deletion_auc, random_insertion_auc: means over random orders of the same cells.
        better_than_random: insertion minus deletion exceeds that of the random orders.
        probability, hidden_probability: of the class as it is, and with the map's hot region filled with lung tissue.
        completeness_residual: logit minus (sum of HiResCAM plus bias); None where the model has a way around its map.
        in_lungs, in_body, outside: share of the positive map in the lungs, in the rest of the body, outside the body.
        stability: mean rank correlation with the maps of slightly shifted, noisy copies; None for slow methods.
        agreement: rank correlation of Grad-CAM with the positive part of HiResCAM.
    """

    deletion_auc: float
    insertion_auc: float
    random_deletion_auc: float
    random_insertion_auc: float
    better_than_random: bool
    probability: float
    hidden_probability: float
    completeness_residual: float | None
    in_lungs: float
    in_body: float
    outside: float
    stability: float | None
    agreement: float | None
    curves: Curves

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        said = MAP_BETTER if self.better_than_random else MAP_NO_BETTER
        return said.format(lungs=f"{100 * self.in_lungs:.0f} %")

    def hidden_sentence(self, class_name: str) -> str:
        """What happens when what the map marks is hidden, in words."""
        shares = {"before": f"{self.probability:.2f}", "after": f"{self.hidden_probability:.2f}"}
        return MAP_HIDDEN.format(name=class_name, **shares)


def check_explanation(
    classifier: Classifier,
    anatomy: Anatomy,
    found: Classification,
    method: Method,
    cells: np.ndarray,
    label: int,
) -> Faithfulness | None:
    """Every check of one map.

    Args:
        found: the classification of `anatomy.crop` (a batch of one). cells: the map `[rows, columns]` of `method`.
        label: index of the explained class.

    Returns:
        None for a map without positive evidence: there is nothing to check.
    """
    if not (cells > 0).any():
        return None
    tested = deletion_insertion(classifier, anatomy.crop, anatomy.crop_lungs, cells, label)
    lungs, body, outside = shares(cells, anatomy)
    activations, gradients = found.activations[0], found.gradients[0, label]
    hires = hires_cam(activations, gradients)
    bias = classifier.engine.bias
    return Faithfulness(
        **tested.areas,
        probability=float(found.probabilities[0, label]),
        hidden_probability=tested.hidden_probability,
        completeness_residual=None if bias is None else float(found.logits[0, label] - hires.sum() - bias[label]),
        in_lungs=lungs,
        in_body=body,
        outside=outside,
        stability=_stability(classifier, anatomy.crop, method, cells, label) if method.of_map is not None else None,
        agreement=rank_correlation(grad_cam(activations, gradients), np.maximum(hires, 0)),
        curves=tested.curves,
    )


def shares(cells: np.ndarray, anatomy: Anatomy) -> tuple[float, float, float]:
    """Shares of a map's positive part in the lungs, in the rest of the body, and outside, on the slice's pixels.

    Args:
        cells: the map `[rows, columns]` over the lung crop. Without a positive cell all shares are 0.
    """
    where = anatomy.box.on_slice
    positive = np.maximum(anatomy.box.to_slice(cells)[where], 0)
    if not positive.any():  # a weak cell among strong negative ones is lost in between them
        positive = anatomy.box.to_slice(np.maximum(cells, 0))[where]
    total = float(positive.sum())
    if total <= 0:
        return 0.0, 0.0, 0.0
    in_lungs, in_body = anatomy.lungs[where], anatomy.body[where] | anatomy.lungs[where]
    lungs, body = (float(positive[mask].sum()) / total for mask in (in_lungs, in_body))
    return lungs, body - lungs, 1 - body


def hide(crop: np.ndarray, chosen: np.ndarray, fill: float) -> np.ndarray:
    """Crops with chosen cells filled: float32 `[..., size, size]`.

    Args:
        crop: float32 `[size, size]`. chosen: bool `[..., rows, columns]` over it, rows and columns divisors of size.
    """
    height, width = (full // part for full, part in zip(crop.shape, chosen.shape[-2:], strict=True))
    return np.where(chosen.repeat(height, -2).repeat(width, -1), np.float32(fill), crop)


@dataclass(frozen=True)
class Tested:
    """What `deletion_insertion` finds: the fields of `Faithfulness` on areas, curves, the probability when hidden."""

    areas: dict
    curves: Curves
    hidden_probability: float


def deletion_insertion(
    classifier: Classifier, crop: np.ndarray, crop_lungs: np.ndarray, cells: np.ndarray, label: int
) -> Tested:
    """Hide what a map marks, bit by bit and its hot region at once, and uncover it: one batch (Petsiuk 2018).

    Cells are filled with the median of the lungs, most marked first, in eight steps, and so are cells in random orders
    of the same granularity.

    Args:
        crop: float32 `[size, size]`. crop_lungs: bool of the same shape. cells: the map `[rows, columns]`.
    """
    fill = float(np.median(crop[crop_lungs]) if crop_lungs.any() else crop.min())
    blocks = _blocks(cells, crop.shape[0])
    rng = np.random.default_rng(0)  # the same slice gets the same verdict
    orders = [rng.permutation(blocks.size) for _ in range(1 + RANDOM_ORDERS)]
    # Many cells of a map are 0: among equals the order is random, or the top of the image would come first.
    orders[0] = orders[0][np.argsort(-blocks.ravel()[orders[0]], kind="stable")]
    rank = np.argsort(orders, axis=1)
    share = np.linspace(0, 1, STEPS + 1)
    marked = (rank[:, None, :] < blocks.size * share[None, 1:-1, None]).reshape(len(orders), -1, *blocks.shape)
    deleted, inserted = hide(crop, marked, fill), hide(crop, ~marked, fill)
    size = crop.shape[0]
    single = np.stack([crop, np.full_like(crop, fill), hide(crop, blocks >= HOT * blocks.max(), fill)])
    batch = np.concatenate([single, deleted.reshape(-1, size, size), inserted.reshape(-1, size, size)])
    p = classifier.probabilities(batch)[:, label].astype(float)
    inner = p[3:].reshape(2, len(orders), -1)
    curves = np.stack([_between(p[0], inner[0], p[1]), _between(p[1], inner[1], p[0])])
    areas = np.trapezoid(curves, dx=1 / STEPS, axis=-1)
    gain = areas[1] - areas[0]
    mean = curves[:, 1:].mean(axis=1)
    return Tested(
        areas={
            "deletion_auc": float(areas[0, 0]),
            "insertion_auc": float(areas[1, 0]),
            "random_deletion_auc": float(areas[0, 1:].mean()),
            "random_insertion_auc": float(areas[1, 1:].mean()),
            "better_than_random": bool(gain[0] > gain[1:].mean()),
        },
        curves=Curves(*(tuple(map(float, curve)) for curve in (share, curves[0, 0], curves[1, 0], *mean))),
        hidden_probability=float(p[2]),
    )


def _blocks(cells: np.ndarray, size: int, most: int = 16) -> np.ndarray:
    """The map in at most 16 x 16 cells that divide the crop evenly; finer ones (of pixels) are averaged."""
    import cv2

    rows, columns = cells.shape
    if max(rows, columns) <= most and not size % rows and not size % columns:
        return cells
    return cv2.resize(np.asarray(cells, np.float32), (most, most), interpolation=cv2.INTER_AREA)


def _between(first: float, inner: np.ndarray, last: float) -> np.ndarray:
    ends = np.ones((len(inner), 1))
    return np.hstack([ends * first, inner, ends * last])


def _stability(classifier, crop, method, cells, label) -> float | None:
    rng = np.random.default_rng(0)
    shifts = rng.integers(-LARGEST_SHIFT, LARGEST_SHIFT + 1, (COPIES, 2))
    copies = np.stack([np.roll(crop, tuple(shift), (0, 1)) for shift in shifts])
    copies += rng.normal(0, COPY_NOISE, copies.shape).astype(np.float32)
    found = classifier(np.clip(copies, 0, 1))
    maps = method.of_map(found)[:, label]
    correlations = [rank_correlation(cells, other) for other in maps]
    known = [value for value in correlations if value is not None]
    return float(np.mean(known)) if known else None


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    """Spearman's rank correlation of two maps of one shape; None where one of them is constant."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Mean ranks, as `scipy.stats.rankdata`, whose import takes half as long as a first answer."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place.ravel()]
