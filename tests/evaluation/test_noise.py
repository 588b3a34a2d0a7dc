from dataclasses import replace

import numpy as np
import pytest

from lungcnn.evaluation.noise import noise_level


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


@pytest.mark.data
def test_noise_alone_tells_the_class_of_real_slices(data):
    from sklearn.metrics import roc_auc_score

    from lungcnn.dataset.crops import crop_dataset
    from lungcnn.dataset.folder import read_dataset

    found = read_dataset(data / "iq-oth-nccd")
    crop_set = crop_dataset(replace(found, slices=found.slices[::4]))
    levels = [noise_level(crop) for crop in crop_set.crops]
    assert roc_auc_score(crop_set.labels == 2, np.negative(levels)) > 0.97
