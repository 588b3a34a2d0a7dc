"""Figures by slice and by case, each with an interval from resampling cases."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lungcnn.classes import CLASSES, Classes
from lungcnn.model.calibration import calibrate, fit_calibration, set_membership

RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Predictions:
    """Calibrated predictions of `n` slices or cases, with the limits that applied to each.

    Attributes:
        p: probabilities float `[n, classes]`. labels: int `[n]`. cases: str `[n]`.
        threshold: float `[n]`, the suspicious class's probability from which each counts as called so; NaN: unset.
        limits: float `[n, classes]`, its conformal thresholds; NaN: unset.
    """

    p: np.ndarray
    labels: np.ndarray
    cases: np.ndarray
    threshold: np.ndarray
    limits: np.ndarray
    classes: Classes = CLASSES

    def take(self, index) -> "Predictions":
        """The rows at `index`."""
        rows = {name: getattr(self, name)[index] for name in ("p", "labels", "cases", "threshold", "limits")}
        return replace(self, **rows)

    def by_case(self) -> "Predictions":
        """The mean of each case's slices; a group under two labels counts as two cases."""
        keys = np.array([f"{case}/{label}" for case, label in zip(self.cases, self.labels, strict=True)])
        groups = [np.flatnonzero(keys == key) for key in np.unique(keys)]
        return Predictions(
            p=np.stack([self.p[rows].mean(axis=0) for rows in groups]),
            labels=np.array([self.labels[rows[0]] for rows in groups]),
            cases=np.array([keys[rows[0]] for rows in groups]),
            threshold=np.array([self.threshold[rows].mean() for rows in groups]),
            limits=np.stack([self.limits[rows].mean(axis=0) for rows in groups]),
            classes=self.classes,
        )


def cross_calibrated(
    logits: np.ndarray,
    labels: np.ndarray,
    cases: np.ndarray,
    folds: np.ndarray,
    classes: Classes = CLASSES,
    weights: np.ndarray | None = None,
    seen: np.ndarray | None = None,
    shown: np.ndarray | None = None,
) -> Predictions:
    """Predictions out of fold, each fold calibrated on the others: neither weights nor calibration saw its slices.

    Args:
        logits: float `[n, classes]`, out of fold. labels, folds: int `[n]`. cases: str `[n]`.
        weights, seen, shown: as `fit_calibration`.
    """
    weights = np.ones(len(labels)) if weights is None else weights
    seen = np.ones(len(labels), bool) if seen is None else seen
    shown = labels if shown is None else shown
    p = np.zeros_like(logits, dtype=float)
    threshold, limits = np.zeros(len(labels)), np.zeros(logits.shape)
    for fold in np.unique(folds):
        inside = folds == fold
        others = ~inside
        known = logits[others], labels[others], cases[others]
        fitted = fit_calibration(*known, classes, weights[others], seen[others], shown[others])
        p[inside] = calibrate(logits[inside], fitted)
        unset = np.nan if fitted.malignant_threshold is None else fitted.malignant_threshold
        threshold[inside], limits[inside] = unset, fitted.set_thresholds
    return Predictions(p, labels, cases, threshold, limits, classes)


