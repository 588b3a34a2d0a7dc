"""Methods that tf-keras-vis computes, for all classes in one call: `(explainer, crop) -> [classes, rows, columns]`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from lungcnn.classes import CLASSES

if TYPE_CHECKING:
    from lungcnn.explaining.explainer import Explainer

FASTER_CHANNELS = 16
SMOOTH_SAMPLES, SMOOTH_NOISE = 16, 0.05


def grad_cam_plus_plus(explainer: Explainer, crop: np.ndarray) -> np.ndarray:
    """Grad-CAM++ (Chattopadhay 2018): channels weighed by gradients that count where they are positive."""
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus

    return _class_activation_maps(explainer, GradcamPlusPlus, crop)


def layer_cam(explainer: Explainer, crop: np.ndarray) -> np.ndarray:
    """LayerCAM (Jiang 2021): positive gradient times activation, cell by cell."""
    from tf_keras_vis.layercam import Layercam

    return _class_activation_maps(explainer, Layercam, crop)


def score_cam(explainer: Explainer, crop: np.ndarray) -> np.ndarray:
    """Score-CAM (Wang 2020): channels weighed by the probability of the crop under them as a mask."""
    from tf_keras_vis.scorecam import Scorecam

    return _class_activation_maps(explainer, Scorecam, crop)


def faster_score_cam(explainer: Explainer, crop: np.ndarray) -> np.ndarray:
    """Score-CAM over the channels that vary most, 16 at most."""
    from tf_keras_vis.scorecam import Scorecam

    channels = explainer.classifier.structure.tapped.outputs[0].shape[-1]
    return _class_activation_maps(explainer, Scorecam, crop, max_N=min(FASTER_CHANNELS, channels))


def smooth_grad(explainer: Explainer, crop: np.ndarray) -> np.ndarray:
    """Mean size of the gradient over noisy copies, the same copies each time (tf-keras-vis draws new ones)."""
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.scores import CategoricalScore

    rng = np.random.default_rng(0)
    noise = rng.normal(0, SMOOTH_NOISE, (SMOOTH_SAMPLES, *crop.shape)).astype(np.float32)
    copies = (crop + noise)[..., None]
    with _silent_keras():
        saliency = explainer.visualizer(Saliency)
        per_class = [
            saliency(CategoricalScore([label] * len(copies)), copies, normalize_map=False)
            for label in range(len(CLASSES))
        ]
    return np.stack(per_class).mean(axis=1)


def _class_activation_maps(explainer: Explainer, kind: type, crop: np.ndarray, **options) -> np.ndarray:
    from tf_keras_vis.utils.scores import CategoricalScore

    with _silent_keras():
        return explainer.visualizer(kind)(
            CategoricalScore(list(range(len(CLASSES)))),
            np.repeat(crop[None, ..., None], len(CLASSES), axis=0),
            penultimate_layer=explainer.classifier.layer,
            expand_cam=False,
            normalize_cam=False,
            **options,
        )


@contextmanager
def _silent_keras():
    """Score-CAM calls `predict`, which draws a progress bar, and its inputs come in a list, of which Keras warns."""
    import warnings

    import keras

    was_on = keras.utils.is_interactive_logging_enabled()
    keras.utils.disable_interactive_logging()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The structure of `inputs`")
            yield
    finally:
        if was_on:
            keras.utils.enable_interactive_logging()
