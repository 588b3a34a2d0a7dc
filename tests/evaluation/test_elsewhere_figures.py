"""What slices are called, by where they are from."""

from pathlib import Path

import numpy as np
import pytest

from lungcnn.classes import BENIGN, MALIGNANT, NORMAL
from lungcnn.dataset.crops import CropSet
from lungcnn.dataset.elsewhere import DISEASED
from lungcnn.dataset.folder import HOME, DatasetSlice
from lungcnn.evaluation.elsewhere import calls_by_collection
from lungcnn.evaluation.metrics import Predictions
from lungcnn.evaluation.sentences import elsewhere_sentence
from lungcnn.evaluation.tables import calls_table

SURE, UNSURE = (np.array([[1.0, 1.0, 9.0, 9.0]]), np.array([True])), (np.zeros((0, 4)), np.zeros(0, bool))
# Where from, what it shows, boxes, what it is called.
SLICES = [
    (HOME, NORMAL, None, NORMAL),
    (HOME, NORMAL, None, BENIGN),
    (HOME, MALIGNANT, SURE, MALIGNANT),
    (HOME, MALIGNANT, UNSURE, NORMAL),
    ("A", NORMAL, None, NORMAL),
    ("A", NORMAL, None, NORMAL),
    ("A", NORMAL, None, MALIGNANT),
    ("A", MALIGNANT, SURE, MALIGNANT),
    ("B", DISEASED, None, MALIGNANT),
    ("B", DISEASED, None, BENIGN),
    ("B", MALIGNANT, SURE, NORMAL),
]


@pytest.fixture
def found():
    slices = tuple(
        DatasetSlice(Path(), f"{number}.png", label, "", f"case {number}", "dev", None, collection=name)
        for number, (name, label, _, _) in enumerate(SLICES)
    )
    boxes = tuple(seen for _, _, seen, _ in SLICES)
    blank = np.zeros((len(SLICES), 1, 1))
    crop_set = CropSet(slices, blank, blank, boxes, (None,) * len(SLICES))
    called = np.array([one for *_, one in SLICES])
    p = np.eye(3)[called] * 0.4 + 0.2
    unset = np.full(len(SLICES), np.nan)
    run = Predictions(p, crop_set.labels, crop_set.cases, unset, np.tile(unset[:, None], 3))
    return calls_by_collection([run, run], crop_set, resamples=50)


def test_calls_are_counted_by_source_and_by_what_is_seen(found):
    assert found["home"]["healthy"]["normal"]["value"] == 0.5
    assert found["home"]["tumour"]["slices"] == 1, "where nothing is seen there is nothing to find"
    assert found["home"]["tumour"]["malignant"]["value"] == 1
    assert found["elsewhere"]["healthy"]["malignant"]["value"] == pytest.approx(1 / 3, abs=1e-4)
    assert found["elsewhere"]["tumour"]["malignant"]["value"] == 0.5
    assert found["collections"]["A"]["healthy"] == {"slices": 3, "normal": 0.6667, "benign": 0.0, "malignant": 0.3333}
    assert found["collections"]["B"]["diseased"]["malignant"] == 0.5
    assert "healthy" not in found["collections"]["B"]
    # Of 2 x 3 pairs: the tumour that is called so beats two and ties with one, the other ties with two.
    assert found["auc"]["value"] == pytest.approx((2.5 + 1) / 6, abs=1e-4)


def test_the_table_names_home_first_and_leaves_open_what_is_not_there(found):
    lines = calls_table(found).markdown.splitlines()
    assert lines[2].startswith("| **Home** | 0.500 (")
    assert lines[2].endswith("| – |")
    assert lines[3].startswith("| **Elsewhere** |")
    assert lines[4] == "| A | 0.67 of 3 | 0.33 of 3 | 1.00 of 1 | – |"
    assert lines[5] == "| B | – | – | 0.00 of 1 | 0.50 of 2 |"
    assert "AUC 0.583" in elsewhere_sentence(found)
