"""Logits of crops from a Keras network, and their loss: fast enough for the folds, without the classifier around it."""

import numpy as np

from lungcnn.model.network import LOGITS


def predict_logits(network, crops: np.ndarray, batch: int = 64) -> np.ndarray:
    """Logits float32 `[n, classes]` of crops float32 `[n, 128, 128]`."""
    return in_batches(forward_of(network), crops, batch)


def forward_of(network):
    """The network's logits as a compiled function."""
    import keras
    import tensorflow as tf

    model = keras.Model(network.input, network.get_layer(LOGITS).output)
    return tf.function(
        lambda x: model(x, training=False), input_signature=[tf.TensorSpec((None, *model.input_shape[1:]))]
    )


def in_batches(forward, crops: np.ndarray, batch: int = 64) -> np.ndarray:
    """What `forward_of` a network gives for crops float32 `[n, 128, 128]`."""
    return np.concatenate([forward(crops[i : i + batch, ..., None]).numpy() for i in range(0, len(crops), batch)])


def mean_loss(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross-entropy of logits float `[n, classes]` and labels int `[n]`."""
    from scipy.special import log_softmax

    return float(-log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean())
