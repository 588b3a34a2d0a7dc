"""Lung crops in, calibrated probabilities out, with what explanations need: one compiled call."""

from dataclasses import dataclass

import numpy as np

from lungcnn.classes import CLASSES
from lungcnn.errors import ModelStructureError
from lungcnn.model.calibration import Calibration, calibrate
from lungcnn.model.keras_graph import lay_flat

# By how much a probability may differ from that of the model as loaded; half precision rounds more.
LARGEST_DIFFERENCE, LARGEST_IN_HALF_PRECISION = 1e-3, 0.02


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
    """A network behind compiled functions of fixed signature, warmed when made; safe to call from threads.

    Args:
        network: any Sequential or functional Keras model, `[n, 128, 128, 1]` to a softmax over the classes.
        layer: the convolution to explain; None for the last one.

    Raises `ModelStructureError` for a model that can't be explained, or that gives other probabilities once it is laid
    flat, and `UsageError` for an unknown layer.

    Attributes:
        structure: the model as `keras_graph.Structure`. layer: the explained convolution's name.
    """

    def __init__(self, network, calibration: Calibration | None = None, layer: str | None = None):
        self.calibration = calibration or Calibration()
        self.structure = lay_flat(network, layer)
        self.layer = self.structure.layer
        self._explained, self._bare, self._featured = _compile(self.structure)
        self._compare(network)

    def __call__(self, crops: np.ndarray) -> Classification:
        """Classify crops (float32 `[n, 128, 128]`, grey 0 to 1, finite), with what explanations of any class need."""
        logits, activations, gradients = (part.numpy() for part in self._explained(_batch(crops)))
        return Classification(logits, calibrate(logits, self.calibration), activations, gradients)

    def logits(self, crops: np.ndarray) -> np.ndarray:
        """Logits float32 `[n, classes]` alone: the forward pass."""
        return self._bare(_batch(crops)).numpy()

    def features(self, crops: np.ndarray, batch: int = 64) -> tuple[np.ndarray, np.ndarray]:
        """Logits float32 `[n, classes]`, and the explained convolution's maxima over its map, `[n, channels]`."""
        parts = [self._featured(_batch(crops[i : i + batch])) for i in range(0, len(crops), batch)]
        logits, maxima = (np.concatenate([part.numpy() for part in column]) for column in zip(*parts, strict=True))
        return logits, maxima

    def probabilities(self, crops: np.ndarray) -> np.ndarray:
        """Calibrated probabilities float32 `[n, classes]` alone."""
        return calibrate(self.logits(crops), self.calibration)

    def _compare(self, network) -> None:
        """Whatever was copied, fused or rewired must not show: run every function, beside the model as loaded."""
        import keras

        rows, columns = self.structure.size
        ramp = np.linspace(0, 1, rows * columns, dtype=np.float32).reshape(rows, columns)
        noise = np.random.default_rng(0).random((rows, columns), np.float32)
        crops = np.stack([np.zeros_like(ramp), ramp, noise])
        (said,) = keras.tree.flatten(network(_batch(crops), training=False))
        expected = keras.ops.convert_to_numpy(keras.ops.cast(said, "float32"))
        single = all(layer.compute_dtype == "float32" for layer in self.structure.model.layers)
        allowed = LARGEST_DIFFERENCE if single else LARGEST_IN_HALF_PRECISION
        for logits in (self(crops).logits, self.logits(crops), self.features(crops)[0]):
            found = calibrate(logits, Calibration())
            if not np.allclose(found, expected, rtol=0, atol=allowed, equal_nan=True):
                raise ModelStructureError(
                    f"Taken apart to be explained, the model gives other probabilities than it does whole (up to "
                    f"{np.abs(found - expected).max():.3f} apart): a layer keeps something beside its configuration "
                    "and weights, or isn't the same twice. Give a model of Keras' own layers."
                )


def _batch(crops: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(crops, np.float32)[..., None]


def _compile(structure):
    """Crops to (logits, map, gradients), to logits alone, and to (logits, maxima of the map)."""
    import tensorflow as tf

    signature = [tf.TensorSpec((None, *structure.size, 1), tf.float32)]

    @tf.function(input_signature=signature, autograph=False)
    def explained(crops):
        with tf.GradientTape(persistent=True) as tape:
            activations, logits = structure.tapped(crops, training=False)
            scores = [tf.cast(logits[:, label], tf.float32) for label in range(len(CLASSES))]
        # Once a map is there, the way from it to the logits is short: three gradients cost little.
        gradients = tf.stack([tape.gradient(score, activations) for score in scores], axis=1)
        return tuple(tf.cast(part, tf.float32) for part in (logits, activations, gradients))

    @tf.function(input_signature=signature, autograph=False)
    def bare(crops):
        _, logits = structure.tapped(crops, training=False)
        return tf.cast(logits, tf.float32)

    @tf.function(input_signature=signature, autograph=False)
    def featured(crops):
        activations, logits = structure.tapped(crops, training=False)
        return tf.cast(logits, tf.float32), tf.cast(tf.reduce_max(activations, axis=(1, 2)), tf.float32)

    return explained, bare, featured
