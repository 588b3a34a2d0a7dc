import numpy as np
import pytest
from scipy import ndimage

from lungcnn.masks import at_the_border, largest_piece, of_columns, of_pieces, pieces


@pytest.mark.parametrize("density", [0.0, 0.3, 0.6, 1.0])
def test_pieces_are_those_of_scipy(density):
    mask = (np.random.default_rng(0).random((90, 120)) < density).astype(np.uint8)
    labels, areas = pieces(mask)
    expected, count = ndimage.label(mask)
    assert len(areas) == count + 1
    np.testing.assert_array_equal(areas[1:], np.bincount(expected.ravel(), minlength=count + 1)[1:])
    np.testing.assert_array_equal(of_pieces(labels, areas > 0), mask)
    touching = {label for line in (labels[[0, -1]], labels[:, [0, -1]]) for label in line.ravel().tolist()}
    assert set(np.flatnonzero(at_the_border(labels, count + 1)).tolist()) == touching - {0}
    np.testing.assert_array_equal(of_columns(mask[:, ::-1] > 0), mask.sum(axis=0)[::-1])
    largest = largest_piece(mask)
    assert (largest is None) if count == 0 else (largest.sum() == areas.max())


def test_as_many_pieces_as_a_mask_can_have():
    mask = np.indices((288, 288)).sum(axis=0) % 2
    _, areas = pieces(mask.astype(np.uint8))
    assert areas.tolist() == [0, *[1] * (288 * 288 // 2)]
