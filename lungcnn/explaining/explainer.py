"""A classifier with what explains it, safe to call from threads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, cast

import numpy as np

from lungcnn.explaining.methods import explanation_method
from lungcnn.model.classifier import Classification, Classifier


class Explainer:
    """A classifier with the object that explains it by tf-keras-vis, made when first needed and kept."""

    def __init__(self, classifier: Classifier):
        self.classifier = classifier
        self._saliency: Any = None
        self._lock = Lock()

    def maps(self, method: str, crop: np.ndarray, found: Classification) -> np.ndarray:
        """The maps of all classes by a method of `METHODS`: float32 `[classes, rows, columns]`.

        Args:
            crop: float32 `[128, 128]`. found: what the classifier said of it (a batch of one).
        """
        chosen = explanation_method(method)
        if chosen.of_map is not None:
            return chosen.of_map(found)[0]
        on_demand = cast(Callable[..., np.ndarray], chosen.on_demand)  # `Method` has one or the other
        return np.asarray(on_demand(self, crop), np.float32)

    @contextmanager
    def saliency(self) -> Iterator[Any]:
        """tf-keras-vis's `Saliency` around the model in Keras, for one caller at a time: it isn't made for threads.

        Raises `ModelFileError` where Keras can't open the model.
        """
        with self._lock:
            if self._saliency is None:
                from tf_keras_vis.saliency import Saliency

                self._saliency = Saliency(self.classifier.engine.keras_graph().model)
            yield self._saliency
