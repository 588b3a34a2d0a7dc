"""Disease without a tumour, drawn into crops."""

import cv2
import numpy as np
import pytest
from test_lesion_editing import symmetric_chest

from lungcnn.training import diffuse
from lungcnn.training.diffuse import draw_disease


@pytest.fixture
def chest():
    return symmetric_chest()


@pytest.mark.parametrize("pneumonia", [False, True])
def test_it_brightens_lung_and_leaves_the_rest(chest, pneumonia):
    crop, lungs = chest
    changed, shares = [], []
    for seed in range(30):
        drawn, inflamed = draw_disease(crop, lungs, np.random.default_rng(seed), pneumonia)
        assert drawn.dtype == np.float32
        assert 0 <= drawn.min() <= drawn.max() <= 1
        assert (drawn >= crop - 1e-6).all()
        np.testing.assert_allclose(drawn[~lungs], crop[~lungs], atol=0.16)
        changed.append(float((drawn - crop)[lungs].mean()))
        shares.append(inflamed)
        # What one kind changed a second one may have changed, too.
        assert inflamed <= ((drawn - crop)[lungs] > 0.11).mean()
    assert np.mean(changed) > 0.02
    assert min(shares) == 0 < 0.1 < np.median(shares)
    again = draw_disease(crop, lungs, np.random.default_rng(29), pneumonia)
    np.testing.assert_array_equal(again[0], drawn)
    assert again[1] == inflamed


@pytest.mark.parametrize("kind", [diffuse._fluid, diffuse._bands])
def test_fluid_and_scars_are_no_inflammation(chest, monkeypatch, kind):
    crop, lungs = chest
    # Two kinds, since two may be drawn; the second never comes first.
    monkeypatch.setattr(diffuse, "_KINDS", {kind: 1.0, diffuse._reticulation: 1e-12})
    found = [draw_disease(crop, lungs, np.random.default_rng(seed)) for seed in range(12)]
    assert max((drawn - crop)[lungs].max() for drawn, _ in found) > 0.3
    assert [inflamed for _, inflamed in found].count(0) >= 3


def test_pneumonia_is_airless_lung_with_ragged_edges_in_ground_glass(chest):
    crop, lungs = chest
    drawn = [diffuse._pneumonia(crop, lungs, np.random.default_rng(seed)) for seed in range(20)]
    for opacity in drawn:
        assert opacity[~lungs].max() < 1
        assert opacity[_far_from(lungs)].max() == 0
    seen = [opacity for opacity in drawn if (opacity > 0.6).sum() > 40]
    assert len(seen) > 10
    assert np.mean([((opacity > 0.1) & (opacity < 0.6)).sum() / (opacity > 0.6).sum() for opacity in seen]) > 0.3
    # A disc of the same area has a shorter border than these.
    assert np.median([_border(opacity > 0.6) / np.sqrt(4 * np.pi * (opacity > 0.6).sum()) for opacity in seen]) > 2


def _far_from(lungs):
    return cv2.dilate(lungs.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0


def _border(mask):
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return sum(cv2.arcLength(outline, closed=True) for outline in outlines)


def test_fluid_lies_at_the_back(chest):
    crop, lungs = chest
    drawn = [diffuse._fluid(crop, lungs, np.random.default_rng(seed)) for seed in range(10)]
    for opacity in drawn:
        assert opacity[:50].max() < 0.1
        assert opacity[64:].sum() > 0.95 * opacity.sum()
    assert max(opacity.max() for opacity in drawn) > 0.9


def test_a_slice_without_lung_stays_as_it_is(chest):
    crop, lungs = chest
    drawn, inflamed = draw_disease(crop, np.zeros_like(lungs), np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, crop)
    assert inflamed == 0
