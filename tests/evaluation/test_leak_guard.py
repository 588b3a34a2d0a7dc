import cv2
import numpy as np
import pytest

from lungcnn.evaluation.leak_guard import near_duplicates, perceptual_hashes
from lungcnn.phantoms.bundled import PHANTOMS, PhantomSpec, draw
from lungcnn.preprocessing.anatomy import find_anatomy
from lungcnn.reading.loading import load_slice
from lungcnn.windowing import to_grey


def hashes_of(*pictures):
    crops = [find_anatomy(load_slice(cv2.imencode(".png", picture)[1].tobytes())).crop for picture in pictures]
    return perceptual_hashes(np.stack(crops))


@pytest.fixture(scope="module")
def grey(phantom):
    return to_grey(phantom.hu)


def test_other_exports_of_a_slice_are_near_duplicates(grey):
    compressed = cv2.imdecode(cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_GRAYSCALE)
    smaller = cv2.resize(grey, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
    wider = np.pad(grey, 40, constant_values=int(grey.min()))
    blurred = cv2.GaussianBlur(grey, (0, 0), 1.0)
    ours = hashes_of(compressed, smaller, wider, blurred)
    assert near_duplicates(ours, hashes_of(grey)).all()


def test_other_patients_are_not(grey):
    others = [draw(PhantomSpec("", "", level, 300 + i)) for i, level in enumerate(("carina", "hilum", "heart"))]
    ours = hashes_of(*[to_grey(other.hu) for other in others])
    theirs = hashes_of(*[to_grey(draw(name).hu) for name in PHANTOMS])
    assert not near_duplicates(ours, theirs).any()


def test_nothing_to_compare_with():
    assert near_duplicates([], ["0" * 64]).tolist() == []
    assert near_duplicates(["0" * 64], []).tolist() == [False]


def test_the_limit_counts_bits():
    def with_bits(count):
        return f"{(1 << count) - 1:064x}"

    found = near_duplicates([with_bits(0), with_bits(21), with_bits(22)], [with_bits(0)])
    assert found.tolist() == [True, True, False]
