"""The head of a network of ours in one step: from the last map's maxima to the logits."""

import numpy as np

from lungcnn.errors import ModelStructureError
from lungcnn.model.network import LAST_CONVOLUTION


def linear_head(network) -> tuple[np.ndarray, np.ndarray]:
    """Weights float32 `[channels, classes]` and bias `[classes]` from the map's maxima to the logits.

    Raises `ModelStructureError` for a network that reads its last map in another way.
    """
    from keras import layers

    names = [layer.name for layer in network.layers]
    if LAST_CONVOLUTION not in names:
        raise ModelStructureError(f"The network has no layer '{LAST_CONVOLUTION}': it is not one of this project's.")
    after = network.layers[names.index(LAST_CONVOLUTION) + 1 :]
    cells = tuple(network.get_layer(LAST_CONVOLUTION).output.shape[1:3])
    dense = [layer for layer in after if isinstance(layer, layers.Dense)]
    known = (layers.MaxPooling2D, layers.Flatten, layers.Dropout, layers.Dense, layers.Softmax)
    fits = (
        bool(after)
        and all(isinstance(layer, known) for layer in after)
        and isinstance(after[0], layers.MaxPooling2D)
        and after[0].pool_size == cells
        and all(layer.use_bias and layer.activation.__name__ == "linear" for layer in dense)
    )
    if not fits:
        raise ModelStructureError("The network reads its last map otherwise than by a maximum and linear layers.")
    weights = np.eye(after[0].output.shape[-1], dtype=np.float32)
    bias = np.zeros(len(weights), np.float32)
    for layer in dense:
        kernel, shift = layer.get_weights()
        weights, bias = weights @ kernel, bias @ kernel + shift
    return weights.astype(np.float32), bias.astype(np.float32)
