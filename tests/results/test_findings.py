"""Findings: series with a marked place, judged by a network that knows the mark, and peaks made up in space."""

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from conftest import dicom_bytes
from hypothesis import given, settings, strategies as st

from lungcnn.explaining.explainer import Explainer
from lungcnn.explaining.peaks import Peak
from lungcnn.model.calibration import Calibration
from lungcnn.model.card import ModelCard
from lungcnn.model.classifier import Classifier
from lungcnn.phantoms.bundled import draw
from lungcnn.pipeline import Pipeline
from lungcnn.reading.acquisition import SliceFacts
from lungcnn.reading.series_reader import read_series
from lungcnn.results.series_findings import find_findings
from lungcnn.results.series_places import SlicePeaks

OPERATING_POINT = 0.3
# Darker than anything in a chest: the one thing the network below looks for.
MARK = -1250
SUPINE, PRONE = [1, 0, 0, 0, 1, 0], [-1, 0, 0, 0, -1, 0]


class MarkFinder:
    """An engine whose map has a channel for the mark, by its area in a cell, and one that is the same everywhere."""

    layer, cells, size = "marks", (16, 16), (128, 128)
    bias = np.float32([1.5, 1.0, -2.0])
    weights = np.float32([[0, 0, 12], [0.2, 0.2, 0]])

    def mapped(self, crops):
        """As `Engine.mapped`."""
        marks = (crops < 0.1).reshape(-1, 16, 8, 16, 8).mean(axis=(2, 4), dtype=np.float32)
        found = np.stack([marks, np.ones_like(marks)], axis=-1)
        return found.max(axis=(1, 2)) @ self.weights + self.bias, found


@pytest.fixture(scope="module")
def finder():
    calibration = Calibration(malignant_threshold=OPERATING_POINT)
    classifier = Classifier(MarkFinder(), calibration)
    return Pipeline(classifier, ModelCard(sha256="0" * 64, calibration=calibration), Explainer(classifier))


@cache
def chest():
    """The phantom that the marks are drawn on."""
    return draw("carina-normal")


@dataclass(frozen=True)
class Mark:
    """A disc on slices `first` to `last`: its centre in mm from the slice's corner, its diameter in mm."""

    first: int
    last: int
    x: float = 120.0
    y: float = 190.0
    diameter: float = 24.0


def series_of(marks=(), count=9, apart=5.0, unjudged=(), orientation=SUPINE, spacing=True, places=True, shift=None):
    """Slices of a phantom with marks; `unjudged` ones show nothing, `shift` moves the field of view by mm a slice."""
    phantom = chest()
    rows, columns = phantom.hu.shape
    dy, dx = phantom.spacing
    files = []
    for z in range(count):
        x0, y0 = (z % 2 * shift, 0.0) if shift else (0.0, 0.0)
        hu = np.roll(phantom.hu, -round(x0 / dx), axis=1) if shift else phantom.hu.copy()
        ys, xs = np.mgrid[:rows, :columns]
        for mark in marks:
            if mark.first <= z <= mark.last:
                inside = np.hypot((xs + 0.5) * dx + x0 - mark.x, (ys + 0.5) * dy + y0 - mark.y) <= mark.diameter / 2
                hu[inside] = MARK
        if z in unjudged:
            hu[:] = 0
        position = np.array([x0 + dx / 2, y0 + dy / 2, apart * z])
        if orientation == PRONE:
            hu, position = hu[::-1, ::-1], position + np.array([(columns - 1) * dx, (rows - 1) * dy, 0])
        stated = {"ImagePositionPatient": position.round(4).tolist(), "ImageOrientationPatient": orientation}
        more = stated if places else {"InstanceNumber": z + 1}
        stored = (hu + 1024).round().astype(np.int16)
        step = phantom.spacing if spacing else None
        files.append(dicom_bytes(stored, spacing=step, SeriesInstanceUID="1.2.3", SliceThickness=apart, **more))
    (series,) = read_series(files[::-1]).series
    return series


