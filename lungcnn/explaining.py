"""Grad-CAM and its relatives: which cells of the last convolution's map speak for a class.

Every method turns activations and the gradient of one class's logit, both `[rows, columns, channels]`,
into a map `[rows, columns]`. Explaining the logit, not the softmax score, keeps the map from fading
where the network is sure.
"""

import numpy as np

from lungcnn.errors import UsageError
from lungcnn.network import CLASSES


def grad_cam(activations: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Grad-CAM (Selvaraju 2017, equations 1 and 2): channels weighed by their mean gradient, positive part.

    Args:
        activations, gradients: float32 `[rows, columns, channels]`.

    Returns:
        float32 `[rows, columns]`, in logits per cell; all zero where nothing speaks for the class.
    """
    weights = gradients.mean(axis=(0, 1))
    return np.maximum(activations @ weights, 0)


def hires_cam(activations: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """HiResCAM (Draelos and Carin 2020): gradient times activation, summed over channels; signed.

    Shapes as `grad_cam`. With this project's head the sum over cells plus a constant is the class's logit.
    """
    return np.einsum("ijk,ijk->ij", activations, gradients)


METHODS = {"grad-cam": grad_cam, "hires-cam": hires_cam}
DEFAULT_METHOD = "grad-cam"


def explanation_method(name: str):
    """The method of that name; raises `UsageError` naming those there are."""
    try:
        return METHODS[name]
    except KeyError:
        raise UsageError(f"There is no explanation method '{name}'. Accepted: {', '.join(METHODS)}.") from None


def class_index(name: str) -> int:
    """The index of a class name; raises `UsageError` naming those there are."""
    try:
        return CLASSES.index(name)
    except ValueError:
        raise UsageError(f"There is no class '{name}'. Accepted: {', '.join(CLASSES)}.") from None
