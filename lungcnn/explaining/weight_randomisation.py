"""The model parameter randomisation test: with its weights randomised, a model's maps must change (Adebayo 2018)."""

import numpy as np

from lungcnn.classes import CLASSES, Classes
from lungcnn.explaining.explainer import Explainer
from lungcnn.explaining.faithfulness import rank_correlation
from lungcnn.explaining.methods import DEFAULT_METHOD
from lungcnn.model.classifier import Classifier

# Above this mean rank correlation, the maps of a fully random network still look like the trained one's.
SURVIVES = 0.5


def randomisation_test(network, classes: Classes = CLASSES, seed: int = 0) -> dict:
    """Randomise a network's layers one after another from the top, and compare its maps with what they were.

    The maps are of the suspicious class (the last where there is none), by the default method, on the bundled phantoms.

    Args:
        network: `keras.Model`; left as it is.

    Returns:
        `{"layers": names in the order of randomisation, "correlation": mean rank correlation with the trained network's
        maps after each, "survives": whether the last is above 0.5}`.
    """
    import keras

    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    classifier, crops = Classifier.of(network), _phantom_crops()
    copy, fresh = classifier.engine.keras_graph().model, keras.models.clone_model(classifier.engine.keras_graph().model)
    label = len(classes) - 1 if classes.suspect is None else classes.suspect
    before = _maps(classifier, crops, label)
    layers = [layer.name for layer in reversed(copy.layers) if layer.weights]
    correlations = []
    for name in layers:
        copy.get_layer(name).set_weights(_randomised(fresh.get_layer(name), rng))
        pairs = zip(before, _maps(classifier, crops, label), strict=True)
        found = [rank_correlation(one, other) for one, other in pairs]
        # A map that vanished has nothing in common with what it was.
        correlations.append(round(float(np.mean([value or 0.0 for value in found])), 4))
    return {"layers": layers, "correlation": correlations, "survives": correlations[-1] > SURVIVES}


def _randomised(layer, rng) -> list[np.ndarray]:
    """First weights anew; normalisation layers, whose first weights are all alike, get random ones."""
    weights = layer.get_weights()
    if type(layer).__name__ == "BatchNormalization":
        return [rng.uniform(0.5, 1.5, part.shape).astype(part.dtype) for part in weights]
    return weights


def _maps(classifier, crops, label: int) -> np.ndarray:
    explainer = Explainer(classifier)
    return np.stack([explainer.maps(DEFAULT_METHOD, crop, classifier(crop[None]))[label] for crop in crops])


def _phantom_crops() -> np.ndarray:
    from lungcnn.phantoms.bundled import PHANTOMS, draw
    from lungcnn.preprocessing.anatomy import find_anatomy
    from lungcnn.reading.ct_slice import CTSlice

    phantoms = [draw(name) for name in PHANTOMS]
    return np.stack([find_anatomy(CTSlice(phantom.hu, phantom.spacing)).crop for phantom in phantoms])
