"""What each cell of the last map says for the suspicious class, and what the network would say by some of its cells.

The head of this project's networks is a maximum over the map and linear layers: the logits by any set of cells are
known in closed form, from the map that the forward pass made anyhow. For heads of other kinds the cells' shares of the
logits (HiResCAM) are added up instead, which is exact where the head is linear (Draelos and Carin 2020).
"""

from typing import Protocol

import numpy as np

from lungcnn.errors import UsageError
from lungcnn.explaining.cam import hires_cam
from lungcnn.model.classifier import Classifier


class Evidence(Protocol):
    """The evidence of one slice.

    Attributes:
        label: index of the suspicious class.
        odds: float `[rows, columns]`, log-odds of that class by each cell alone, up to a constant.
    """

    label: int
    odds: np.ndarray

    def logits(self, kept: np.ndarray) -> np.ndarray:
        """Logits `[k, classes]` of the slice by the cells in each of `k` masks, bool `[k, rows, columns]`."""
        ...


class EvidenceOfMaxima:
    """Evidence of a map float32 `[rows, columns, channels]` whose maxima a linear head reads.

    Args:
        weights: float32 `[channels, classes]`. bias: float32 `[classes]`. label: index of the suspicious class.
    """

    def __init__(self, found: np.ndarray, weights: np.ndarray, bias: np.ndarray, label: int):
        self.label = label
        self._cells, self._weights, self._bias = found.reshape(-1, found.shape[-1]), weights, bias
        self.odds = _odds(self._cells @ weights + bias, label).reshape(found.shape[:2])

    def logits(self, kept: np.ndarray) -> np.ndarray:
        """As `Evidence.logits`."""
        maxima = np.stack([self._cells[mask.ravel()].max(axis=0) for mask in kept])
        return maxima @ self._weights + self._bias


class EvidenceOfSums:
    """Evidence of a slice whose logits, float32 `[classes]`, are the sum of `shares` `[classes, rows, columns]`."""

    def __init__(self, logits: np.ndarray, shares: np.ndarray, label: int):
        self._logits, self._shares, self.label = logits, shares, label
        self.odds = shares[label] - np.delete(shares, label, axis=0).max(axis=0)

    def logits(self, kept: np.ndarray) -> np.ndarray:
        """As `Evidence.logits`."""
        return self._logits - np.einsum("kij,cij->kc", ~kept, self._shares)


def evidence_of(classifier: Classifier, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[Evidence]]:
    """One pass of a network that has a suspicious class over crops float32 `[n, 128, 128]`.

    Returns:
        Logits float32 `[n, classes]`, the map's maxima `[n, channels]`, and each slice's evidence.
    """
    engine, label = classifier.engine, classifier.classes.suspect
    if label is None:
        raise UsageError("The network has no suspicious class: there is nothing to look for.")
    made: list[Evidence]
    if engine.weights is not None and engine.bias is not None:
        logits, found = engine.mapped(crops)
        made = [EvidenceOfMaxima(one, engine.weights, engine.bias, label) for one in found]
    else:
        logits, found, gradients = engine.explained(crops)
        made = [EvidenceOfSums(*one, label) for one in zip(logits, hires_cam(found, gradients), strict=True)]
    return logits, found.max(axis=(1, 2)), made


def _odds(logits: np.ndarray, label: int) -> np.ndarray:
    """Log-odds of one class, of logits `[..., classes]`."""
    return logits[..., label] - np.logaddexp.reduce(np.delete(logits, label, axis=-1), axis=-1)
