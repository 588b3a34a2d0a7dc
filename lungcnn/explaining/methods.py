"""Grad-CAM and its relatives: which places speak for a class, and which against it.

A method turns one crop into a map per class, at the resolution at which it looks. Explaining the logit, not the
softmax score, keeps a map from fading where the network is sure. Maps of all classes come together, so that they can be
shown on one scale, where a weak map looks weak. Another method is a function and a row in `METHODS`: whatever else is
asked of a method stands in its row.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lungcnn.errors import UsageError
from lungcnn.explaining.cam import grad_cam, grad_cam_plus_plus, hires_cam, layer_cam
from lungcnn.explaining.occlusion import occlusion
from lungcnn.explaining.score_cam import faster_score_cam, score_cam
from lungcnn.explaining.smooth_grad import smooth_grad

if TYPE_CHECKING:  # `--help` lists the methods, and shouldn't wait for OpenCV
    from lungcnn.model.classifier import Classification


@dataclass(frozen=True)
class Method:
    """A way to explain: its title, its source, how it makes the maps of all classes, and what they say.

    Attributes:
        of_map: `Classification -> [n, classes, rows, columns]`, from the convolution's map: always at hand. Or else:
        on_demand: `(explainer, crop) -> [classes, rows, columns]`, by further passes through the network.
        unit: of the maps' values.
        signed: its maps also say what speaks against a class.
        gradient_of_input: it looks at pixels, not at the convolution's cells.
        slow: it takes many passes through the network, up to seconds a slice.
    """

    title: str
    source: str
    of_map: "Callable[[Classification], np.ndarray] | None" = field(default=None, repr=False)
    on_demand: Callable[..., np.ndarray] | None = field(default=None, repr=False)
    unit: str = "logits"
    signed: bool = False
    gradient_of_input: bool = False
    slow: bool = False

    def __post_init__(self):
        if (self.of_map is None) == (self.on_demand is None):
            raise UsageError(f"The method '{self.title}' is made by `of_map` or by `on_demand`: give one of them.")


# Grad-CAM++ multiplies by the exponential of the logit, Score-CAM activations by probabilities.
_NO_UNIT = "arbitrary units"
METHODS = {
    "grad-cam": Method("Grad-CAM", "Selvaraju 2017", lambda found: grad_cam(found.activations, found.gradients)),
    "hires-cam": Method(
        "HiResCAM", "Draelos and Carin 2020", lambda found: hires_cam(found.activations, found.gradients), signed=True
    ),
    "grad-cam++": Method(
        "Grad-CAM++",
        "Chattopadhay 2018",
        lambda found: grad_cam_plus_plus(found.activations, found.gradients, found.logits),
        unit=_NO_UNIT,
    ),
    "layer-cam": Method("LayerCAM", "Jiang 2021", lambda found: layer_cam(found.activations, found.gradients)),
    "score-cam": Method("Score-CAM", "Wang 2020", on_demand=score_cam, unit=_NO_UNIT, slow=True),
    "faster-score-cam": Method("Faster Score-CAM", "Li 2021", on_demand=faster_score_cam, unit=_NO_UNIT, slow=True),
    "smooth-grad": Method(
        "Saliency, SmoothGrad",
        "Smilkov 2017",
        on_demand=smooth_grad,
        unit="logits per grey level",
        gradient_of_input=True,
        slow=True,
    ),
    "occlusion": Method("Occlusion", "Zeiler and Fergus 2014", on_demand=occlusion, signed=True, slow=True),
}
DEFAULT_METHOD = "grad-cam"


def explanation_method(name: str) -> Method:
    """The method of that name; raises `UsageError` naming those there are."""
    try:
        return METHODS[name]
    except KeyError:
        raise UsageError(f"There is no explanation method '{name}'. Accepted: {', '.join(METHODS)}.") from None
