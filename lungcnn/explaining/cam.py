"""Class activation maps from a convolution's map and its gradients."""

import numpy as np


def grad_cam(activations: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Grad-CAM (Selvaraju 2017, equations 1 and 2): channels weighed by their mean gradient, positive part.

    Args:
        activations: float32 `[..., rows, columns, channels]`, a convolution's map.
        gradients: the same shape, or with an axis of classes before the rows: of a logit with respect to the map.

    Returns:
        float32 `[..., rows, columns]`; all zero where nothing speaks for the class.
    """
    weights = gradients.mean(axis=(-3, -2))
    return np.maximum(np.einsum("...ijk,...k->...ij", _for_each_class(activations, gradients), weights), 0)


def hires_cam(activations: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """HiResCAM (Draelos and Carin 2020): gradient times activation, summed over channels; signed, in logits.

    Shapes as `grad_cam`. Where the head behind the map is linear, as this project's is between its maxima, the sum
    over cells plus a constant is the class's logit.
    """
    return np.einsum("...ijk,...ijk->...ij", _for_each_class(activations, gradients), gradients)


def layer_cam(activations: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """LayerCAM (Jiang 2021, equations 6 and 7): positive gradient times activation, cell by cell, positive part.

    Shapes as `grad_cam`.
    """
    positive = np.maximum(gradients, 0)
    return np.maximum(np.einsum("...ijk,...ijk->...ij", _for_each_class(activations, gradients), positive), 0)


def grad_cam_plus_plus(activations: np.ndarray, gradients: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Grad-CAM++ (Chattopadhay 2018, equations 10 to 19, of the exponential of the logit): positive part.

    Shapes as `grad_cam`; logits float32 `[..., classes]`, or `[...]` where the gradients have no axis of classes.
    """
    activations = _for_each_class(activations, gradients)
    first = np.exp(logits)[..., None, None, None] * gradients
    second = first * gradients
    total = activations.sum(axis=(-3, -2), keepdims=True)
    below = 2 * second + second * gradients * total
    alphas = second / np.where(second == 0, below + 1, below)
    sums = alphas.sum(axis=(-3, -2), keepdims=True)
    alphas = alphas / np.where(sums == 0, 1, sums)
    weights = (np.maximum(first, 0) * alphas).sum(axis=(-3, -2))
    return np.maximum(np.einsum("...ijk,...k->...ij", activations, weights), 0)


def _for_each_class(activations, gradients):
    return activations[..., None, :, :, :] if gradients.ndim > activations.ndim else activations
