from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lungcnn.softening import noise_level, soften


def crop_of_tissue(noise=0.0, seed=1):
    """A smooth ramp within the greys of soft tissue, with noise of a known level."""
    ramp = np.linspace(0.84, 0.88, 128, dtype=np.float32)[None].repeat(128, axis=0)
    return (ramp + np.random.default_rng(seed).normal(0, noise, ramp.shape)).astype(np.float32)


@pytest.mark.parametrize("noise", [0.002, 0.006, 0.01])
def test_the_level_of_known_noise_is_found(noise):
    assert noise_level(crop_of_tissue(noise)) == pytest.approx(noise, rel=0.08)


def test_a_ramp_and_an_edge_are_not_noise():
    picture = crop_of_tissue()
    picture[:, 64:] -= 0.04
    assert noise_level(picture) < 1e-5


def test_without_tissue_there_is_no_level():
    assert noise_level(np.full((128, 128), 0.3, np.float32)) == 0


@settings(max_examples=30, deadline=None)
@given(st.floats(0.009, 0.015), st.integers(0, 1000))
def test_softening_takes_noise_and_leaves_tissue_and_edges(noise, seed):
    picture = crop_of_tissue(noise, seed)
    picture[:, 64:] -= 0.5
    softened = soften(np.clip(picture, 0, 1), np.random.default_rng(seed))
    assert (softened.dtype, softened.shape) == (np.float32, (128, 128))
    assert 0 <= softened.min() <= softened.max() <= 1
    assert noise_level(softened) < 0.65 * noise
    assert softened[:, :60].mean() == pytest.approx(picture[:, :60].mean(), abs=0.003)
    step = softened[:, 60].mean() - softened[:, 67].mean()
    assert step == pytest.approx(0.5, abs=0.01)


def test_softening_repeats_with_its_seed():
    picture = crop_of_tissue(0.012)
    one, other = (soften(picture, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert not np.array_equal(one, soften(picture, np.random.default_rng(5)))


@pytest.mark.data
def test_noise_tells_the_class_of_real_slices_until_the_others_are_softened(data):
    from sklearn.metrics import roc_auc_score

    from lungcnn.dataset import crop_dataset, read_dataset

    found = read_dataset(data / "iq-oth-nccd")
    crop_set = crop_dataset(replace(found, slices=found.slices[::4]))
    malignant, rng = crop_set.labels == 2, np.random.default_rng(0)
    before = [noise_level(crop) for crop in crop_set.crops]
    after = [noise_level(c if m else soften(c, rng)) for c, m in zip(crop_set.crops, malignant, strict=True)]
    assert roc_auc_score(malignant, np.negative(before)) > 0.97
    assert roc_auc_score(malignant, np.negative(after)) < 0.75
