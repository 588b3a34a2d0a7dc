"""Checks of an explanation against the model itself: hide what the map marks, and see what the model then says."""

from dataclasses import dataclass, replace

import numpy as np

from lungcnn.explaining.cam import grad_cam, hires_cam
from lungcnn.explaining.methods import Method
from lungcnn.explaining.sentences import MAP_BETTER, MAP_HIDDEN, MAP_NO_BETTER
from lungcnn.model.classifier import Classification, Classifier
from lungcnn.preprocessing.anatomy import Anatomy

STEPS = 8
RANDOM_ORDERS = 3
HOT = 0.5
COPIES = 6
LARGEST_SHIFT, COPY_NOISE = 2, 0.006


@dataclass(frozen=True)
class Curves:
    """Probability of the explained class as cells are hidden (deletion) or uncovered (insertion).

    Attributes:
        share: of the cells hidden or uncovered at each point, 0 to 1.
        deletion, insertion: in the map's own order. random_deletion: mean over random orders; random_insertion: over
            their reverses, which is its mirror image.
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
        random_deletion_auc, random_insertion_auc: means over random orders of the same cells; they are equal.
        better_than_random: insertion exceeds deletion, as no random order does in the mean.
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
    probability = float(found.probabilities[0, label])
    tested = deletion_insertion(classifier, anatomy.crop, anatomy.crop_lungs, cells, label, probability)
    lungs, body, outside = shares(cells, anatomy)
    activations, gradients = found.activations[0], found.gradients[0, label]
    hires = hires_cam(activations, gradients)
    bias = classifier.engine.bias
    return Faithfulness(
        **tested.areas,
        probability=probability,
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
    classifier: Classifier, crop: np.ndarray, crop_lungs: np.ndarray, cells: np.ndarray, label: int, probability: float
) -> Tested:
    """Hide what a map marks, bit by bit and its hot region at once, and uncover it: one batch (Petsiuk 2018).

    Cells are filled with the median of the lungs, most marked first, in eight steps, and so are cells in random orders
    of the same granularity. Those are only hidden: a picture on the way is one of uncovering in the reverse order, too,
    so over all orders insertion and deletion have the same area.

    Args:
        crop: float32 `[size, size]`. crop_lungs: bool of the same shape. cells: the map `[rows, columns]`.
        probability: of the class, of the crop as it is.
    """
    fill = float(np.median(crop[crop_lungs]) if crop_lungs.any() else crop.min())
    blocks = _blocks(cells, crop.shape[0])
    rng = np.random.default_rng(0)  # the same slice gets the same verdict
    orders = _orders(blocks.ravel(), rng)
    share = np.linspace(0, 1, STEPS + 1)
    hidden = np.argsort(orders, axis=1)[:, None] < blocks.size * share[None, 1:-1, None]
    hidden = hidden.reshape(-1, *blocks.shape)
    hot = blocks >= HOT * blocks.max()
    masks = np.concatenate([np.ones_like(hot)[None], hot[None], hidden, ~hidden[: STEPS - 1]])
    p = classifier.probabilities(hide(crop, masks, fill))[:, label].astype(float)
    filled, inner = p[0], p[2:].reshape(-1, STEPS - 1)
    deletions = _between(probability, inner[:-1], filled)
    random = deletions[1:].mean(axis=0)
    curves = np.stack([deletions[0], *_between(filled, inner[-1:], probability), random, random[::-1]])
    areas = [float(area) for area in np.trapezoid(curves, dx=1 / STEPS, axis=-1)]
    names = ("deletion_auc", "insertion_auc", "random_deletion_auc", "random_insertion_auc")
    return Tested(
        areas=dict(zip(names, areas, strict=True)) | {"better_than_random": areas[1] > areas[0]},
        curves=Curves(*(tuple(map(float, curve)) for curve in (share, *curves))),
        hidden_probability=float(p[1]),
    )


def _orders(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Indices of values in descending order, and in random ones: int `[1 + RANDOM_ORDERS, len(values)]`.

    The random ones are one that begins at several places: together they take all cells equally early.
    """
    equals, random = rng.permutation(len(values)), rng.permutation(len(values))
    # Many cells of a map are 0: among equals the order is random, or the top of the image would come first.
    own = equals[np.argsort(-values[equals], kind="stable")]
    starts = len(values) * np.arange(RANDOM_ORDERS) // RANDOM_ORDERS
    return np.stack([own, *(np.roll(random, -start) for start in starts)])


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
    alone = replace(found, logits=found.logits[:, [label]], gradients=found.gradients[:, label : label + 1])
    correlations = [rank_correlation(cells, other) for other in method.of_map(alone)[:, 0]]
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
