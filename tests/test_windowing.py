import numpy as np
import pytest
from hypothesis import given, strategies as st

from lungcnn.errors import UsageError
from lungcnn.windowing import DATASET, WINDOWS, Window, from_grey, to_grey, to_unit


def test_dataset_window_ends_and_known_tissues():
    assert (DATASET.lower, DATASET.upper) == (-1250, 250)
    # Measured on the dataset: air near grey 38-42, soft tissue near 219.
    assert to_grey(np.array([-1250, -1024, -1000, 38, 250])).tolist() == [0, 38, 43, 219, 255]


def test_presets_are_the_radiologists():
    assert {name: (w.centre, w.width) for name, w in WINDOWS.items()} == {
        "lung": (-600, 1500),
        "dataset": (-500, 1500),
        "mediastinum": (50, 350),
        "bone": (400, 1800),
    }


@given(st.integers(0, 255))
def test_grey_to_hu_and_back_is_exact(level):
    assert to_grey(from_grey(np.array(level))) == level


@given(st.floats(-5000, 5000), st.floats(-5000, 5000))
def test_mapping_never_falls_and_stays_in_range(one, other):
    low, high = sorted((one, other))
    a, b = to_unit(np.array([low, high]))
    assert 0 <= a <= b <= 1


@pytest.mark.parametrize("width", [0, -1, float("nan")])
def test_window_without_width_is_refused(width):
    with pytest.raises(UsageError, match="positive"):
        Window(0, width)
