"""The shipped model and the way to it on real files: needs ../shared/data."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import ROOT

from lungcnn.cli import main
from lungcnn.dataset.elsewhere import read_elsewhere
from lungcnn.dataset.folder import read_dataset
from lungcnn.evaluation.lidc import nodule_boxes
from lungcnn.evaluation.series_findings import measure_findings
from lungcnn.gate.examine import admit, examine
from lungcnn.model.card import load_card
from lungcnn.reading.loading import iter_slices, load_slice
from lungcnn.reading.series_reader import read_series

pytestmark = pytest.mark.data
MODEL = ROOT / "models" / "cancer_classification_model.keras"


def predict(*paths):
    result = CliRunner().invoke(main, ["predict", "--json", "--no-checks", "--model", str(MODEL), *map(str, paths)])
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]


def test_every_transfer_syntax_decodes_to_the_same_slice(data):
    folder = data / "dicom-syntaxes"
    for name, lossy in (("CT1", 60), ("CT2", 60)):
        reference = load_slice(folder / f"{name}_RLE.dcm")
        for kind in ("J2KR", "JLSL", "JPLL"):
            np.testing.assert_array_equal(load_slice(folder / f"{name}_{kind}.dcm").hu, reference.hu)
        for kind in ("J2KI", "JLSN"):
            hu = load_slice(folder / f"{name}_{kind}.dcm").hu
            tissue = reference.hu > -900
            assert np.abs(hu - reference.hu)[tissue].mean() < lossy


def test_chest_and_head_in_six_syntaxes(data):
    status, found = predict(data / "dicom-syntaxes")
    assert status == 3
    assert {(r["file"].split("/")[-1][:3], r["status"]) for r in found} == {("CT1", "ok"), ("CT2", "refused")}
    chest = [r for r in found if r["status"] == "ok"]
    assert len(found) == 12
    assert len({r["prediction"] for r in chest}) == 1
    for r in chest:
        for name, p in r["probabilities"].items():
            assert p == pytest.approx(chest[0]["probabilities"][name], abs=0.2)


def test_the_lidc_series(data):
    files = sorted((data / "lidc-0001").glob("*.dcm"))
    status, found = predict(data / "lidc-0001")
    assert len(found) == len(files) == 133
    judged = [r for r in found if r["status"] == "ok"]
    assert len(judged) == 92  # on 12 of them, at the lungs' ends, lung is seen on one side only
    assert {reason["code"] for r in found for reason in r["reasons"]} == {"no_lungs"}
    assert status == 3


def test_the_tumour_of_the_lidc_series_is_its_first_finding(data, shipped):
    (series,) = read_series(data / "lidc-0001").series
    boxes = nodule_boxes(data / "lidc-0001")
    names = [Path(one.name).name for one in series.slices]
    tumour = {index: boxes[name] for index, name in enumerate(names) if name in boxes}
    figures = measure_findings(shipped.run_series(series), tumour, series.slices[0].read().spacing)
    assert (len(tumour), figures["judged"], figures["rank"]) == (8, 92, 1)


def test_twenty_real_slices(data):
    rows = read_dataset(data / "iq-oth-nccd").slices[::45]
    status, found = predict(*[row.path for row in rows])
    assert (status, len(found)) == (0, len(rows))
    assert len(rows) >= 20
    for record in found:
        assert sum(record["probabilities"].values()) == pytest.approx(1, abs=1e-4)
        assert record["explanation"]["layer"] == "conv5"


def test_development_slices_are_admitted_and_every_brain_refused(data):
    for item in read_dataset(data / "iq-oth-nccd").slices[::6]:
        assert examine(load_slice(item.path)).refusal is None, item.file
    status, found = predict(data / "not-a-chest-ct")
    assert len(found) == 60
    assert {r["status"] for r in found} == {"refused"}
    assert status == 3


def test_the_card_lists_what_was_learnt_and_nothing_of_the_test_set(data):
    card = load_card(MODEL)
    rows = list(csv.DictReader((data / "iq-oth-nccd-cases.csv").open()))
    split_of = {row["sha256"]: row["split"] for row in rows}
    hashes = list(card.training["files"].values())
    dataset = read_dataset(data / "iq-oth-nccd")
    at_home = sorted(item.sha256 for item in dataset.slices)
    assert {split_of[sha256] for sha256 in at_home} == {"dev"}
    elsewhere = read_elsewhere(data, admit)
    learnt = [item.sha256 for item in elsewhere.crop_set.take(elsewhere.learnable).slices]
    assert sorted(hashes) == sorted([*at_home, *learnt])
    assert not {sha256 for sha256 in hashes if split_of.get(sha256) == "test"}
    assert sum(card.training["elsewhere"].values()) == len(learnt)


def test_nothing_of_the_dicom_header_is_in_the_slice(data):
    import pydicom

    file = data / "lidc-0001" / "000050.dcm"
    header = pydicom.dcmread(file, stop_before_pixels=True)
    shown = repr([vars(ct_slice) for ct_slice in iter_slices(file)])
    for keyword in ("PatientID", "StudyInstanceUID", "SOPInstanceUID", "PatientName"):
        value = str(header.get(keyword, ""))
        assert not value or value not in shown
