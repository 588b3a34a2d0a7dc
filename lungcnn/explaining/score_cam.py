"""Score-CAM (Wang 2020): channels weighed by what the model says of the crop under them as a mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lungcnn.model.calibration import Calibration, calibrate

if TYPE_CHECKING:
    from lungcnn.explaining.explainer import Explainer

FASTER_CHANNELS = 16
_EPSILON = 1e-7


def score_cam(explainer: Explainer, crop: np.ndarray) -> np.ndarray:
    """Score-CAM over all channels: as many forward passes.

    Args:
        crop: float32 `[rows, columns]`.

    Returns:
        float32 `[classes, rows, columns]` of the explained map; all zero where nothing speaks for a class.
    """
    return _score_cam(explainer, crop, None)


def faster_score_cam(explainer: Explainer, crop: np.ndarray) -> np.ndarray:
    """Score-CAM over the channels that vary most, 16 at most."""
    return _score_cam(explainer, crop, FASTER_CHANNELS)


def _score_cam(explainer: Explainer, crop: np.ndarray, most: int | None) -> np.ndarray:
    import cv2  # here, since `--help` lists the methods and shouldn't wait for it

    classifier = explainer.classifier
    _, found = classifier.engine.mapped(crop[None])
    channels = np.moveaxis(found[0], -1, 0)
    if most is not None:
        channels = channels[np.argsort(-channels.std(axis=(1, 2)), kind="stable")[:most]]
    masks = np.stack([cv2.resize(one, crop.shape[::-1], interpolation=cv2.INTER_LINEAR) for one in channels])
    masks -= masks.min(axis=(1, 2), keepdims=True)
    masks /= masks.max(axis=(1, 2), keepdims=True) + _EPSILON
    # Uncalibrated, as the method was published: a temperature would only bring the weights closer together.
    weights = calibrate(classifier.logits(crop * masks), Calibration())
    return np.maximum(np.einsum("kij,kc->cij", channels, weights), 0)
