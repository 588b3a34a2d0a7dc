"""Nodules pasted into crops, on patches with known content."""

import numpy as np
import pytest

from lungcnn.errors import DatasetError
from lungcnn.training.nodules import read_nodules


def patch(lung, tissue, radius):
    """A round nodule of soft tissue in lung, with a wall of soft tissue at one side, on levels of its own."""
    ys, xs = np.mgrid[:64, :64]
    nodule = (ys - 32) ** 2 + (xs - 32) ** 2 <= radius**2
    return np.where(nodule | (xs > 50), tissue, lung).astype(np.uint8), nodule.astype(np.uint8) * 255


@pytest.fixture
def file(tmp_path):
    """Two suspicious nodules on different levels, a harmless one, an indeterminate one, and one that is too small."""
    made = [patch(20, 180, 6), patch(90, 200, 8), patch(20, 180, 5), patch(20, 180, 6), patch(20, 180, 1)]
    path = tmp_path / "some-nodules.npz"
    np.savez(path, patch=[p for p, _ in made], mask=[m for _, m in made], malignancy=[5.0, 4.0, 1.0, 3.0, 5.0])
    return path


@pytest.fixture
def chest():
    crop, lungs = np.full((128, 128), 0.85, np.float32), np.zeros((128, 128), bool)
    lungs[20:108, 10:118] = True
    return np.where(lungs, np.float32(0.2), crop), lungs


def test_kind_and_size_decide_and_levels_come_back_from_each_patch(file):
    found = read_nodules(file)
    assert len(found["malignant"].levels) == 2
    assert len(found["benign"].levels) == 1
    for level, mask in zip(found["malignant"].levels, found["malignant"].masks, strict=True):
        assert np.median(level[mask > 0.5]) == pytest.approx(1, abs=0.05)
        assert np.median(level[(mask < 0.5)]) == pytest.approx(0, abs=0.05)


def test_a_pasted_nodule_is_tissue_of_this_chest_where_its_mask_says(file, chest):
    crop, lungs = chest
    found, seen = read_nodules(file)["malignant"], 0
    for seed in range(20):
        drawn, mask = found.paste(crop, lungs, np.random.default_rng(seed))
        if not mask.any():
            continue
        seen += 1
        assert drawn.dtype == np.float32
        assert (drawn >= crop - 1e-6).all(), "lung becomes no airier"
        inside = lungs & (mask > 0.95)
        assert np.median(drawn[inside]) == pytest.approx(0.85, abs=0.06)
        ys, xs = np.nonzero(mask > 0.3)
        far = np.hypot(*(np.mgrid[:128, :128] - np.array([ys.mean(), xs.mean()])[:, None, None])) > 14
        np.testing.assert_allclose(drawn[far], crop[far], atol=0.02)
    assert seen > 10


def test_no_lung_no_nodule(file, chest):
    crop, lungs = chest
    drawn, mask = read_nodules(file)["malignant"].paste(crop, np.zeros_like(lungs), np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, crop)
    assert not mask.any()


def test_a_file_of_something_else_is_named(tmp_path):
    path = tmp_path / "other-nodules.npz"
    np.savez(path, patch=np.zeros((1, 64, 64)))
    with pytest.raises(DatasetError, match="other-nodules"):
        read_nodules(path)
