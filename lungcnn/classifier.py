"""Lung crops in, calibrated probabilities out, with what explanations need: one compiled call."""

from dataclasses import dataclass

import numpy as np

from lungcnn.artefact import Calibration
from lungcnn.errors import ModelStructureError
from lungcnn.network import CLASSES

PREDICTED = -1


@dataclass(frozen=True, eq=False)
class Classification:
    """What the network says of `n` crops.

    Attributes:
        logits: float32 `[n, classes]`, before calibration.
        probabilities: float32 `[n, classes]`, calibrated.
        explained: int `[n]`, the class whose gradient was taken.
        activations: float32 `[n, rows, columns, channels]`, the last convolution's map.
        gradients: same shape: the gradient of the explained class's logit with respect to it.
    """

    logits: np.ndarray
    probabilities: np.ndarray
    explained: np.ndarray
    activations: np.ndarray
    gradients: np.ndarray


class Classifier:
    """A network behind one compiled function of fixed signature, warmed when made; safe to call from threads.

    Raises `ModelStructureError` for a model without a convolution or without a softmax over the classes.
    """

    def __init__(self, network, calibration: Calibration | None = None):
        self.calibration = calibration or Calibration()
        self.layer, until_map, until_logits = _split(network)
        self._size = tuple(network.input_shape[1:3])
        self._call = _compile(until_map, until_logits, network.input_shape[1:])
        self(np.zeros((1, *self._size), np.float32))

    def __call__(self, crops: np.ndarray, explain: int | np.ndarray = PREDICTED) -> Classification:
        """Classify crops.

        Args:
            crops: float32 `[n, 128, 128]`, grey 0 to 1; finite.
            explain: class index to take gradients of, one for all or int `[n]`; `PREDICTED` for each crop's own.
        """
        crops = np.ascontiguousarray(crops, np.float32)[..., None]
        chosen = np.broadcast_to(np.asarray(explain, np.int32), crops.shape[:1])
        logits, explained, activations, gradients = (part.numpy() for part in self._call(crops, chosen))
        return Classification(logits, calibrate(logits, self.calibration), explained, activations, gradients)


def calibrate(logits: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Probabilities float32 `[n, classes]` of logits: softmax after division by the temperature."""
    scaled = np.asarray(logits, np.float64) / calibration.temperature
    scaled -= scaled.max(axis=-1, keepdims=True)
    odds = np.exp(scaled)
    return (odds / odds.sum(axis=-1, keepdims=True)).astype(np.float32)


def prediction_set(probabilities: np.ndarray, calibration: Calibration) -> tuple[str, ...] | None:
    """Classes that can't be ruled out for one slice (split conformal), or None for a model without thresholds.

    Args:
        probabilities: float `[classes]`. The most probable class is always in the set.
    """
    if calibration.set_thresholds is None:
        return None
    top = int(np.argmax(probabilities))
    pairs = enumerate(zip(CLASSES, calibration.set_thresholds, strict=True))
    return tuple(name for i, (name, limit) in pairs if i == top or 1 - probabilities[i] <= limit)


def _split(network):
    """The network in two: input to last convolution, and from there to the logits."""
    import keras

    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    if not convolutions:
        raise ModelStructureError("The model has no convolution, so there is no map to explain it by.")
    last, end = convolutions[-1], network.layers[-1]
    if not isinstance(end, keras.layers.Softmax):
        raise ModelStructureError(
            f"The model ends in {type(end).__name__} '{end.name}'; expected a Softmax layer over {len(CLASSES)} logits."
        )
    return (
        last.name,
        keras.Model(network.inputs, last.output),
        keras.Model(last.output, end.input),
    )


def _compile(until_map, until_logits, shape):
    import tensorflow as tf

    @tf.function(
        input_signature=[tf.TensorSpec((None, *shape), tf.float32), tf.TensorSpec((None,), tf.int32)],
        autograph=False,
    )
    def call(crops, chosen):
        activations = until_map(crops, training=False)
        with tf.GradientTape() as tape:
            tape.watch(activations)
            logits = until_logits(activations, training=False)
            explained = tf.where(chosen < 0, tf.argmax(logits, axis=1, output_type=tf.int32), chosen)
            score = tf.gather(logits, explained, axis=1, batch_dims=1)
        return logits, explained, activations, tape.gradient(score, activations)

    return call
