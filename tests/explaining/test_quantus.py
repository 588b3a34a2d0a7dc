"""Quantus as an oracle of the deletion curve.

It isn't among the requirements: it brings a second OpenCV, whose files overwrite the headless one's. Where it is
installed, this runs.
"""

import numpy as np
import pytest

from lungcnn.explaining.faithfulness import deletion_insertion
from lungcnn.gate.examine import admit
from lungcnn.model.card import load_model
from lungcnn.model.classifier import Classifier

quantus = pytest.importorskip("quantus")
pytest.importorskip("keras")


def test_the_deletion_curve_is_that_of_pixel_flipping(phantom_slice):
    network, _ = load_model()
    anatomy, label = admit(phantom_slice), 2
    cells = np.random.default_rng(5).normal(0, 1, (16, 16))  # no ties: among equals our order is random
    classifier = Classifier.of(network)
    before = float(classifier.probabilities(anatomy.crop[None])[0, label])
    ours = deletion_insertion(classifier, anatomy.crop, anatomy.crop_lungs, cells, label, before).curves.deletion
    flipping = quantus.PixelFlipping(
        features_in_step=128 * 128 // 8,
        perturb_baseline=float(np.median(anatomy.crop[anatomy.crop_lungs])),
        normalise=False,
        abs=False,
        disable_warnings=True,
    )
    pixels = np.kron(cells, np.ones((8, 8)))
    (curve,) = flipping(
        model=network,
        x_batch=anatomy.crop[None, ..., None],
        y_batch=np.array([label]),
        a_batch=pixels[None, None],
        channel_first=False,
    )
    np.testing.assert_allclose(ours[1:], curve, atol=1e-4)