def test_what_persists_is_a_finding_and_what_lights_up_once_is_none(finder):
    lesion, dome = Mark(2, 4), Mark(6, 6, x=250.0)
    report = finder.run_series(series_of([lesion, dome]))
    assert report.profile[6, 2] > 0.9, "the dome is malignant on its slice"
    (found,) = report.findings
    assert found.slices == (2, 4)
    assert found.position_mm == (10, 20)
    assert found.peak_slice in (2, 3, 4)
    step = chest().spacing
    assert math.hypot(found.peak_xy[0] * step[1] - lesion.x, found.peak_xy[1] * step[0] - lesion.y) < 12, "half a cell"
    left, top, right, bottom = found.box_xy
    assert left < lesion.x / step[1] < right
    assert top < lesion.y / step[0] < bottom
    across, down, along = found.extent_mm
    assert along == 15
    assert abs(across - lesion.diameter) < 20, "to a cell"
    assert abs(down - lesion.diameter) < 20
    assert found.malignant == pytest.approx(float(report.profile[2:5, 2].max()), abs=1e-6), "nothing else stands out"
    assert found.above_operating_point is True
    assert found.evidence_share == 1
    assert report.findings_in_words.startswith("1 finding, 1 above the operating point")


def test_a_healthy_series_has_none(finder):
    report = finder.run_series(series_of())
    assert (report.findings, report.reasons) == ((), ())
    assert report.to_json()["findings"] == []
    assert report.findings_in_words.startswith("No findings")


def test_the_record_is_the_one_that_was_promised(finder):
    record = finder.run_series(series_of([Mark(2, 4)], count=6)).to_json()
    (found,) = record["findings"]
    promised = {"slices", "position_mm", "peak_slice", "peak_xy", "extent_mm", "malignant", "above_operating_point"}
    assert set(found) == promised | {"evidence_share"}
    assert found["slices"] == [2, 4]
    assert found["position_mm"] == [10, 20]
    assert "result" not in record


def test_two_places_of_one_slice_are_told_apart_and_the_likelier_is_first(finder):
    small, large = Mark(3, 5, x=120.0, diameter=14.0), Mark(2, 4, x=250.0)
    first, second = finder.run_series(series_of([small, large])).findings
    assert (first.slices, second.slices) == ((2, 4), (3, 5))
    assert first.malignant > second.malignant, "by its own place, though slices 3 and 4 show both"
    assert second.peak_xy[0] < first.peak_xy[0]
    assert first.evidence_share + second.evidence_share > 0.9


@pytest.mark.parametrize(
    ("apart", "first", "last", "found"),
    [(2.5, 3, 3, 0), (2.5, 3, 4, 1), (5.0, 3, 3, 0), (10.0, 3, 3, 1), (1.0, 2, 4, 0), (1.0, 2, 6, 1)],
)
def test_a_finding_is_5_mm_long_and_on_two_slices_unless_slices_are_thick(finder, apart, first, last, found):
    report = finder.run_series(series_of([Mark(first, last)], apart=apart))
    assert len(report.findings) == found
    for one in report.findings:
        assert one.extent_mm[2] == pytest.approx((last - first + 1) * apart)


def test_slices_that_cannot_be_judged_do_not_part_a_finding_and_gaps_do(finder):
    (bridged,) = finder.run_series(series_of([Mark(2, 6)], unjudged=(4,))).findings
    assert bridged.slices == (2, 6)
    apart = finder.run_series(series_of([Mark(1, 10)], count=12, unjudged=(4, 5, 6))).findings
    assert sorted(one.slices for one in apart) == [(1, 3), (7, 10)], "20 mm that nobody saw"


def test_prone_slices_give_the_same_place_of_the_patient(finder):
    marks = [Mark(2, 4)]
    (supine,) = finder.run_series(series_of(marks, count=6)).findings
    (prone,) = finder.run_series(series_of(marks, count=6, orientation=PRONE)).findings
    rows, columns = chest().hu.shape
    assert prone.peak_xy == pytest.approx((columns - supine.peak_xy[0], rows - supine.peak_xy[1]), abs=1.5)
    assert prone.slices == supine.slices
    assert prone.malignant == pytest.approx(supine.malignant, abs=0.02)


