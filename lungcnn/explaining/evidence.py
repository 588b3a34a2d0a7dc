"""What each cell of the last map says for malignant, and what the network would say of a slice by some of its cells.

The head of this project's networks is a maximum over the map and linear layers: the logits by any set of cells are
known in closed form, from the map that the forward pass made anyhow. For heads of other kinds the cells' shares of the
logits (HiResCAM) are added up instead, which is exact where the head is linear (Draelos and Carin 2020).
"""

from typing import Protocol

import numpy as np

from lungcnn.classes import MALIGNANT
from lungcnn.explaining.cam import hires_cam
from lungcnn.model.classifier import Classifier


class Evidence(Protocol):
    """The evidence of one slice.

    Attributes:
        odds: float `[rows, columns]`, log-odds of malignant by each cell alone, up to a constant.
    """

    odds: np.ndarray

    def logits(self, kept: np.ndarray) -> np.ndarray:
        """Logits `[k, classes]` of the slice by the cells in each of `k` masks, bool `[k, rows, columns]`."""
        ...


class EvidenceOfMaxima:
    """Evidence of a map float32 `[rows, columns, channels]` whose maxima a linear head reads.

    Args:
        weights: float32 `[channels, classes]`. bias: float32 `[classes]`.
    """

    def __init__(self, found: np.ndarray, weights: np.ndarray, bias: np.ndarray):
        self._cells, self._weights, self._bias = found.reshape(-1, found.shape[-1]), weights, bias
        self.odds = _odds(self._cells @ weights + bias).reshape(found.shape[:2])

    def logits(self, kept: np.ndarray) -> np.ndarray:
        """As `Evidence.logits`."""
        maxima = np.stack([self._cells[mask.ravel()].max(axis=0) for mask in kept])
        return maxima @ self._weights + self._bias


class EvidenceOfSums:
    """Evidence of a slice whose logits, float32 `[classes]`, are the sum of `shares` `[classes, rows, columns]`."""

    def __init__(self, logits: np.ndarray, shares: np.ndarray):
        self._logits, self._shares = logits, shares
        self.odds = shares[MALIGNANT] - np.delete(shares, MALIGNANT, axis=0).max(axis=0)

    def logits(self, kept: np.ndarray) -> np.ndarray:
        """As `Evidence.logits`."""
        return self._logits - np.einsum("kij,cij->kc", ~kept, self._shares)


def evidence_of(classifier: Classifier, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[Evidence]]:
    """One pass of the network over crops float32 `[n, 128, 128]`.

    Returns:
        Logits float32 `[n, classes]`, the map's maxima `[n, channels]`, and each slice's evidence.
    """
    engine = classifier.engine
    made: list[Evidence]
    if engine.weights is not None and engine.bias is not None:
        logits, found = engine.mapped(crops)
        made = [EvidenceOfMaxima(one, engine.weights, engine.bias) for one in found]
    else:
        logits, found, gradients = engine.explained(crops)
        made = [EvidenceOfSums(*one) for one in zip(logits, hires_cam(found, gradients), strict=True)]
    return logits, found.max(axis=(1, 2)), made


def _odds(logits: np.ndarray) -> np.ndarray:
    """Log-odds of malignant, of logits `[..., classes]`."""
    return logits[..., MALIGNANT] - np.logaddexp.reduce(np.delete(logits, MALIGNANT, axis=-1), axis=-1)