def measure(predictions: Predictions) -> dict[str, float]:
    """The figures of one set of predictions in which every class occurs, by the names of `evaluation.json`.

    Sensitivity and specificity of the suspicious class are those at the operating point, those of the others are by
    the most probable class. Figures that need an operating point or prediction sets are absent where there are none.
    """
    from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

    p, labels, classes = predictions.p, predictions.labels, predictions.classes
    called = p.argmax(axis=1)
    figures = {
        "accuracy": (called == labels).mean(),
        "balanced_accuracy": balanced_accuracy_score(labels, called),
        **{f"auc_{name}": roc_auc_score(labels == i, p[:, i]) for i, name in enumerate(classes)},
        **{
            f"average_precision_{name}": average_precision_score(labels == i, p[:, i]) for i, name in enumerate(classes)
        },
        "ece": expected_calibration_error(p, labels),
        "brier": ((p - np.eye(len(classes))[labels]) ** 2).sum(axis=1).mean(),
    }
    calls = {name: called == i for i, name in enumerate(classes) if i != classes.suspect}
    if classes.suspicious and not np.isnan(predictions.threshold).any():
        calls[classes.suspicious] = p[:, classes.suspect] >= predictions.threshold
    for name, positive in calls.items():
        true = labels == classes.index(name)
        figures[f"sensitivity_{name}"] = positive[true].mean()
        figures[f"specificity_{name}"] = (~positive[~true]).mean()
    if not np.isnan(predictions.limits).any():
        inside = set_membership(p, predictions.limits)
        figures["coverage"] = inside[np.arange(len(p)), labels].mean()
        figures["set_size"] = inside.sum(axis=1).mean()
    return {name: float(value) for name, value in figures.items()}


def auc_against_normal(predictions: Predictions) -> dict[str, float]:
    """ROC AUC of malignant against normal slices alone: `{"auc_malignant"}`."""
    from sklearn.metrics import roc_auc_score

    malignant = predictions.classes.index("malignant")
    return {"auc_malignant": float(roc_auc_score(predictions.labels == malignant, predictions.p[:, malignant]))}


