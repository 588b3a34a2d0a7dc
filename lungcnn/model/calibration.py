"""From logits to calibrated probabilities, prediction sets and an operating point: fitted out of fold, and used."""

from dataclasses import dataclass, replace

import numpy as np

from lungcnn.classes import CLASSES, Classes

COVERAGE = 0.9
SENSITIVITY = 0.9
# How often slices show the suspicious class where the probabilities hold. Among the slices that they are fitted on it
# is as frequent as somebody chose to collect it, in most clinics rarer: so a round number, which is told.
PREVALENCE = 0.2


@dataclass(frozen=True)
class Calibration:
    """How logits become calibrated probabilities and prediction sets; fitted on cases out of fold.

    Attributes:
        temperature: logits are divided by it before the softmax (Guo 2017).
        offsets: per class, what is added to them then; None: nothing. That of the suspicious class alone is fitted: in
            training it counts as much as others, whatever its share of the slices is.
        prevalence: share of the slices that shows the suspicious class where the probabilities hold; None where there
            is no such class.
        set_thresholds: per class, the largest `1 - probability` at which the class stays in the prediction set.
        coverage: the nominal share of cases whose class is in the set.
        malignant_threshold: probability of the suspicious class (usually "malignant", hence the name) from which, out
            of fold, the share `malignant_sensitivity` of the slices that show it was found, and the share
            `malignant_specificity` of those of other classes spared; None where no class is suspicious.
    """

    temperature: float = 1.0
    set_thresholds: tuple[float, ...] | None = None
    coverage: float | None = None
    malignant_threshold: float | None = None
    malignant_sensitivity: float | None = None
    malignant_specificity: float | None = None
    offsets: tuple[float, ...] | None = None
    prevalence: float | None = None

    @property
    def fitted(self) -> bool:
        """Whether anything was fitted: False leaves probabilities as the network gives them."""
        return self != Calibration()


