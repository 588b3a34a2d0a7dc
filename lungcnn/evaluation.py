"""Figures by slice and by case, each with an interval from resampling cases."""

from dataclasses import dataclass

import numpy as np

from lungcnn.calibration import fit_calibration, set_membership
from lungcnn.classifier import calibrate
from lungcnn.network import CLASSES

RESAMPLES = 1000
MALIGNANT = CLASSES.index("malignant")


@dataclass(frozen=True, eq=False)
class Predictions:
    """Calibrated predictions of `n` slices or cases, with the limits that applied to each.

    Attributes:
        p: probabilities float `[n, 3]`. labels: int `[n]`. cases: str `[n]`.
        threshold: float `[n]`, the malignant probability from which each counts as called malignant.
        limits: float `[n, 3]`, its conformal thresholds.
    """

    p: np.ndarray
    labels: np.ndarray
    cases: np.ndarray
    threshold: np.ndarray
    limits: np.ndarray

    def take(self, index) -> "Predictions":
        """The rows at `index`."""
        return Predictions(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

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
        )


def cross_calibrated(logits: np.ndarray, labels: np.ndarray, cases: np.ndarray, folds: np.ndarray) -> Predictions:
    """Predictions out of fold, each fold calibrated on the others: neither weights nor calibration saw its slices.

    Args:
        logits: float `[n, 3]`, out of fold. labels, folds: int `[n]`. cases: str `[n]`.
    """
    p = np.zeros_like(logits, dtype=float)
    threshold, limits = np.zeros(len(labels)), np.zeros((len(labels), len(CLASSES)))
    for fold in np.unique(folds):
        inside = folds == fold
        fitted = fit_calibration(logits[~inside], labels[~inside], cases[~inside])
        p[inside] = calibrate(logits[inside], fitted)
        threshold[inside], limits[inside] = fitted.malignant_threshold, fitted.set_thresholds
    return Predictions(p, labels, cases, threshold, limits)


def measure(predictions: Predictions) -> dict[str, float]:
    """The figures of one set of predictions in which every class occurs, by the names of `evaluation.json`."""
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score

    p, labels = predictions.p, predictions.labels
    called, true = p[:, MALIGNANT] >= predictions.threshold, labels == MALIGNANT
    inside = set_membership(p, predictions.limits)
    return {
        "accuracy": float((p.argmax(axis=1) == labels).mean()),
        "balanced_accuracy": float(balanced_accuracy_score(labels, p.argmax(axis=1))),
        **{f"auc_{name}": float(roc_auc_score(labels == i, p[:, i])) for i, name in enumerate(CLASSES)},
        "ece": expected_calibration_error(p, labels),
        "brier": float(((p - np.eye(len(CLASSES))[labels]) ** 2).sum(axis=1).mean()),
        "sensitivity_malignant": float(called[true].mean()),
        "specificity_malignant": float((~called[~true]).mean()),
        "coverage": float(inside[np.arange(len(p)), labels].mean()),
        "set_size": float(inside.sum(axis=1).mean()),
    }


def expected_calibration_error(p: np.ndarray, labels: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error of the top class (Guo 2017) in bins of equal width."""
    top = p.max(axis=1)
    right = p.argmax(axis=1) == labels
    which = np.minimum((top * bins).astype(int), bins - 1)
    gaps = [abs(right[which == b].mean() - top[which == b].mean()) * (which == b).mean() for b in np.unique(which)]
    return float(sum(gaps))


def with_intervals(predictions: Predictions, resamples: int = RESAMPLES) -> dict[str, dict[str, float]]:
    """The figures of `measure` as `{"value", "low", "high"}`: 95 % percentile bootstrap over cases within classes."""
    from scipy.stats import bootstrap

    values = measure(predictions)
    names = np.unique(predictions.cases)
    rows = [np.flatnonzero(predictions.cases == name) for name in names]
    label_of = np.array([np.bincount(predictions.labels[index]).argmax() for index in rows])
    strata = [np.flatnonzero(label_of == label) for label in range(len(CLASSES))]

    def statistic(*drawn, axis=-1):
        # scipy hands over one draw of each stratum, or a batch of them with the resamples first.
        batches = [np.atleast_2d(np.moveaxis(part, axis, -1)).astype(int) for part in drawn]
        results = []
        for picks in zip(*batches, strict=True):
            index = np.concatenate([rows[case] for stratum in picks for case in stratum])
            results.append(list(measure(predictions.take(index)).values()))
        return np.squeeze(np.array(results).T)

    interval = bootstrap(
        strata, statistic, n_resamples=resamples, method="percentile", vectorized=True, rng=np.random.default_rng(0)
    ).confidence_interval
    return {
        name: {"value": round(value, 4), "low": round(float(low), 4), "high": round(float(high), 4)}
        for (name, value), low, high in zip(values.items(), interval.low, interval.high, strict=True)
    }


def confusion(predictions: Predictions) -> list[list[int]]:
    """Confusion matrix, rows true and columns predicted, in the order of `CLASSES`."""
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(predictions.labels, predictions.p.argmax(axis=1), labels=range(len(CLASSES))).tolist()


def summarise(predictions: Predictions, resamples: int = RESAMPLES) -> dict:
    """Figures by slice and by case with their confusion matrices: one entry of `evaluation.json`."""
    cases = predictions.by_case()
    return {
        "slice": with_intervals(predictions, resamples),
        "case": with_intervals(cases, resamples),
        "confusion_slice": confusion(predictions),
        "confusion_case": confusion(cases),
        "slices": len(predictions.labels),
        "cases": len(cases.labels),
    }