def expected_calibration_error(p: np.ndarray, labels: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error of the top class (Guo 2017) in bins of equal width."""
    found = _by_confidence(p, labels, bins)
    return float(sum(abs(right - confidence) * count for _, count, confidence, right in found) / len(labels))


def reliability(runs: Sequence[Predictions], bins: int = 10) -> list[dict[str, float]]:
    """How often the most probable class is right, by its probability: what `expected_calibration_error` sums up.

    Returns:
        For each bin that holds slices `{"from", "to", "slices", "confidence", "right"}`: its bounds, the slices in it
        (mean over runs), their mean probability and the share called rightly.
    """
    p, labels = np.concatenate([run.p for run in runs]), np.concatenate([run.labels for run in runs])
    return [
        {
            "from": round(number / bins, 4),
            "to": round((number + 1) / bins, 4),
            "slices": round(count / len(runs)),
            "confidence": round(confidence, 4),
            "right": round(right, 4),
        }
        for number, count, confidence, right in _by_confidence(p, labels, bins)
    ]


def _by_confidence(p: np.ndarray, labels: np.ndarray, bins: int) -> list[tuple[int, int, float, float]]:
    """Of each bin of the top class's probability that holds any: number, count, mean probability, share right."""
    top = p.max(axis=1)
    right = p.argmax(axis=1) == labels
    which = np.minimum((top * bins).astype(int), bins - 1)
    masks = ((number, which == number) for number in np.unique(which).tolist())
    return [(number, int(mask.sum()), float(top[mask].mean()), float(right[mask].mean())) for number, mask in masks]


def roc_curves(runs: Sequence[Predictions], points: int = 41) -> dict[str, dict[str, list[float]]]:
    """ROC curves by class, one versus rest, mean over runs: `{"fpr", "tpr"}` at evenly spaced false positive rates."""
    from sklearn.metrics import roc_curve

    grid = np.linspace(0, 1, points)
    curves = {}
    for index, name in enumerate(runs[0].classes):
        found = [roc_curve(run.labels == index, run.p[:, index])[:2] for run in runs]
        mean = np.mean([np.interp(grid, fpr, tpr) for fpr, tpr in found], axis=0)
        curves[name] = {"fpr": grid.round(4).tolist(), "tpr": mean.round(4).tolist()}
    return curves


def with_intervals(
    runs: Sequence[Predictions], statistic: Callable[[Predictions], dict[str, float]] = measure, resamples=RESAMPLES
) -> dict[str, dict[str, float]]:
    """Figures as `{"value", "low", "high"}`: 95 % percentile bootstrap over cases within classes.

    The only case of a class is in every resample; where each class has but one, the intervals are points.

    Args:
        runs: predictions of the same slices by networks from different seeds; figures are means over them.
        statistic: gives the figures of one set of predictions.
    """
    from scipy.stats import bootstrap

    first = runs[0]
    names = np.unique(first.cases)
    rows = [np.flatnonzero(first.cases == name) for name in names]
    label_of = np.array([np.bincount(first.labels[index]).argmax() for index in rows])
    groups = [np.flatnonzero(label_of == label) for label in np.unique(label_of)]
    strata, alone = [group for group in groups if len(group) > 1], [group for group in groups if len(group) == 1]

    def mean(index) -> dict[str, float]:
        found = [statistic(run.take(index)) for run in runs]
        return {name: float(np.mean([figures[name] for figures in found])) for name in found[0]}

    def resampled(*drawn, axis=-1):
        # scipy hands over one draw of each stratum, or a batch of them with the resamples first.
        batches = [np.atleast_2d(np.moveaxis(part, axis, -1)).astype(int) for part in drawn]
        draws = zip(*batches, strict=True)
        picks = [np.concatenate([*draw, *alone]) for draw in draws]
        results = [list(mean(np.concatenate([rows[case] for case in pick])).values()) for pick in picks]
        return np.squeeze(np.array(results).T)

    values = mean(np.arange(len(first.labels)))
    lows = highs = np.array(list(values.values()))
    if strata:
        rng = np.random.default_rng(0)
        interval = bootstrap(
            strata, resampled, n_resamples=resamples, method="percentile", vectorized=True, rng=rng
        ).confidence_interval
        lows, highs = np.atleast_1d(interval.low), np.atleast_1d(interval.high)
    return {
        name: {"value": round(value, 4), "low": round(float(low), 4), "high": round(float(high), 4)}
        for (name, value), low, high in zip(values.items(), lows, highs, strict=True)
    }


def confusion(runs: Sequence[Predictions]) -> list[list[int]]:
    """Confusion matrix, rows true and columns predicted in the order of the classes: of the first run."""
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(runs[0].labels, runs[0].p.argmax(axis=1), labels=range(len(runs[0].classes))).tolist()


def summarise(
    runs: Sequence[Predictions],
    sure_lesions: dict[str, np.ndarray] | None = None,
    resamples: int = RESAMPLES,
    shown: np.ndarray | None = None,
) -> dict:
    """Figures by slice and by case with their confusion matrices: one entry of `evaluation.json`.

    Args:
        runs: as `with_intervals`.
        sure_lesions: by name, malignant slices on which a lesion is surely seen, bool `[n]`. Under each name that has
            such slices stands their AUC against all normal ones.
        shown: int `[n]`, as `CropSet.shown`; None: the labels. Where they differ, "shown" has the figures by slice
            against these, with the number of such slices as "nothing". Reliability is by what is shown.
    """
    by_sight = runs if shown is None else [replace(run, labels=shown) for run in runs]
    by_case = [run.by_case() for run in runs]
    summary: dict[str, Any] = {
        "slice": with_intervals(runs, resamples=resamples),
        "case": with_intervals(by_case, resamples=resamples),
        "confusion_slice": confusion(runs),
        "confusion_case": confusion(by_case),
        "reliability": reliability(by_sight),
        "roc": roc_curves(runs),
        "classes": runs[0].classes,
        "suspicious": runs[0].classes.suspicious,
        "slices": len(runs[0].labels),
        "cases": len(by_case[0].labels),
    }
    if nothing := int((by_sight[0].labels != runs[0].labels).sum()):
        summary["shown"] = {**with_intervals(by_sight, resamples=resamples), "nothing": nothing}
    for name, sure in (sure_lesions or {}).items():
        if sure.any() and runs[0].classes.lesions:
            normal, _ = runs[0].classes.lesions
            chosen = [run.take(sure | (run.labels == normal)) for run in runs]
            summary[name] = {**with_intervals(chosen, auc_against_normal, resamples), "slices": int(sure.sum())}
    return summary