def test_places_are_the_patients_where_the_field_of_view_moves(finder):
    """By the corners of the slices the mark would jump by 60 mm from slice to slice."""
    (found,) = finder.run_series(series_of([Mark(1, 6, x=200.0)], shift=60.0)).findings
    assert found.slices == (1, 6)
    assert found.extent_mm[0] < 24 + 2 * 20


def test_without_spacing_or_positions_findings_say_what_they_know(finder):
    report = finder.run_series(series_of([Mark(2, 4)], count=6, spacing=False))
    (found,) = report.findings
    assert found.extent_mm == (None, None, 15)
    assert "no_spacing" in [note.code for note in report.notes]
    (found,) = finder.run_series(series_of([Mark(2, 4), Mark(5, 5, x=250.0)], count=6, places=False)).findings
    assert (found.slices, found.position_mm, found.extent_mm[2]) == ((2, 4), None, None)
    assert found.to_json()["position_mm"] is None


def test_a_model_without_an_operating_point_says_nothing_about_it(finder):
    classifier = Classifier(finder.classifier.engine)
    bare = Pipeline(classifier, replace(finder.card, calibration=Calibration()), Explainer(classifier))
    (found,) = bare.run_series(series_of([Mark(2, 4)], count=6)).findings
    assert found.above_operating_point is None
    assert "operating point" not in found.sentence


def test_a_network_with_another_head_has_findings_too(finder):
    """Its cells' shares of the logits are added up: here a mean over the map."""

    class MeanFinder(MarkFinder):
        weights = None

        def explained(self, crops):
            """As `Engine.explained`."""
            _, found = self.mapped(crops)
            head = np.float32([[0, 0, 600], [0.2, 0.2, 0]])
            gradients = np.broadcast_to(head.T[None, :, None, None] / 256, (len(crops), 3, 16, 16, 2))
            return found.mean(axis=(1, 2)) @ head + self.bias, found, gradients

        def mapped(self, crops):
            """As `Engine.mapped`, the logits aside."""
            marks = (crops < 0.1).reshape(-1, 16, 8, 16, 8).mean(axis=(2, 4), dtype=np.float32)
            return None, np.stack([marks, np.ones_like(marks)], axis=-1)

    classifier = Classifier(MeanFinder(), finder.classifier.calibration)
    pipeline = Pipeline(classifier, finder.card, Explainer(classifier))
    report = pipeline.run_series(series_of([Mark(2, 4), Mark(6, 6, x=250.0)]))
    (found,) = report.findings
    assert found.slices == (2, 4)
    assert found.malignant == pytest.approx(float(report.profile[2:5, 2].max()), abs=0.02)


# ---------------------------------------------------------------- made-up peaks

CELL = 20.0


def peak_at(x, y, malignant=0.9, strength=3.0):
    reach = CELL / 2
    return Peak(x, y, x - reach, y - reach, x + reach, y + reach, (CELL, CELL), malignant, strength, 0.5)


def told(slices, positions, spacing=2.5):
    """Findings of peaks by slice, on slices of 1 mm a pixel."""
    judged = [SlicePeaks(index, tuple(peaks), 512, (1.0, 1.0), SliceFacts()) for index, peaks in slices.items()]
    return find_findings(judged, positions, spacing, OPERATING_POINT)


def test_one_peak_passed_over_is_bridged_within_5_mm():
    there = {index: [] if index == 3 else [peak_at(100, 100)] for index in range(7)}
    (found,) = told(there, [2.5 * index for index in range(7)])
    assert found.slices == (0, 6)
    assert {one.slices for one in told(there, [5.0 * index for index in range(7)], 5.0)} == {(0, 2), (4, 6)}


def test_a_weak_trail_is_no_part_of_a_strong_finding_and_a_second_summit_is_one():
    strengths = [1, 1, 1, 4, 4, 3, 1.2, 1.4, 2.9, 3, 1.1]
    there = {index: [peak_at(100, 100, 0.9, strength)] for index, strength in enumerate(strengths)}
    found = told(there, [2.5 * index for index in range(11)])
    assert {one.slices for one in found} == {(3, 5), (8, 9)}


