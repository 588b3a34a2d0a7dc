"""What is learnt from beside the dataset."""

from pathlib import Path

import numpy as np
import pytest

from lungcnn.dataset.crops import CropSet
from lungcnn.dataset.elsewhere import Elsewhere
from lungcnn.dataset.folder import DatasetSlice
from lungcnn.errors import DatasetError
from lungcnn.gate.examine import admit
from lungcnn.training.additional import Additional, read_additional


def slices_of(*collections):
    slices = tuple(
        DatasetSlice(Path(), f"{name}{number}", 0, "", "case", "dev", None, collection=name)
        for number, name in enumerate(collections)
    )
    blank = np.zeros((len(slices), 1, 1))
    return CropSet(slices, blank, blank, (None,) * len(slices), (None,) * len(slices))


def test_others_come_after_the_dataset_s_slices_in_folds_of_whole_collections():
    home, others = slices_of("home", "home", "home"), slices_of("A", "A", "B", "C")
    also = Additional(Elsewhere(others, np.array([True, True, False, True])))
    joined, folds, learnable = also.join(home, np.array([3, 3, 5]))
    assert [item.file for item in joined.slices] == ["home0", "home1", "home2", "A0", "A1", "B2", "C3"]
    np.testing.assert_array_equal(folds[:3], [3, 3, 5])
    assert set(folds[3:]) == {3, 5}
    assert folds[3] == folds[4] != folds[5]
    np.testing.assert_array_equal(learnable, [True] * 5 + [False, True])
    assert also.describe() == ("3 slices of other scanners to learn from, in 2 collections; 1 more to measure on alone")


def test_without_any_nothing_changes():
    home, folds = slices_of("home", "home"), np.array([0, 1])
    joined, same, learnable = Additional().join(home, folds)
    assert joined is home
    assert same is folds
    assert learnable.all()


def test_a_folder_without_either_is_named(tmp_path):
    with pytest.raises(DatasetError, match="holds nothing more to learn from"):
        read_additional(tmp_path, admit)
