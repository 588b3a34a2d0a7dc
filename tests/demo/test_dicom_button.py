"""`python -m demo --dicom-results`: what is kept and handed over with it, and that nothing is without."""

import base64
import io
import logging
import re
import zipfile

import gradio as gr
import numpy as np
import pydicom
import pytest
from conftest import ROOT, dicom_bytes
from test_dicom_results import contents, errors_of
from test_page import last, phantom_bytes, written

from demo import texts
from demo.app import Explaining, PipelineInWaiting, Visit, build_demo
from lungcnn import CLASSES

MASS = ROOT / "examples" / "arch-spiculated-mass.dcm"
NAMES = ["result-sc.dcm", "result-sr.dcm", "result-pm.dcm"]
STUDY = {
    "StudyInstanceUID": "1.2.9",
    "SeriesInstanceUID": "1.2.9.1",
    "FrameOfReferenceUID": "1.2.9.2",
    "SliceThickness": 1.0,
}


def explaining(pipeline, dicom_results=True) -> Explaining:
    waiting = PipelineInWaiting(lambda: pipeline)
    waiting.start()
    waiting.get()
    return Explaining(waiting, pipeline.card, dicom_results)


@pytest.fixture
def offering(pipeline):
    return explaining(pipeline)


def objects(html) -> dict:
    """The zip that the browser is given, opened: name to object."""
    assert f'data-name="{texts.DICOM[1]}"' in html
    content = base64.b64decode(re.search(r">\w+:([^<]+)</div>", html)[1])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: pydicom.dcmread(io.BytesIO(archive.read(name))) for name in archive.namelist()}


def test_without_the_option_no_bytes_are_held_and_there_is_no_button(pipeline, phantom, tmp_path):
    plain = explaining(pipeline, dicom_results=False)
    one = last(plain.upload(written(tmp_path, phantom_bytes(phantom, **STUDY)), "grad-cam"))["state"]
    files = written(tmp_path, *(phantom_bytes(phantom, z, **STUDY) for z in (0, 5)))
    several = last(plain.upload(files, "grad-cam"))["state"]
    example = last(plain.example(MASS, "grad-cam"))["state"]
    for visit in (one, several, example):
        assert visit.report.status == "ok"
        assert visit.source is None
    assert not any(isinstance(value, bytes) for value in vars(one).values())
    waiting = PipelineInWaiting(lambda: pipeline)
    ids = [
        {component["props"].get("elem_id") for component in build_demo(waiting, [], None, on).config["components"]}
        for on in (False, True)
    ]
    assert ids[1] - ids[0] == {"take-dicom", "dicom-hint"}


def test_the_zip_holds_results_of_the_patients_study(offering, tmp_path):
    data = MASS.read_bytes()
    shown = last(offering.upload(written(tmp_path, data), "grad-cam"))
    visit, source = shown["state"], pydicom.dcmread(MASS)
    assert visit.source == data
    assert shown["dicom"]["visible"]
    assert "name and identifiers of the upload's patient" in shown["dicom_hint"]
    assert list(tmp_path.iterdir()) == []
    made = objects(offering.dicom(visit))
    assert list(made) == NAMES
    for ds in made.values():
        for keyword in ("StudyInstanceUID", "PatientID", "PatientName"):
            assert ds[keyword].value == source[keyword].value
        assert ds.SeriesInstanceUID != source.SeriesInstanceUID
        assert errors_of(ds, tmp_path) == []
    numbers, coded = contents(made["result-sr.dcm"])
    report = visit.report
    for name in CLASSES:
        assert numbers[f"P_{name.upper()}"] == pytest.approx(report.probabilities[name], abs=1e-6)
    assert numbers["DELETION_AUC"] == pytest.approx(report.explanation.faithfulness.deletion_auc, abs=1e-6)
    assert coded["PREDICTION"] == [report.prediction.title()]
    assert np.array_equal(made["result-pm.dcm"].pixel_array, report.explanation.heatmap())


def test_a_phantom_and_what_is_explained_now(offering):
    visit = last(offering.example(MASS, "grad-cam"))["state"]
    last(offering.again(visit, "benign", "hires-cam"))
    assert "hires-cam map for benign" in objects(offering.dicom(visit))["result-sc.dcm"].DerivationDescription


def test_of_a_series_the_slice_that_is_shown(offering, phantom, tmp_path):
    files = [phantom_bytes(phantom, z, **STUDY) for z in (0, 5, 10)]
    visit = last(offering.upload(written(tmp_path, *files), "grad-cam"))["state"]
    for number in (1, 3):
        last(offering.scroll(visit, number, "grad-cam"))
        made = objects(offering.dicom(visit))
        instance = pydicom.dcmread(io.BytesIO(files[number - 1])).SOPInstanceUID
        assert made["result-sc.dcm"].SourceImageSequence[0].ReferencedSOPInstanceUID == instance
        assert list(made) == NAMES


def test_a_report_that_comes_late_is_not_put_to_another_slice(phantom_slice, report_of):
    visit = Visit()
    visit.show(phantom_slice, source=b"first")
    token = visit.token
    visit.show(phantom_slice, source=b"second")
    assert not visit.settle(report_of, token)
    assert visit.filed() == (b"second", None)
    assert visit.settle(report_of, visit.token)
    assert visit.filed() == (b"second", report_of)


@pytest.fixture
def report_of(pipeline, phantom_slice):
    return pipeline.run(phantom_slice, checks=False)


def test_what_cannot_be_made_is_told_in_a_sentence(offering, phantom, tmp_path, caplog, recwarn):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(gr.Error, match="nothing to take away"):
        offering.dicom(None)
    picture = last(
        offering.upload(written(tmp_path, (ROOT / "examples" / "carina-normal.png").read_bytes()), "grad-cam")
    )
    assert picture["state"].source is None
    assert not picture["dicom"]["visible"]
    assert texts.DICOM_PICTURE in picture["dicom_hint"]
    with pytest.raises(gr.Error, match="names no patient"):
        offering.dicom(picture["state"])
    for elements, message in (
        ({}, "states no StudyInstanceUID"),
        (STUDY | {"StudyDate": "MARKER"}, "breaks the standard"),
    ):
        stored = (phantom.hu + 1024).astype(np.int16)
        with pydicom.config.disable_value_validation():
            file = dicom_bytes(stored, spacing=phantom.spacing, **elements)
        visit = last(offering.upload(written(tmp_path, file), "grad-cam"))["state"]
        with pytest.raises(gr.Error, match=message) as told:
            offering.dicom(visit)
        assert "MARKER" not in str(told.value)
    assert "MARKER" not in caplog.text + "".join(str(one.message) for one in recwarn)


def test_a_missing_heatmap_is_told(offering, phantom, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(gr, "Info", said.append)
    file = phantom_bytes(phantom, **STUDY | {"FrameOfReferenceUID": None})
    visit = last(offering.upload(written(tmp_path, file), "grad-cam"))["state"]
    assert list(objects(offering.dicom(visit))) == NAMES[:2]
    assert said == [texts.DICOM_NO_MAP]
