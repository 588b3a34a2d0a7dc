"""Places of a slice, on maps with known answers."""

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from lungcnn.classes import MALIGNANT
from lungcnn.explaining.evidence import EvidenceOfMaxima, EvidenceOfSums
from lungcnn.explaining.peaks import find_peaks
from lungcnn.model.calibration import Calibration, calibrate
from lungcnn.preprocessing.lung_crop import CropBox
from lungcnn.preprocessing.turn import Turn

WEIGHTS, BIAS = np.float32([[-1, -0.5, 2.0], [0.5, 0.2, 0]]), np.float32([1, 0.5, -1.5])
BOX = CropBox(left=100, top=40, width=320, height=320, rows=512, columns=512)


def evidence_of(places, size=16):
    """Of a map with `value` of the malignant channel in given cells `(row, column)`; the other channel is 1."""
    found = np.zeros((size, size, 2), np.float32)
    found[..., 1] = 1
    for (row, column), value in places.items():
        found[row, column, 0] = value
    return EvidenceOfMaxima(found, WEIGHTS, BIAS, MALIGNANT), found


def p_of(found, temperature=1.0):
    return float(calibrate((found.max(axis=(0, 1)) @ WEIGHTS + BIAS)[None], Calibration(temperature))[0, 2])


def test_a_place_alone_has_the_probability_of_its_slice():
    evidence, found = evidence_of({(3, 10): 2.0})
    (peak,) = find_peaks(evidence, BOX, Calibration(temperature=1.3), 0.1)
    assert peak.malignant == pytest.approx(p_of(found, 1.3), abs=1e-6)
    assert (peak.x, peak.y) == (100 + 10.5 * 20, 40 + 3.5 * 20)
    assert peak.cell == (20, 20)
    assert peak.left < peak.x < peak.right
    assert peak.right - peak.left == pytest.approx(20, abs=5), "half of the way to the next cell on either side"
    assert peak.share == 1


def test_each_of_two_places_has_what_it_would_have_alone():
    both, _ = evidence_of({(3, 10): 2.0, (12, 4): 1.2})
    strong, weak = find_peaks(both, BOX, Calibration(), 0.1)
    for peak, cell, value in ((strong, (3, 10), 2.0), (weak, (12, 4), 1.2)):
        assert peak.malignant == pytest.approx(p_of(evidence_of({cell: value})[1]), abs=1e-6)
        assert (peak.y, peak.x) == (40 + (cell[0] + 0.5) * 20, 100 + (cell[1] + 0.5) * 20)
    assert (strong.share, weak.share) == pytest.approx((2 / 3.2, 1.2 / 3.2), abs=0.03)
    assert find_peaks(both, BOX, Calibration(), weak.malignant + 0.01) == [strong]


def test_a_lesion_of_several_cells_is_one_place_and_covers_them():
    lesion = {(row, column): 2.0 - 0.1 * (row + column) for row in range(5, 8) for column in range(6, 10)}
    (peak,) = find_peaks(evidence_of(lesion)[0], BOX, Calibration(), 0.1)
    assert peak.right - peak.left == pytest.approx(80, abs=10)
    assert peak.bottom - peak.top == pytest.approx(60, abs=10)


def test_what_fills_a_third_of_the_map_is_a_place_though_it_is_most_of_the_background():
    mass = {(row, column): 2.0 + 0.01 * (row == column == 7) for row in range(3, 12) for column in range(3, 12)}
    evidence, found = evidence_of(mass)
    (peak,) = find_peaks(evidence, BOX, Calibration(), 0.1)
    assert peak.malignant == pytest.approx(p_of(found), abs=1e-6)
    assert (peak.x, peak.y) == (100 + 7.5 * 20, 40 + 7.5 * 20)


def test_a_slice_without_places_has_none_and_one_that_is_all_alike_too():
    assert find_peaks(evidence_of({})[0], BOX, Calibration(), 0.0) == []
    faint, _ = evidence_of({(3, 10): 0.05})
    assert find_peaks(faint, BOX, Calibration(), 0.0) == [], "it doesn't double the odds"


@pytest.mark.parametrize("turn", [Turn(2), Turn(1), Turn(3, mirrored=True)])
def test_turned_slices_have_their_places_where_they_are_stored(turn):
    box = CropBox(left=100, top=40, width=320, height=240, rows=512, columns=512, turn=turn)
    (peak,) = find_peaks(evidence_of({(3, 10): 2.0})[0], box, Calibration(), 0.1)
    assert (peak.x, peak.y) == pytest.approx(box.point_to_slice(10.5, 3.5, (16, 16)))
    assert peak.left < peak.x < peak.right
    assert peak.top < peak.y < peak.bottom
    assert peak.cell == (20, 15)


def test_sums_over_cells_are_taken_apart_exactly():
    shares = np.zeros((3, 8, 8), np.float32)
    shares[0] = 0.5 / 64
    shares[2, 2, 2], shares[2, 6, 5] = 3.0, 1.5
    logits = shares.sum(axis=(1, 2)) - np.float32([0, 0, 2])
    strong, weak = find_peaks(EvidenceOfSums(logits, shares, MALIGNANT), BOX, Calibration(), 0.05)
    for peak, hidden in ((strong, 1.5), (weak, 3.0)):
        assert peak.malignant == pytest.approx(
            float(calibrate((logits - np.float32([0, 0, hidden]))[None], Calibration())[0, 2]), abs=0.02
        )
    assert (strong.share, weak.share) == pytest.approx((2 / 3, 1 / 3), abs=0.01)


@given(st.integers(0, 2**32 - 1), st.sampled_from([4, 8, 16]), st.floats(0, 0.5), st.floats(0.3, 3))
@example(132, 4, 0.0, 3.0)  # one place has all the evidence
@settings(max_examples=60, deadline=None)
def test_any_map_gives_places_that_hold_their_peaks_and_say_no_more_than_the_slice(seed, size, least, contrast):
    rng = np.random.default_rng(seed)
    found = np.maximum(rng.normal(0, contrast, (size, size, 2)), 0).astype(np.float32)
    peaks = find_peaks(EvidenceOfMaxima(found, WEIGHTS, BIAS, MALIGNANT), BOX, Calibration(), least)
    assert len(peaks) <= 8
    for peak in peaks:
        assert least <= peak.malignant <= p_of(found) + 1e-6
        assert BOX.left <= peak.left < peak.x < peak.right <= BOX.left + BOX.width
        assert BOX.top <= peak.top < peak.y < peak.bottom <= BOX.top + BOX.height
        assert 0 < peak.share <= 1
        assert peak.strength > 0
    assert [peak.strength for peak in peaks] == sorted((peak.strength for peak in peaks), reverse=True)
