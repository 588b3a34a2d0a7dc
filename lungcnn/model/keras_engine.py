"""The engine for any Keras model: compiled functions of fixed signature, gradients by automatic differentiation."""

import numpy as np

from lungcnn.classes import CLASSES
from lungcnn.model.keras_graph import Structure, lay_flat


class KerasEngine:
    """A Keras model as an `Engine`.

    Args:
        network: any Sequential or functional Keras model, `[n, 128, 128, 1]` to a softmax over the classes.
        layer: the convolution to explain; None for the last one.

    Raises `ModelStructureError` for a model that can't be explained and `UsageError` for an unknown layer.
    """

    def __init__(self, network, layer: str | None = None):
        self._structure = lay_flat(network, layer)
        self.layer, self.size, self.bias = self._structure.layer, self._structure.size, self._structure.bias
        self.cells = tuple(self._structure.tapped.outputs[0].shape[1:3])
        self._explained, self._bare, self._mapped = _compile(self._structure)
        blank = np.zeros((1, *self.size), np.float32)
        for call in (self.explained, self.logits, self.mapped):
            call(blank)

    def logits(self, crops):
        """As `Engine.logits`."""
        return self._bare(_batch(crops)).numpy()

    def mapped(self, crops):
        """As `Engine.mapped`."""
        return tuple(part.numpy() for part in self._mapped(_batch(crops)))

    def explained(self, crops):
        """As `Engine.explained`."""
        return tuple(part.numpy() for part in self._explained(_batch(crops)))

    def keras_graph(self) -> Structure:
        """As `Engine.keras_graph`."""
        return self._structure


def _batch(crops: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(crops, np.float32)[..., None]


def _compile(structure: Structure):
    """Crops to (logits, map, gradients), to logits alone, and to (logits, map)."""
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
    def mapped(crops):
        activations, logits = structure.tapped(crops, training=False)
        return tf.cast(logits, tf.float32), tf.cast(activations, tf.float32)

    @tf.function(input_signature=signature, autograph=False)
    def bare(crops):
        return tf.cast(structure.tapped(crops, training=False)[1], tf.float32)

    return explained, bare, mapped
