"""`python -m demo --dicom-results`: what is kept and handed over with it, and that nothing is without."""

import base64
import io
import logging
import re
import zipfile
from dataclasses import replace

import gradio as gr
import numpy as np
import pydicom
import pytest
from conftest import ROOT, dicom_bytes
from test_dicom_results import contents, errors_of
from test_page import ask, last, phantom_bytes, ready, uploaded

from demo import texts
from demo.downloads import FILES, dicom_data
from demo.events import Events
from demo.judge import JudgeHere
from demo.page import build_demo
from demo.visit import Shown, Superseded, Visit
from lungcnn import CLASSES

MASS = ROOT / "examples" / "arch-spiculated-mass.dcm"
NAMES = ["result-sc.dcm", "result-sr.dcm", "result-pm.dcm"]
STUDY = {
    "StudyInstanceUID": "1.2.9",
    "SeriesInstanceUID": "1.2.9.1",
    "FrameOfReferenceUID": "1.2.9.2",
    "SliceThickness": 1.0,
}


@pytest.fixture
def offering(pipeline):
    return Events(ready(pipeline), pipeline.card, dicom_results=True)


@pytest.fixture
def judge(pipeline):
    return JudgeHere(pipeline)


def after(events, name, *values, **choices) -> Visit:
    """A visit after one event."""
    visit = Visit()
    ask(events, visit, name, *values, **choices)
    return visit


def objects(html) -> dict:
    """The zip that the browser is given, opened: name to object."""
    assert f'data-name="{FILES["dicom"][0]}"' in html
    content = base64.b64decode(re.search(r">\w+:([^<]+)</div>", html)[1])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: pydicom.dcmread(io.BytesIO(archive.read(name))) for name in archive.namelist()}


def test_without_the_option_no_bytes_are_held_and_there_is_no_button(pipeline, phantom):
    plain = Events(ready(pipeline), pipeline.card)
    one = after(plain, "upload", uploaded(phantom_bytes(phantom, **STUDY)))
    files = uploaded(*(phantom_bytes(phantom, z, **STUDY) for z in (0, 5)))
    several = after(plain, "upload", files)
    example = after(plain, "example", MASS)
    for visit in (one, several, example):
        assert visit.shown.report.status == "ok"
        assert visit.shown.source is None
    assert not any(isinstance(value, bytes) for value in vars(one.shown).values())
    ids = [
        {c["props"].get("elem_id") for c in build_demo(ready(pipeline), [], None, on).config["components"]}
        for on in (False, True)
    ]
    assert ids[1] - ids[0] == {"take-dicom", "dicom-hint"}


def test_the_zip_holds_results_of_the_patients_study(offering, judge, tmp_path):
    data, visit, source = MASS.read_bytes(), Visit(), pydicom.dcmread(MASS)
    shown = last(ask(offering, visit, "upload", uploaded(data)))
    assert visit.shown.source == data
    assert shown["dicom"]["visible"]
    assert "name and identifiers of the upload" in shown["dicom_hint"]
    assert list(tmp_path.iterdir()) == []
    made = objects(dicom_data(visit.shown, judge))
    assert list(made) == NAMES
    for ds in made.values():
        for keyword in ("StudyInstanceUID", "PatientID", "PatientName"):
            assert ds[keyword].value == source[keyword].value
        assert ds.SeriesInstanceUID != source.SeriesInstanceUID
        assert errors_of(ds, tmp_path) == []
    numbers, coded = contents(made["result-sr.dcm"])
    report = visit.shown.report
    for name in CLASSES:
        assert numbers[f"P_{name.upper()}"] == pytest.approx(report.probabilities[name], abs=1e-6)
    assert numbers["DELETION_AUC"] == pytest.approx(report.explanation.faithfulness.deletion_auc, abs=1e-6)
    assert coded["PREDICTION"] == [report.prediction.title()]
    assert np.array_equal(made["result-pm.dcm"].pixel_array, report.explanation.heatmap())


def test_a_phantom_and_what_is_explained_now(offering, judge):
    visit = after(offering, "example", MASS)
    ask(offering, visit, "explain", wanted="benign", method="hires-cam")
    assert "hires-cam map for benign" in objects(dicom_data(visit.shown, judge))["result-sc.dcm"].DerivationDescription


def test_of_a_series_the_slice_that_is_shown(offering, judge, phantom):
    files = [phantom_bytes(phantom, z, **STUDY) for z in (0, 5, 10)]
    visit = after(offering, "upload", uploaded(*files))
    for number in (1, 3):
        ask(offering, visit, "scroll", number)
        made = objects(dicom_data(visit.shown, judge))
        instance = pydicom.dcmread(io.BytesIO(files[number - 1])).SOPInstanceUID
        assert made["result-sc.dcm"].SourceImageSequence[0].ReferencedSOPInstanceUID == instance
        assert list(made) == NAMES


def test_a_report_that_comes_late_is_not_put_to_another_slice(phantom_slice, report_of):
    visit = Visit()
    older = visit.begin()
    first = visit.show(older, Shown(phantom_slice, source=b"first"))
    newer = visit.begin()
    second = visit.show(newer, Shown(phantom_slice, source=b"second"))
    with pytest.raises(Superseded):
        visit.show(older, replace(first, report=report_of))
    assert visit.shown is second
    visit.show(newer, replace(second, report=report_of))
    assert (visit.shown.source, visit.shown.report) == (b"second", report_of)


@pytest.fixture
def report_of(pipeline, phantom_slice):
    return pipeline.run(phantom_slice, checks=False)


def test_what_cannot_be_made_is_told_in_a_sentence(offering, judge, phantom, caplog, recwarn):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(gr.Error, match="nothing to take away"):
        dicom_data(Shown(), judge)
    visit = Visit()
    png = (ROOT / "examples" / "carina-normal.png").read_bytes()
    picture = last(ask(offering, visit, "upload", uploaded(png)))
    assert visit.shown.source is None
    assert not picture["dicom"]["visible"]
    assert texts.DICOM_PICTURE in picture["dicom_hint"]
    with pytest.raises(gr.Error, match="names no patient"):
        dicom_data(visit.shown, judge)
    for elements, message in (
        ({}, "states no StudyInstanceUID"),
        (STUDY | {"StudyDate": "MARKER"}, "breaks the standard"),
    ):
        stored = (phantom.hu + 1024).astype(np.int16)
        with pydicom.config.disable_value_validation():
            file = dicom_bytes(stored, spacing=phantom.spacing, **elements)
        visit = after(offering, "upload", uploaded(file))
        with pytest.raises(gr.Error, match=message) as told:
            dicom_data(visit.shown, judge)
        assert "MARKER" not in str(told.value)
    assert "MARKER" not in caplog.text + "".join(str(one.message) for one in recwarn)


def test_a_missing_heatmap_is_told(offering, judge, phantom, monkeypatch):
    said = []
    monkeypatch.setattr(gr, "Info", said.append)
    file = phantom_bytes(phantom, **STUDY | {"FrameOfReferenceUID": None})
    visit = after(offering, "upload", uploaded(file))
    assert list(objects(dicom_data(visit.shown, judge))) == NAMES[:2]
    assert said == [texts.DICOM_NO_MAP]
