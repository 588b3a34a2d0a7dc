import dataclasses

import numpy as np
import pytest

from lungcnn.classes import CLASSES
from lungcnn.explaining.evidence_scale import EvidenceScale, fit_evidence_scale


@pytest.fixture(scope="module")
def scale(pipeline):
    rng = np.random.default_rng(0)
    crops = rng.random((9, 128, 128), np.float32)
    return fit_evidence_scale(pipeline.classifier, crops, np.arange(9) % 3)


def test_words_follow_the_training_slices_and_never_fall(scale):
    assert EvidenceScale.from_card(scale.as_dict()) == scale
    assert set(scale.limits) == {"grad-cam", "hires-cam", "grad-cam++", "layer-cam"}
    for label in range(len(CLASSES)):
        some, much = scale.limits["hires-cam"][label]
        assert 0 <= some <= much
        words = [scale.strength("hires-cam", label, peak) for peak in (-1, some, (some + much) / 2, much + 1)]
        assert words[:2] == ["none", "none"]
        assert words[2] in ("weak", "none")
        assert words[3] == "strong"
    assert scale.strength("occlusion", 0, 1.0) is None


def test_a_report_tells_the_strength_as_far_as_the_card_does(pipeline, phantom_slice, scale):
    for card, expected in (
        (dataclasses.replace(pipeline.card, evidence=scale.as_dict()), {"none", "weak", "strong"}),
        (dataclasses.replace(pipeline.card, evidence=scale.as_dict() | {"layer": "conv1"}), {None}),
        (dataclasses.replace(pipeline.card, evidence={}), {None}),
    ):
        report = dataclasses.replace(pipeline, card=card).run(phantom_slice, checks=False)
        assert report.explanation.strength in expected
        assert report.to_json()["explanation"]["strength"] == report.explanation.strength
