"""Disease without a tumour, drawn into crops."""

import numpy as np
import pytest
from test_lesion_editing import symmetric_chest

from lungcnn.training import diffuse
from lungcnn.training.diffuse import draw_disease


@pytest.fixture
def chest():
    return symmetric_chest()


def test_it_brightens_lung_and_leaves_the_rest(chest):
    crop, lungs = chest
    changed = []
    for seed in range(30):
        drawn = draw_disease(crop, lungs, np.random.default_rng(seed))
        assert drawn.dtype == np.float32
        assert 0 <= drawn.min() <= drawn.max() <= 1
        assert (drawn >= crop - 1e-6).all()
        np.testing.assert_allclose(drawn[~lungs], crop[~lungs], atol=0.16)
        changed.append(float((drawn - crop)[lungs].mean()))
    assert np.mean(changed) > 0.02
    np.testing.assert_array_equal(
        draw_disease(crop, lungs, np.random.default_rng(3)), draw_disease(crop, lungs, np.random.default_rng(3))
    )


def test_fluid_lies_at_the_back(chest):
    crop, lungs = chest
    drawn = [diffuse._fluid(crop, lungs, np.random.default_rng(seed)) for seed in range(10)]
    for opacity in drawn:
        assert opacity[:50].max() < 0.1
        assert opacity[64:].sum() > 0.95 * opacity.sum()
    assert max(opacity.max() for opacity in drawn) > 0.9


def test_a_slice_without_lung_stays_as_it_is(chest):
    crop, lungs = chest
    np.testing.assert_array_equal(draw_disease(crop, np.zeros_like(lungs), np.random.default_rng(0)), crop)