def calibrate(logits: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Probabilities float32 `[n, classes]` of logits: softmax after division by the temperature and the offsets."""
    # Not SciPy's: on the way to a first answer its import would take longer than the network.
    scaled = np.asarray(logits, np.float64) / calibration.temperature
    if calibration.offsets is not None:
        scaled = scaled + calibration.offsets
    odds = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return (odds / odds.sum(axis=-1, keepdims=True)).astype(np.float32)


def prediction_set(
    probabilities: np.ndarray, calibration: Calibration, classes: Classes = CLASSES
) -> tuple[str, ...] | None:
    """Classes that can't be ruled out for one slice (split conformal), or None for a model without thresholds.

    Args:
        probabilities: float `[classes]`. The most probable class is always in the set.
    """
    if calibration.set_thresholds is None:
        return None
    inside = set_membership(probabilities[None], calibration.set_thresholds)[0]
    return tuple(name for name, held in zip(classes, inside, strict=True) if held)


def set_membership(p: np.ndarray, thresholds) -> np.ndarray:
    """Which classes stand in each slice's prediction set, bool `[n, classes]`; the most probable one always does.

    Args:
        p: probabilities float `[n, classes]`. thresholds: float `[classes]`, or `[n, classes]` for each slice its own.
    """
    inside = 1 - p <= np.asarray(thresholds)
    inside[np.arange(len(p)), p.argmax(axis=1)] = True
    return inside


def fit_calibration(
    logits: np.ndarray,
    labels: np.ndarray,
    cases: np.ndarray,
    classes: Classes = CLASSES,
    weights: np.ndarray | None = None,
    seen: np.ndarray | None = None,
    shown: np.ndarray | None = None,
) -> Calibration:
    """Fit temperature, offset, conformal thresholds and operating point on slices the network has not seen.

    Temperature and the suspicious class's offset minimise the negative log-likelihood (Guo 2017), the slices weighted
    so that `PREVALENCE` of them show that class (Saerens 2002). The thresholds are class-conditional split conformal
    quantiles (Vovk 2012); slices of one case are not exchangeable, cases are, so each case weighs one and the number of
    cases, not of slices, sets the finite-sample correction.

    Args:
        logits: float `[n, classes]`. labels: int `[n]`; of slices below 0 it is known that they aren't of the
            suspicious class, and nothing else. cases: str `[n]`.
        weights: float `[n]`, by how much each slice counts; None: all alike.
        seen: bool `[n]`, slices on which it is seen what their case is; the operating point finds `SENSITIVITY` of
            those of the suspicious class. None: all.
        shown: int `[n]`, as `CropSet.shown`: what temperature and offset are fitted to. None: the labels.
    """
    weights = np.ones(len(labels)) if weights is None else weights
    shown = labels if shown is None else shown
    known, suspect = labels >= 0, classes.suspect
    told = weights if suspect is None else _at_prevalence(weights, shown == suspect)
    temperature, offset = _fit_scaling(logits, shown, told, suspect)
    offsets = None if suspect is None else tuple(offset if one == suspect else 0.0 for one in range(len(classes)))
    scaling = Calibration(temperature, offsets=offsets)
    p = calibrate(logits, scaling)
    fitted = replace(
        scaling, set_thresholds=conformal_thresholds(p[known], labels[known], cases[known]), coverage=COVERAGE
    )
    if suspect is None:
        return fitted
    sick, others, suspicion = labels == suspect, labels != suspect, p[:, suspect]
    sick = sick & seen if seen is not None and (sick & seen).any() else sick
    threshold = float(np.quantile(suspicion[sick], 1 - SENSITIVITY, weights=weights[sick], method="inverted_cdf"))
    return replace(
        fitted,
        malignant_threshold=threshold,
        malignant_sensitivity=float(np.average(suspicion[sick] >= threshold, weights=weights[sick])),
        malignant_specificity=float(np.average(suspicion[others] < threshold, weights=weights[others])),
        prevalence=float(np.average(shown == suspect, weights=told)),
    )


def _at_prevalence(weights: np.ndarray, sick: np.ndarray) -> np.ndarray:
    """Weights at which `PREVALENCE` of the slices are sick; unchanged where all are, or none."""
    if sick.all() or not sick.any():
        return weights
    return np.where(sick, weights * PREVALENCE / weights[sick].sum(), weights * (1 - PREVALENCE) / weights[~sick].sum())


def _fit_scaling(logits, labels, weights, suspect: int | None) -> tuple[float, float]:
    """Temperature, and the offset of the suspicious class (0 where there is none), of the largest likelihood."""
    from scipy.optimize import minimize
    from scipy.special import log_softmax, logsumexp

    known = labels >= 0
    told = known if suspect is None else np.ones(len(labels), bool)
    rows, right, counts = logits[told].astype(float), labels[told], weights[told] / weights[told].sum()
    # Where several classes would be right, their probabilities add up.
    possible = np.eye(rows.shape[1], dtype=bool)[right]
    possible[right < 0] = np.arange(rows.shape[1]) != suspect

    def loss(values):
        log_temperature, offset = values
        scaled = rows / np.exp(log_temperature)
        if suspect is not None:
            scaled[:, suspect] += offset
        return -counts @ logsumexp(log_softmax(scaled, axis=1), axis=1, b=possible)

    free = (-3.0, 3.0) if suspect is not None else (0.0, 0.0)
    fitted = minimize(loss, (0.0, 0.0), bounds=[(np.log(0.2), np.log(10)), free], method="L-BFGS-B")
    return float(np.exp(fitted.x[0])), float(fitted.x[1])


def conformal_thresholds(p: np.ndarray, labels: np.ndarray, cases: np.ndarray, coverage: float = COVERAGE):
    """Per class, the `1 - probability` below which `coverage` of its cases lie: a tuple of floats, at most 1."""
    thresholds = []
    for label in range(p.shape[1]):
        mine = labels == label
        number = len(set(cases[mine]))
        level = min(1.0, coverage * (number + 1) / number)
        thresholds.append(
            float(np.quantile(1 - p[mine, label], level, weights=case_weights(cases[mine]), method="inverted_cdf"))
        )
    return tuple(thresholds)


def case_weights(cases: np.ndarray) -> np.ndarray:
    """Weight of each slice so that every case counts alike: float `[n]`, one over its case's size."""
    _, inverse, counts = np.unique(cases, return_inverse=True, return_counts=True)
    return 1 / counts[inverse]
