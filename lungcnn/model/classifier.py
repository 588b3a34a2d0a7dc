"""Lung crops in, calibrated probabilities out, with what explanations need: one call of the engine."""

from dataclasses import dataclass

import numpy as np

from lungcnn.classes import CLASSES, Classes
from lungcnn.model.calibration import Calibration, calibrate
from lungcnn.model.engine import Engine
from lungcnn.model.keras_engine import KerasEngine


@dataclass(frozen=True, eq=False)
class Classification:
    """What the network says of `n` crops.

    Attributes:
        logits: float32 `[n, classes]`, before calibration.
        probabilities: float32 `[n, classes]`, calibrated.
        activations: float32 `[n, rows, columns, channels]`, the explained convolution's map.
        gradients: float32 `[n, classes, rows, columns, channels]`: of each class's logit with respect to that map.
    """

    logits: np.ndarray
    probabilities: np.ndarray
    activations: np.ndarray
    gradients: np.ndarray

    @property
    def features(self) -> np.ndarray:
        """The map's maxima, float32 `[n, channels]`."""
        return self.activations.max(axis=(1, 2))


class Classifier:
    """An engine's answers, calibrated; safe to call from threads.

    Attributes:
        engine: the network. layer: the explained convolution's name. classes: what its logits stand for.
    """

    def __init__(self, engine: Engine, calibration: Calibration | None = None, classes: Classes = CLASSES):
        self.engine = engine
        self.calibration = calibration or Calibration()
        self.layer = engine.layer
        self.classes = classes

    @classmethod
    def of(
        cls,
        network,
        calibration: Calibration | None = None,
        layer: str | None = None,
        classes: Classes = CLASSES,
    ) -> "Classifier":
        """A classifier around a Keras model; arguments and errors as `KerasEngine`."""
        return cls(KerasEngine(network, layer), calibration, classes)

    def __call__(self, crops: np.ndarray) -> Classification:
        """Classify crops (float32 `[n, 128, 128]`, grey 0 to 1, finite), with what explanations of any class need."""
        logits, activations, gradients = self.engine.explained(crops)
        return Classification(logits, calibrate(logits, self.calibration), activations, gradients)

    def logits(self, crops: np.ndarray) -> np.ndarray:
        """Logits float32 `[n, classes]` alone: the forward pass."""
        return self.engine.logits(crops)

    def features(self, crops: np.ndarray, batch: int = 64) -> tuple[np.ndarray, np.ndarray]:
        """Logits float32 `[n, classes]`, and the explained convolution's maxima over its map, `[n, channels]`."""
        parts = []
        for start in range(0, len(crops), batch):
            logits, found = self.engine.mapped(crops[start : start + batch])
            parts.append((logits, found.max(axis=(1, 2))))
        logits, maxima = (np.concatenate(column) for column in zip(*parts, strict=True))
        return logits, maxima

    def probabilities(self, crops: np.ndarray) -> np.ndarray:
        """Calibrated probabilities float32 `[n, classes]` alone."""
        return calibrate(self.logits(crops), self.calibration)
