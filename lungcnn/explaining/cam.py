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


def _for_each_class(activations, gradients):
    return activations[..., None, :, :, :] if gradients.ndim > activations.ndim else activations
