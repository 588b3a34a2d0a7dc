"""Slices of other scanners, from a list."""

import csv

import cv2
import numpy as np
import pytest

from lungcnn.classes import MALIGNANT, NORMAL
from lungcnn.dataset.elsewhere import DISEASED, read_elsewhere
from lungcnn.errors import DatasetError
from lungcnn.gate.examine import admit
from lungcnn.phantoms.bundled import draw
from lungcnn.windowing import to_grey

COLUMNS = ["file", "label", "patient", "x0", "y0", "x1", "y1", "collection", "licence"]


def write(folder, rows):
    folder.mkdir(exist_ok=True)
    for row in rows:
        name = "arch-spiculated-mass" if row[1] == "malignant" else "carina-normal"
        cv2.imwrite(str(folder / row[0]), to_grey(draw(name).hu))
    with (folder / "slices.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([COLUMNS, *rows])


@pytest.fixture
def listed(tmp_path):
    empty = [""] * 4
    write(
        tmp_path / "other-scanners",
        [
            ["a.png", "malignant", "1", "120", "210", "200", "300", "A", "CC BY 4.0"],
            ["a.png", "malignant", "1", "300", "210", "320", "240", "A", "CC BY 4.0"],
            ["b.png", "normal", "2", *empty, "A", "CC BY 4.0"],
            ["c.png", "other", "3", *empty, "B", "CC BY-NC 4.0"],
            ["d.png", "malignant", "4", *empty, "C", "CC BY 3.0"],
            ["e.png", "unclear", "5", *empty, "C", "CC BY 3.0"],
        ],
    )
    return tmp_path


def test_labels_boxes_licences_and_cases_come_from_the_list(listed):
    found = read_elsewhere(listed, admit)
    crops = found.crop_set
    assert [item.file for item in crops.slices] == ["a.png", "b.png", "c.png", "d.png"]
    np.testing.assert_array_equal(crops.labels, [MALIGNANT, NORMAL, DISEASED, MALIGNANT])
    np.testing.assert_array_equal(found.learnable, [True, True, False, True])
    assert crops.slices[0].case == "A/1"
    boxes, sure = crops.boxes[0]
    assert boxes.shape == (2, 4)
    assert sure.all()
    assert (boxes[0][2:] > boxes[0][:2]).all()
    assert crops.boxes[3] is None, "nobody drew a box, so nobody looked"


def test_folds_hold_whole_collections(listed):
    found = read_elsewhere(listed, admit)
    folds, collections = found.folds(3), found.crop_set.collections
    assert len(set(folds)) == 3
    for name in set(collections):
        assert len(set(folds[collections == name])) == 1


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "b.png").unlink(), "b.png"),
        (lambda folder: (folder / "slices.csv").write_text("file,label\nb.png,normal\n"), "columns"),
        (lambda folder: (folder / "slices.csv").unlink(), "no slices.csv"),
    ],
)
def test_a_list_that_does_not_fit_is_named(listed, spoil, said):
    spoil(listed / "other-scanners")
    with pytest.raises(DatasetError, match=said):
        read_elsewhere(listed, admit)