def test_its_probability_is_the_highest_that_it_keeps_over_5_mm():
    there = {index: [peak_at(100, 100, p, 3)] for index, p in enumerate([0.4, 0.5, 0.9, 0.6, 0.7, 0.3])}
    (found,) = told(there, [2.5 * index for index in range(6)])
    assert (found.malignant, found.peak_slice) == (0.6, 2), "two slices of 2.5 mm"
    (found,) = told(there, [1.0 * index for index in range(6)], 1.0)
    assert found.malignant == 0.4, "five slices of 1 mm"


def test_what_wanders_is_cut_to_the_place_of_its_peak():
    """A vessel that runs 12 mm sideways a slice is followed, and is one finding where it is strongest."""
    there = {index: [peak_at(100 + 12 * index, 100, 0.9, 4 - 0.1 * abs(index - 5))] for index in range(11)}
    (found,) = told(there, [2.5 * index for index in range(11)])
    assert found.slices == (3, 7), "two slices on either side lie within 30 mm"
    assert found.extent_mm == (20 + 48, 20, 12.5)


def test_a_spike_on_a_place_that_persists_is_left_out():
    there = {index: [peak_at(100, 100, *((0.95, 5) if index == 3 else (0.4, 1)))] for index in range(7)}
    (found,) = told(there, [2.5 * index for index in range(7)])
    assert found.malignant == 0.4
    assert found.peak_slice != 3


@st.composite
def scattered(draw_):
    """Peaks on some slices of a series, at unequal distances."""
    count = draw_(st.integers(1, 12))
    steps = draw_(st.lists(st.sampled_from([0.6, 1.0, 2.5, 5.0, 10.0]), min_size=count, max_size=count))
    positions = [float(place) for place in np.cumsum(steps).round(3)]
    number = st.floats(0.16, 0.99)
    places = st.tuples(st.integers(20, 300), st.integers(20, 300), number, st.floats(0.5, 6))
    slices = {
        index: [
            peak_at(x + 0.1 * index, y, p + 1e-6 * (4 * index + nth), s + 1e-6 * (4 * index + nth))
            for nth, (x, y, p, s) in enumerate(draw_(st.lists(places, max_size=4)))
        ]
        for index in range(count)
        if draw_(st.booleans())
    }
    return slices, positions


@given(scattered())
@settings(max_examples=100, deadline=None)
def test_findings_hold_their_peaks_and_do_not_depend_on_order_or_direction(case):
    slices, positions = case
    spacing = float(np.median(np.diff(positions))) if len(positions) > 1 else None
    found = told(slices, positions, spacing)
    for one in found:
        first, last = one.slices
        assert first <= one.peak_slice <= last
        left, top, right, bottom = one.box_xy
        assert left <= one.peak_xy[0] <= right
        assert top <= one.peak_xy[1] <= bottom
        assert one.extent_mm[2] >= positions[last] - positions[first]
        assert one.malignant <= max(p.malignant for p in slices[one.peak_slice] if (p.x, p.y) == one.peak_xy)
        within = (slices.get(index, ()) for index in range(first, last + 1))
        kept = sum(any(p.malignant >= one.malignant for p in peaks) for peaks in within)
        assert kept > 1 or spacing > 5, "it is kept over two slices, or a thick one"
        assert one.above_operating_point == (one.malignant >= OPERATING_POINT)
    assert [one.malignant for one in found] == sorted((one.malignant for one in found), reverse=True)
    assert told(dict(reversed(slices.items())), positions, spacing) == found
    end = len(positions) - 1
    turned = {end - index: peaks for index, peaks in slices.items()}
    back = told(turned, [-place for place in reversed(positions)], spacing)
    mirrored = {(end - one.slices[1], end - one.slices[0], one.malignant, one.peak_xy) for one in back}
    assert mirrored == {(*one.slices, one.malignant, one.peak_xy) for one in found}


def test_marks_of_the_tests_are_seen_by_the_gate_as_chest(finder):
    """What the tests above rest on: marked slices are judged, and air alone is not."""
    report = finder.run_series(series_of([Mark(0, 1)], count=3, unjudged=(2,)))
    assert [one.status for one in report.slices] == ["ok", "ok", "refused"]
    assert report.findings[0].slices == (0, 1)
