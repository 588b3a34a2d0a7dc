"""Series of phantoms through the pipeline; what is found over their slices is in `test_findings`."""

import json

import numpy as np
import pytest
from conftest import dicom_bytes

from lungcnn.phantoms.bundled import draw
from lungcnn.reading.loading import load_slice
from lungcnn.reading.series_reader import read_series
from lungcnn.results.series_report import SeriesReport


@pytest.fixture(scope="module")
def files():
    """Nine slices of phantoms 5 mm apart, given from the head down; one shows nothing but air, one is damaged."""
    normal, mass = draw("carina-normal"), draw("arch-spiculated-mass")
    made = []
    for z in range(9):
        hu = (mass if z == 4 else normal).hu
        stored = (hu + 1024).astype(np.int16)
        if z == 8:
            stored = np.zeros_like(stored)
        place = {"ImagePositionPatient": [0, 0, 5 * z], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
        made.append(dicom_bytes(stored, SeriesInstanceUID="1.2.3", **place))
    made[0] = made[0][:-1000]
    return made[::-1]


@pytest.fixture(scope="module")
def report(shipped, files) -> SeriesReport:
    (series,) = read_series(files).series
    return shipped.run_series(series, workers=2)


def test_each_slice_is_judged_as_it_would_be_alone(shipped, files, report):
    assert report.positions == (0, 5, 10, 15, 20, 25, 30, 35, 40)
    assert [one.status for one in report.slices] == ["error", *["ok"] * 7, "refused"]
    for index in (3, 4):
        alone = shipped.run(load_slice(files[::-1][index]), checks=False)
        together = report.slices[index]
        assert together.probabilities == pytest.approx(alone.probabilities, abs=1e-4)
        assert (together.prediction, together.prediction_set) == (alone.prediction, alone.prediction_set)
        assert (together.warnings, together.model) == (alone.warnings, alone.model)
    assert all(one.explanation is None for one in report.slices), "maps are made of the slices looked at"


def test_profile_and_suspicious_slices(report):
    profile = report.profile
    assert profile.shape == (9, 3)
    assert np.isnan(profile[[0, 8]]).all()
    assert np.allclose(profile[1:8].sum(axis=1), 1, atol=1e-5)
    malignant = profile[1:8, 2]
    assert report.suspicious[0] == 4 == 1 + malignant.argmax()
    places = [report.positions[i] for i in report.suspicious]
    assert all(abs(a - b) >= 10 for i, a in enumerate(places) for b in places[:i])


def test_json_names_no_patient_and_no_uid(report):
    text = json.dumps(report.to_json())
    assert "MARKER" not in text
    assert "1.2.3" not in text
    record = report.to_json()
    assert record["slices"][4]["position_mm"] == 20
    assert record["slices"][0]["reasons"][0]["code"] == "unreadable"
    assert record["spacing_mm"] == 5


def test_progress_comes_once_a_slice_in_order(shipped, files):
    (series,) = read_series(files).series
    seen = []
    report = shipped.run_series(series, on_slice=seen.append)
    assert tuple(seen) == report.slices


def test_without_a_judged_slice_it_is_said(pipeline, files):
    (air,) = read_series(files[:1]).series
    empty = pipeline.run_series(air)
    assert (empty.status, empty.findings, empty.suspicious) == ("refused", (), ())
    assert [reason.code for reason in empty.reasons] == ["nothing_judged"]


def test_an_error_of_the_caller_ends_the_run(shipped, files):
    (series,) = read_series(files).series

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shipped.run_series(series, on_slice=stop)
