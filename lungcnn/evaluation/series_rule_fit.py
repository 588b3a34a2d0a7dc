"""The rule for series, chosen and calibrated by case on folds.

A rule turns the slices into a score; a logistic curve (Platt 1999) turns its log-odds into a probability. Both are
chosen by case: in the figures no case took part in choosing the rule or fitting the curve that judged it.
"""

from collections.abc import Sequence

import numpy as np

from lungcnn.classes import CLASSES, MALIGNANT
from lungcnn.evaluation.metrics import RESAMPLES, Predictions, expected_calibration_error, with_intervals
from lungcnn.model.calibration import SENSITIVITY
from lungcnn.results.series_rule import RULES, SeriesRule, curve, log_odds


def fit_series_rule(runs: Sequence[Predictions], folds: np.ndarray, resamples: int = RESAMPLES):
    """Choose and calibrate the rule by case, and measure how that choice does on cases it hasn't seen.

    Args:
        runs: calibrated predictions of the same `n` slices out of fold, one a seed. folds: int `[n]`, no case in two.

    Returns:
        `(SeriesRule, figures)`; figures hold "figures" (each with its interval), "cases", "slices_per_case" and the
        "candidates" with their loss.
    """
    groups, labels, fold_of = _cases(runs[0], folds)
    malignant = labels == MALIGNANT
    scores = [
        {name: np.array([rule(run.p[rows, MALIGNANT]) for rows in groups]) for name, rule in RULES.items()}
        for run in runs
    ]
    held_out = [np.zeros(len(groups)) for _ in runs]
    threshold = np.zeros(len(groups))
    for fold in np.unique(fold_of):
        inside = fold_of == fold
        chosen = _choose(scores, malignant, fold_of, ~inside)
        rule = _fit(chosen, scores, malignant, ~inside, (0, 0))
        for run, p in enumerate(held_out):
            p[inside] = curve(scores[run][chosen][inside], rule.slope, rule.intercept)
        threshold[inside] = rule.threshold
    everyone = np.ones(len(groups), bool)
    name = _choose(scores, malignant, fold_of, everyone)
    sizes = [len(rows) for rows in groups]
    unset = np.full((len(groups), len(CLASSES)), np.nan)
    names = np.array([f"{runs[0].cases[rows[0]]}/{runs[0].labels[rows[0]]}" for rows in groups])
    measured = [Predictions(_both_sides(p), labels, names, threshold, unset) for p in held_out]
    figures = {
        "figures": with_intervals(measured, _measure, resamples),
        "cases": len(groups),
        "slices_per_case": [min(sizes), int(np.median(sizes)), max(sizes)],
        "candidates": {key: round(_loss_of(key, scores, malignant, fold_of, everyone), 4) for key in RULES},
    }
    return _fit(name, scores, malignant, everyone, (min(sizes), max(sizes))), figures


def _cases(run: Predictions, folds: np.ndarray):
    """Rows, label and fold of each case; a group under two labels counts as two cases."""
    keys = np.array([f"{case}/{label}" for case, label in zip(run.cases, run.labels, strict=True)])
    groups = [np.flatnonzero(keys == key) for key in np.unique(keys)]
    first = [rows[0] for rows in groups]
    return groups, run.labels[first], folds[first]


def _choose(scores, malignant, fold_of, among: np.ndarray) -> str:
    """The rule with the least loss out of fold among some cases."""
    losses = {name: _loss_of(name, scores, malignant, fold_of, among) for name in RULES}
    return min(losses, key=lambda name: round(losses[name], 6))


def _loss_of(name, scores, malignant, fold_of, among) -> float:
    """Mean log loss of a rule, its curve fitted without the fold that it judges."""
    from sklearn.metrics import log_loss

    judged, truth = [], []
    for fold in np.unique(fold_of[among]):
        inside, outside = among & (fold_of == fold), among & (fold_of != fold)
        if not outside.any():  # one fold alone: better its own curve than none
            outside = inside
        slope, intercept = _platt([run[name][outside] for run in scores], malignant[outside])
        judged += [curve(run[name][inside], slope, intercept) for run in scores]
        truth += [malignant[inside]] * len(scores)
    return log_loss(np.concatenate(truth), np.concatenate(judged), labels=[False, True])


def _fit(name, scores, malignant, among, slices) -> SeriesRule:
    parts = [run[name][among] for run in scores]
    slope, intercept = _platt(parts, malignant[among])
    diseased = np.concatenate([curve(part, slope, intercept)[malignant[among]] for part in parts])
    threshold = float(np.quantile(diseased, 1 - SENSITIVITY, method="lower")) if diseased.size else 0.5
    reached = float((diseased >= threshold).mean()) if diseased.size else 0.0
    return SeriesRule(name, round(slope, 6), round(intercept, 6), threshold, reached, slices)


def _platt(scores: list[np.ndarray], malignant: np.ndarray) -> tuple[float, float]:
    """Slope (not negative) and intercept of the logistic curve, with Platt's targets against overfitting."""
    from sklearn.linear_model import LogisticRegression

    x = log_odds(np.concatenate(scores))
    y = np.tile(malignant, len(scores))
    positive, negative = malignant.sum(), (~malignant).sum()
    targets = np.where(y, (positive + 1) / (positive + 2), 1 / (negative + 2))
    # A target between 0 and 1 is the score counted on both sides, each with its share.
    sides, weights = np.repeat([1, 0], len(x)), np.concatenate([targets, 1 - targets])
    fitted = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8)
    fitted.fit(np.tile(x, 2)[:, None], sides, sample_weight=weights)
    slope = float(fitted.coef_[0, 0])
    if slope <= 0:  # a score that falls with malignancy says nothing
        return 0.0, float(log_odds(targets.mean()))
    return slope, float(fitted.intercept_[0])


def _both_sides(p: np.ndarray) -> np.ndarray:
    """As probabilities of all classes, for `Predictions`; what isn't malignant stands under the first class."""
    sides = np.zeros((len(p), len(CLASSES)))
    sides[:, MALIGNANT], sides[:, 0] = p, 1 - p
    return sides


def _measure(run: Predictions) -> dict[str, float]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    p, true = run.p[:, MALIGNANT], run.labels == MALIGNANT
    called = p >= run.threshold
    sides = np.column_stack([1 - p, p])
    figures = {
        "auc_malignant": roc_auc_score(true, p),
        "average_precision_malignant": average_precision_score(true, p),
        "sensitivity_malignant": called[true].mean(),
        "specificity_malignant": (~called[~true]).mean(),
        "ece": expected_calibration_error(sides, true.astype(int)),
        "brier": ((p - true) ** 2).mean(),
    }
    return {name: float(value) for name, value in figures.items()}
