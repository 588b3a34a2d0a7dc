"""The engine for any Keras model: compiled functions of fixed signature, gradients by automatic differentiation."""

import numpy as np

from lungcnn.errors import ModelStructureError
from lungcnn.model.calibration import Calibration, calibrate
from lungcnn.model.keras_graph import Structure, lay_flat
from lungcnn.model.linear_head import linear_head
from lungcnn.model.network import LAST_CONVOLUTION

# By how much a probability may differ from that of the model as loaded; half precision rounds more.
LARGEST_DIFFERENCE, LARGEST_IN_HALF_PRECISION = 1e-3, 0.02


class KerasEngine:
    """A Keras model as an `Engine`.

    Args:
        network: any Sequential or functional Keras model, `[n, 128, 128, 1]` to a softmax over the classes.
        layer: the convolution to explain; None for the last one.

    Raises `ModelStructureError` for a model that can't be explained, or that gives other probabilities once it is laid
    flat, and `UsageError` for an unknown layer.
    """

    light = False

    def __init__(self, network, layer: str | None = None):
        self._structure = lay_flat(network, layer)
        self.layer, self.size, self.bias = self._structure.layer, self._structure.size, self._structure.bias
        self.cells = tuple(self._structure.tapped.outputs[0].shape[1:3])
        self.classes = int(self._structure.model.output_shape[-1])
        self.weights = _head_weights(network) if self.layer == LAST_CONVOLUTION else None
        self._explained, self._bare, self._mapped = _compile(self._structure)
        self._compare(network)

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

    def _compare(self, network) -> None:
        """Whatever was copied, fused or rewired must not show: run every function, beside the model as loaded."""
        import keras

        rows, columns = self.size
        ramp = np.linspace(0, 1, rows * columns, dtype=np.float32).reshape(rows, columns)
        noise = np.random.default_rng(0).random((rows, columns), np.float32)
        crops = np.stack([np.zeros_like(ramp), ramp, noise])
        (said,) = keras.tree.flatten(network(_batch(crops), training=False))
        expected = keras.ops.convert_to_numpy(keras.ops.cast(said, "float32"))
        single = all(layer.compute_dtype == "float32" for layer in self._structure.model.layers)
        allowed = LARGEST_DIFFERENCE if single else LARGEST_IN_HALF_PRECISION
        for logits in (self.explained(crops)[0], self.logits(crops), self.mapped(crops)[0]):
            found = calibrate(logits, Calibration())
            if not np.allclose(found, expected, rtol=0, atol=allowed, equal_nan=True):
                raise ModelStructureError(
                    f"Taken apart to be explained, the model gives other probabilities than it does whole (up to "
                    f"{np.abs(found - expected).max():.3f} apart): a layer keeps something beside its configuration "
                    "and weights, or isn't the same twice. Give a model of Keras' own layers."
                )


def _head_weights(network) -> np.ndarray | None:
    try:
        return linear_head(network)[0]
    except ModelStructureError:
        return None


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
            scores = [tf.cast(logits[:, label], tf.float32) for label in range(logits.shape[-1])]
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
