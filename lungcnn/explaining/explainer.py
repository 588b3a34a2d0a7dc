"""A classifier with what explains it, kept and safe to call from threads."""

from threading import Lock
from typing import Any

import numpy as np

from lungcnn.explaining.methods import explanation_method
from lungcnn.model.classifier import Classification, Classifier


class Explainer:
    """A classifier with the objects that explain it, made when first needed and kept. Safe to call from threads."""

    def __init__(self, classifier: Classifier):
        self.classifier = classifier
        self._kept: dict[type, Any] = {}
        self._lock = Lock()

    def maps(self, method: str, crop: np.ndarray, found: Classification) -> np.ndarray:
        """The maps of all classes by a method of `METHODS`: float32 `[classes, rows, columns]`.

        Args:
            crop: float32 `[128, 128]`. found: what the classifier said of it (a batch of one).
        """
        chosen = explanation_method(method)
        if chosen.compiled:
            return chosen.maps(found.activations[0], found.gradients[0])
        # tf-keras-vis keeps no promise about threads.
        with self._lock:
            return np.asarray(chosen.maps(self, crop), np.float32)

    def visualizer(self, kind: type) -> Any:
        """The object of that class of tf-keras-vis, around a copy of the model that ends in logits."""
        if kind not in self._kept:
            self._kept[kind] = kind(self.classifier.structure.model)
        return self._kept[kind]
