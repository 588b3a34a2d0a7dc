"""Grad-CAM and its relatives: which places speak for a class, and which against it.

A method turns one crop into a map per class, in logits, at the resolution at which it looks. Explaining the logit,
not the softmax score, keeps a map from fading where the network is sure. Maps of all classes come together, so that
they can be shown on one scale, where a weak map looks weak.
"""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from lungcnn.classes import CLASSES
from lungcnn.errors import UsageError
from lungcnn.explaining.cam import grad_cam, hires_cam
from lungcnn.model.classifier import Classification, Classifier

OCCLUSION_CELLS = 2
FASTER_CHANNELS = 16
SMOOTH_SAMPLES, SMOOTH_NOISE = 16, 0.05


class Explainer:
    """A classifier with the objects that explain it, made when first needed and kept. Safe to call from threads."""

    def __init__(self, classifier: Classifier):
        self.classifier = classifier
        self._kept: dict = {}
        self._lock = Lock()

    def maps(self, method: str, crop: np.ndarray, found: Classification) -> np.ndarray:
        """The maps of all classes by a method of `METHODS`: float32 `[classes, rows, columns]`.

        Args:
            crop: float32 `[128, 128]`. found: what the classifier said of it (a batch of one).
        """
        chosen = explanation_method(method)
        if chosen.compiled:
            return chosen.maps(found.activations[0], found.gradients[0])
        # tf-keras-vis keeps no promise about threads.
        with self._lock:
            return np.asarray(chosen.maps(self, crop), np.float32)

    def visualizer(self, name: str):
        """The class of that name from tf-keras-vis, around a copy of the model that ends in logits."""
        if name not in self._kept:
            from importlib import import_module

            modules = {"GradcamPlusPlus": "gradcam_plus_plus", "Scorecam": "scorecam", "Layercam": "layercam"}
            module = import_module(f"tf_keras_vis.{modules.get(name, 'saliency')}")
            self._kept[name] = getattr(module, name)(self.classifier.structure.model)
        return self._kept[name]


def _visualized(name: str, **options):
    """A class activation map through tf-keras-vis, for all classes in one call."""

    def maps(explainer: Explainer, crop: np.ndarray) -> np.ndarray:
        from tf_keras_vis.utils.scores import CategoricalScore

        with _silent_keras():
            return explainer.visualizer(name)(
                CategoricalScore(list(range(len(CLASSES)))),
                np.repeat(crop[None, ..., None], len(CLASSES), axis=0),
                penultimate_layer=explainer.classifier.layer,
                expand_cam=False,
                normalize_cam=False,
                **options,
            )

    return maps


def _smooth_saliency(explainer: Explainer, crop: np.ndarray) -> np.ndarray:
    """Mean size of the gradient over noisy copies, the same copies each time (tf-keras-vis draws new ones)."""
    from tf_keras_vis.utils.scores import CategoricalScore

    rng = np.random.default_rng(0)
    noise = rng.normal(0, SMOOTH_NOISE, (SMOOTH_SAMPLES, *crop.shape)).astype(np.float32)
    copies = (crop + noise)[..., None]
    with _silent_keras():
        saliency = explainer.visualizer("Saliency")
        per_class = [
            saliency(CategoricalScore([label] * len(copies)), copies, normalize_map=False)
            for label in range(len(CLASSES))
        ]
    return np.stack(per_class).mean(axis=1)


def _occlusion(explainer: Explainer, crop: np.ndarray) -> np.ndarray:
    """How much each logit falls when a square two cells wide is filled with the crop's median grey; signed."""
    rows, columns = explainer.classifier.structure.tapped.outputs[0].shape[1:3]
    height, width = crop.shape
    # Maps finer than 16 cells would take thousands of passes and show no more.
    rows, columns = min(rows, 16), min(columns, 16)
    fill = np.float32(np.median(crop))
    batch = np.repeat(crop[None], rows * columns + 1, axis=0)
    for index in range(rows * columns):
        middle = (index // columns + 0.5) * height / rows, (index % columns + 0.5) * width / columns
        half = OCCLUSION_CELLS * height / rows / 2, OCCLUSION_CELLS * width / columns / 2
        top, left = (max(0, round(m - h)) for m, h in zip(middle, half, strict=True))
        batch[index, top : round(middle[0] + half[0]), left : round(middle[1] + half[1])] = fill
    logits = explainer.classifier.logits(batch)
    return (logits[-1] - logits[:-1]).T.reshape(-1, rows, columns)


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


@dataclass(frozen=True)
class Method:
    """A way to explain: its title, its source, and how it makes the maps of all classes.

    Attributes:
        maps: of a compiled method `(activations, gradients) -> [classes, rows, columns]`, always at hand; of the others
            `(explainer, crop) -> [classes, rows, columns]`, on demand.
        signed: its maps also say what speaks against a class.
        gradient_of_input: it looks at pixels, not at the convolution's cells.
    """

    title: str
    source: str
    maps: Callable = field(repr=False)
    compiled: bool = False
    signed: bool = False
    gradient_of_input: bool = False


METHODS = {
    "grad-cam": Method("Grad-CAM", "Selvaraju 2017", grad_cam, compiled=True),
    "hires-cam": Method("HiResCAM", "Draelos and Carin 2020", hires_cam, compiled=True, signed=True),
    "grad-cam++": Method("Grad-CAM++", "Chattopadhay 2018", _visualized("GradcamPlusPlus")),
    "layer-cam": Method("LayerCAM", "Jiang 2021", _visualized("Layercam")),
    "score-cam": Method("Score-CAM", "Wang 2020", _visualized("Scorecam")),
    "faster-score-cam": Method("Faster Score-CAM", "Li 2021", _visualized("Scorecam", max_N=FASTER_CHANNELS)),
    "smooth-grad": Method("Saliency, SmoothGrad", "Smilkov 2017", _smooth_saliency, gradient_of_input=True),
    "occlusion": Method("Occlusion", "Zeiler and Fergus 2014", _occlusion, signed=True),
}
DEFAULT_METHOD = "grad-cam"


def explanation_method(name: str) -> Method:
    """The method of that name; raises `UsageError` naming those there are."""
    try:
        return METHODS[name]
    except KeyError:
        raise UsageError(f"There is no explanation method '{name}'. Accepted: {', '.join(METHODS)}.") from None
