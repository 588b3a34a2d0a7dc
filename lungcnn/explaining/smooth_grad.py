"""SmoothGrad (Smilkov 2017): the gradient of the input, averaged over noisy copies; through tf-keras-vis."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lungcnn.explaining.explainer import Explainer

SAMPLES, NOISE = 16, 0.05


def smooth_grad(explainer: Explainer, crop: np.ndarray) -> np.ndarray:
    """Mean size of the gradient over noisy copies, the same copies each time (tf-keras-vis draws new ones).

    Args:
        crop: float32 `[rows, columns]`.

    Returns:
        float32 `[classes, rows, columns]`.
    """
    from tf_keras_vis.utils.scores import CategoricalScore

    rng = np.random.default_rng(0)
    noise = rng.normal(0, NOISE, (SAMPLES, *crop.shape)).astype(np.float32)
    copies = (crop + noise)[..., None]
    with explainer.saliency() as saliency, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The structure of `inputs`")  # tf-keras-vis gives them in a list
        per_class = [
            saliency(CategoricalScore([label] * len(copies)), copies, normalize_map=False)
            for label in range(explainer.classifier.engine.classes)
        ]
    return np.stack(per_class).mean(axis=1)
