"""DICOM results: valid by dciodvfy, filed with their source, and with the values that went in."""

import io
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import ROOT, dicom_bytes, missing

from lungcnn.classes import CLASSES
from lungcnn.cli import main
from lungcnn.errors import Reason, UsageError
from lungcnn.phantoms.bundled import draw
from lungcnn.reading.loading import load_slice
from lungcnn.reading.series_reader import read_series
from lungcnn.results.dicom.coded import class_code
from lungcnn.results.dicom.files import dicom_files, to_bytes
from lungcnn.results.dicom.kinds import KINDS, parse_kinds
from lungcnn.results.dicom.results import DicomResults
from lungcnn.results.dicom.secondary_capture import with_notice
from lungcnn.results.dicom.source import Judged, NotDicomError
from lungcnn.results.finding import Finding
from lungcnn.results.rendering import render_overlay
from lungcnn.results.verdict import VERDICTS
from lungcnn.serving.many_files import look_at

MASS = ROOT / "examples" / "arch-spiculated-mass.dcm"
NOT_A_CHECK = ("P_NORMAL", "P_BENIGN", "P_MALIGNANT")


def errors_of(ds, folder: Path) -> list[str]:
    """What dciodvfy calls an error in an object."""
    if not shutil.which("dciodvfy"):
        missing("dciodvfy of Debian's dicom3tools")
    path = folder / "object.dcm"
    path.write_bytes(to_bytes(ds))
    done = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    assert any(line.strip() in ("SCImage", "Comprehensive3DSR", "ParametricMap") for line in lines), lines
    return [line for line in lines if line.startswith("Error")]


def opened(ds):
    """The object as another program reads it from its file."""
    import pydicom

    return pydicom.dcmread(io.BytesIO(to_bytes(ds)))


@pytest.fixture(scope="module")
def judged(shipped) -> Judged:
    ct_slice = load_slice(MASS)
    return Judged(MASS, shipped.run(ct_slice))


@pytest.fixture(scope="module")
def made(judged) -> dict:
    return dict(DicomResults().of_slice(judged))


@pytest.fixture(scope="module")
def source():
    import pydicom

    return pydicom.dcmread(MASS)


def test_results_of_a_tilted_gantry(shipped, phantom, tmp_path):
    stored = np.round(phantom.hu + 1024).clip(0, 4095).astype(np.uint16)
    tilted = ["1", "0", "0", "0", "0.93969", "0.34202"]  # by 20 degrees: rows to the left, columns to back and head
    content = dicom_bytes(
        stored, ImageOrientationPatient=tilted, ImagePositionPatient=[0, 0, 5], SliceThickness="1",
        StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.4", FrameOfReferenceUID="1.2.3.5", PatientID="MARKER",
    )  # fmt: skip
    results = dict(DicomResults().of_slice(Judged(content, shipped.run(load_slice(content), checks=False))))
    assert list(results) == ["sc", "sr", "pm"]
    assert list(opened(results["sc"]).PatientOrientation) == ["L", "PH"]
    assert [errors_of(ds, tmp_path) for ds in results.values()] == [[], [], []]


@pytest.mark.parametrize("kind", list(KINDS))
def test_each_is_valid_and_filed_with_its_source(made, source, kind, tmp_path):
    ds = opened(made[kind])
    assert errors_of(made[kind], tmp_path) == []
    for keyword in (
        "StudyInstanceUID",
        "PatientID",
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "AccessionNumber",
    ):
        assert ds[keyword].value == source[keyword].value, keyword
    assert ds.SeriesInstanceUID != source.SeriesInstanceUID
    assert ds.SOPInstanceUID != source.SOPInstanceUID
    (equipment,) = (item for item in ds.ContributingEquipmentSequence if item.Manufacturer == "lungcnn")
    assert equipment.SoftwareVersions[1] == _sha(), "the model's hash"
    assert equipment.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"  # Processing Equipment
    assert "research use only" in ds.SeriesDescription


def _sha() -> str:
    from lungcnn.model.card import load_card

    return load_card(ROOT / "models" / "cancer_classification_model.keras").sha256


def test_objects_of_one_run_share_a_series_a_kind(judged):
    results = DicomResults()
    first, second = dict(results.of_slice(judged)), dict(results.of_slice(judged))
    for kind in KINDS:
        assert first[kind].SeriesInstanceUID == second[kind].SeriesInstanceUID
        assert first[kind].SOPInstanceUID != second[kind].SOPInstanceUID
        assert (first[kind].InstanceNumber, second[kind].InstanceNumber) == (1, 2)
    assert len({ds.SeriesInstanceUID for ds in first.values()}) == 3


def test_the_secondary_capture_is_the_overlay_with_the_notice_burned_in(made, judged, source):
    ds = opened(made["sc"])
    picture = ds.pixel_array
    overlay = render_overlay(judged.report)
    band = (picture.shape[0] - overlay.shape[0]) // 2
    assert np.array_equal(picture[band:-band], overlay), "the anatomy is not written over"
    assert picture[:band].max() > 200, "text above"
    assert picture[-band:].max() > 200, "and below"
    assert np.array_equal(picture, with_notice(judged.report))
    assert (ds.PhotometricInterpretation, ds.BurnedInAnnotation) == ("RGB", "NO")
    (reference,) = ds.SourceImageSequence
    assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert list(ds.PatientOrientation) == ["L", "P"]
    assert "grad-cam map for" in ds.DerivationDescription


def imaging_groups(ds):
    """The measurement groups of a report."""
    measurements = (part for part in ds.ContentSequence if part.ConceptNameCodeSequence[0].CodeValue == "126010")
    return [group for part in measurements for group in part.ContentSequence]


def uid_of(one) -> str:
    """SOPInstanceUID of a slice of a series."""
    import pydicom

    return pydicom.dcmread(io.BytesIO(one.content())).SOPInstanceUID


def contents(ds):
    """Numbers by code, and coded values by code, of the measurement groups of a report."""
    numbers, coded = {}, {}
    for group in imaging_groups(ds):
        for item in group.ContentSequence:
            name = item.ConceptNameCodeSequence[0].CodeValue
            if item.ValueType == "NUM":
                numbers[name] = float(item.MeasuredValueSequence[0].NumericValue)
            elif item.ValueType == "CODE":
                coded.setdefault(name, []).append(item.ConceptCodeSequence[0].CodeMeaning)
    return numbers, coded


def test_the_report_holds_what_was_said(made, judged):
    ds, report = opened(made["sr"]), judged.report
    numbers, coded = contents(ds)
    for name in CLASSES:
        assert numbers[f"P_{name.upper()}"] == pytest.approx(report.probabilities[name], abs=1e-6)
    checks = report.explanation.faithfulness
    assert numbers["DELETION_AUC"] == pytest.approx(checks.deletion_auc, abs=1e-6)
    assert numbers["IN_LUNGS"] == pytest.approx(checks.in_lungs, abs=1e-6)
    assert coded["PREDICTION"] == [report.prediction.title()]
    assert coded["VERDICT"] == [VERDICTS[report.verdict.call]]
    assert coded["PREDICTION_SET"] == [name.title() for name in report.prediction_set]
    assert coded["GATE"] == ["Accepted with warnings" if report.warnings else "Accepted"]
    assert coded["BETTER_THAN_RND"] == ["Yes" if checks.better_than_random else "No"]
    assert (ds.VerificationFlag, ds.CompletionFlag) == ("UNVERIFIED", "COMPLETE")
    assert ds.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    text = " ".join(str(element.value) for element in ds.iterall() if element.keyword == "TextValue")
    assert f"model sha256 {report.model.sha256}" in text
    assert "For research and teaching only" in text


def sentences(ds) -> dict[str, list[str]]:
    """Texts by code, of the measurement groups of a report."""
    found: dict[str, list[str]] = {}
    for part in ds.ContentSequence:
        for group in part.get("ContentSequence", []):
            for item in group.get("ContentSequence", []):
                if item.ValueType == "TEXT":
                    found.setdefault(item.ConceptNameCodeSequence[0].CodeValue, []).append(item.TextValue)
    return found


def test_sentences_are_whole_and_meanings_short(judged, tmp_path):
    long = (
        "This slice is unlike those that the model learnt from, as slices of other scanners are: don't trust it. " * 3
    )
    report = replace(judged.report, warnings=(Reason("unlike_training", long), Reason("no_spacing", "No spacing.")))
    ((_, made),) = DicomResults(["sr"]).of_slice(Judged(MASS, report))
    ds = opened(made)
    assert errors_of(made, tmp_path) == []
    assert sentences(ds)["WARNING_TEXT"] == [long.strip(), "No spacing."]
    assert contents(ds)[1]["WARNING"] == ["Unlike training", "No spacing"]


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["ISO 2022 IR 6", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
        ("ISO 2022 IR 144", "Иванов^Яна"),
    ],
)
def test_names_in_several_character_sets(judged, source, tmp_path, stated, name):
    import copy

    import pydicom

    ds = copy.deepcopy(source)
    ds.SpecificCharacterSet, ds.PatientName = stated, name
    made = DicomResults().of_slice(Judged(to_bytes(ds), judged.report))
    assert [kind for kind, _ in made] == ["sc", "sr", "pm"]
    for kind, one in made:
        read = pydicom.dcmread(io.BytesIO(to_bytes(one)))
        assert str(read.PatientName) == name
        assert errors_of(one, tmp_path) == [], kind


def test_a_character_set_that_would_garble_names_is_told(judged, source):
    import copy

    ds = copy.deepcopy(source)
    ds.SpecificCharacterSet = ["", "ISO 2022 IR 58"]
    with pytest.raises(NotDicomError, match="ISO 2022 IR 58"):
        DicomResults().of_slice(Judged(to_bytes(ds), judged.report))


def test_the_report_opens_in_highdicom(made, judged):
    import highdicom

    read = highdicom.sr.Comprehensive3DSR.from_dataset(opened(made["sr"]))
    groups = read.content.get_image_measurement_groups()
    assert len(groups) == 1
    values = {item.name.value: item.value for item in groups[0].get_measurements()}
    assert values["P_MALIGNANT"] == pytest.approx(judged.report.probabilities["malignant"], abs=1e-6)


def test_a_refused_slice_has_a_report_of_the_refusal_alone(shipped, tmp_path):
    data = dicom_bytes(np.zeros((64, 64), np.uint16), StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.4")
    ct_slice = load_slice(data)
    made = DicomResults().of_slice(Judged(data, shipped.run(ct_slice)))
    assert [kind for kind, _ in made] == ["sr"]
    assert errors_of(made[0][1], tmp_path) == []
    numbers, coded = contents(opened(made[0][1]))
    assert (numbers, coded["GATE"]) == ({}, ["Refused"])
    assert len(coded["REASON"]) == 1


def test_the_parametric_map_is_the_raw_map_where_the_slice_is(made, judged, source):
    import highdicom

    ds = opened(made["pm"])
    read = highdicom.pm.ParametricMap.from_dataset(ds)
    assert np.array_equal(read.get_frames()[0], judged.report.explanation.heatmap())
    assert np.array_equal(opened(made["pm"]).pixel_array, judged.report.explanation.heatmap())
    assert ds.FrameOfReferenceUID == source.FrameOfReferenceUID
    shared, own = ds.SharedFunctionalGroupsSequence[0], ds.PerFrameFunctionalGroupsSequence[0]
    place = (own if "PlanePositionSequence" in own else shared).PlanePositionSequence[0].ImagePositionPatient
    assert list(place) == list(source.ImagePositionPatient)
    measures = shared.PixelMeasuresSequence[0]
    assert list(measures.PixelSpacing) == pytest.approx(list(judged.report.ct_slice.spacing))
    derivation = (own if "DerivationImageSequence" in own else shared).DerivationImageSequence[0]
    assert derivation.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert "grad-cam for" in ds.ContentDescription


def test_without_a_position_there_is_no_map_but_the_rest(shipped):
    import pydicom

    ds = pydicom.dcmread(MASS)
    del ds.ImagePositionPatient
    stream = io.BytesIO()
    ds.save_as(stream)
    data = stream.getvalue()
    ct_slice = load_slice(data)
    results = DicomResults()
    made = results.of_slice(Judged(data, shipped.run(ct_slice, checks=False)))
    assert [kind for kind, _ in made] == ["sc", "sr"]
    assert "there is no Parametric Map" in results.notes[0].message


@pytest.mark.parametrize("name", ["Иванов^Яна", "山田^太郎", "Müller^Jürgen"])
def test_names_in_any_script_and_lossy_sources(shipped, judged, tmp_path, name):
    import pydicom

    ds = pydicom.dcmread(MASS)
    ds.SpecificCharacterSet, ds.PatientName, ds.PatientID = "ISO_IR 192", name, "7 / 8"
    ds.LossyImageCompression, ds.LossyImageCompressionRatio = "01", "10"
    ds.LossyImageCompressionMethod = "ISO_15444_1"
    del ds.StudyDate, ds.StudyID, ds.BodyPartExamined
    ds.private_block(0x11, "SECRET", create=True).add_new(1, "LO", "private words")
    stream = io.BytesIO()
    ds.save_as(stream)
    made = DicomResults().of_slice(Judged(stream.getvalue(), judged.report))
    for kind, one in made:
        read = opened(one)
        assert (str(read.PatientName), read.PatientID) == (name, "7 / 8")
        assert errors_of(one, tmp_path) == [], kind
        assert b"private words" not in to_bytes(one)
        if kind != "sr":
            assert read.LossyImageCompression == "01"


def stack(places, **elements) -> list[bytes]:
    normal, mass = draw("carina-normal"), draw("arch-spiculated-mass")
    files = []
    for z in places:
        stored = ((mass if z % 20 == 0 else normal).hu + 1024).astype(np.int16)
        place = {"ImagePositionPatient": [0, 0, z], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
        ids = {
            "StudyInstanceUID": "1.2.3",
            "SeriesInstanceUID": "1.2.3.4",
            "FrameOfReferenceUID": "1.2.3.5",
            "SliceThickness": 5,
        }
        files.append(dicom_bytes(stored, InstanceNumber=z, **place, **ids, **elements))
    return files


def test_a_series_gives_one_report_one_map_and_a_capture_a_slice(shipped, tmp_path):
    (series,) = read_series(stack(range(0, 30, 5))).series
    report = shipped.run_series(series)
    peak = report.suspicious[0]
    finding = Finding(
        (1, 4), (5.0, 20.0), peak, (210.5, 180.0), (200, 170, 220, 190), (14.0, 15.5, 20.0), 0.91, True, 0.8
    )
    report = replace(report, findings=(finding,))
    looked_at, _ = look_at(shipped, series, report, checks=False)
    made = DicomResults().of_series(looked_at, report)
    kinds = [kind for kind, _ in made]
    assert kinds == ["sc"] * len(report.suspicious) + ["sr", "pm"]
    by_kind = dict(made)
    for one in by_kind.values():
        assert errors_of(one, tmp_path) == []
    numbers, coded = contents(opened(by_kind["sr"]))
    assert (numbers["JUDGED"], numbers["FINDINGS"]) == (6, 1)
    assert (numbers["P_FINDING"], numbers["SHARE"]) == (0.91, 0.8)
    assert (numbers["PEAK_X"], numbers["PEAK_Y"]) == (210.5, 180)
    assert [numbers[f"EXTENT_{way}"] for way in ("ACROSS", "DOWN", "ALONG")] == [14, 15.5, 20]
    assert (numbers["POSITION_LOWEST"], numbers["POSITION_HIGHEST"]) == (5, 20)
    assert coded["ABOVE"] == ["Yes"]
    group = next(
        group
        for group in imaging_groups(opened(by_kind["sr"]))
        if any(item.ConceptNameCodeSequence[0].CodeValue == "P_FINDING" for item in group.ContentSequence)
    )
    referenced = [item.ReferencedSOPSequence[0] for item in group.ContentSequence if item.ValueType == "IMAGE"]
    assert [one.ReferencedSOPInstanceUID for one in referenced] == [uid_of(series.slices[peak])]
    assert finding.sentence in [item.value for item in opened(by_kind["sr"]).iterall() if item.VR == "UT"]
    frames = opened(by_kind["pm"])
    assert frames.NumberOfFrames == len(report.suspicious)
    places = [
        float(group.PlanePositionSequence[0].ImagePositionPatient[2])
        for group in frames.PerFrameFunctionalGroupsSequence
    ]
    maps = {one.report.ct_slice.facts.position[2]: one.report.explanation.heatmap() for one in looked_at}
    assert sorted(places) == sorted(maps)
    for place, stored in zip(places, frames.pixel_array, strict=True):
        assert np.array_equal(stored, maps[place])


def test_slices_of_two_series_are_not_mixed(judged):
    other = Judged(ROOT / "examples" / "carina-normal.dcm", judged.report)
    with pytest.raises(UsageError, match="more than one series"):
        DicomResults().of_series([judged, other])


def test_pictures_have_no_dicom_results(shipped):
    path = ROOT / "examples" / "carina-normal.png"
    ct_slice = load_slice(path)
    with pytest.raises(NotDicomError, match="a picture names no patient"):
        DicomResults().of_slice(Judged(path, shipped.run(ct_slice, checks=False)))
    data = dicom_bytes(np.zeros((64, 64), np.uint16))
    judged = Judged(data, shipped.run(load_slice(data)))
    with pytest.raises(NotDicomError, match="no StudyInstanceUID"):
        DicomResults().of_slice(judged)


def test_files_to_hand_over(judged, source):
    files = dicom_files(MASS.read_bytes(), judged.report, ("sc", "sr"))
    assert list(files) == ["result-sc.dcm", "result-sr.dcm"]
    import pydicom

    for content in files.values():
        assert pydicom.dcmread(io.BytesIO(content)).StudyInstanceUID == source.StudyInstanceUID


def test_a_header_that_breaks_the_standard_is_told_without_its_value(judged, source, recwarn):
    import copy

    import pydicom

    ds = copy.deepcopy(source)
    with pydicom.config.disable_value_validation():
        ds.StudyDate, ds.PatientName = "MARKER", "MARKER"
        data = to_bytes(ds)
    with pytest.raises(NotDicomError, match="breaks the standard") as told:
        dicom_files(data, judged.report)
    assert "MARKER" not in str(told.value) + "".join(str(one.message) for one in recwarn)


def test_kinds():
    assert parse_kinds(" SC, pm,sc") == ("sc", "pm")
    for wrong in ("seg", "", "sc,jpeg"):
        with pytest.raises(UsageError, match=r"Accepted: sc \(Secondary Capture\)"):
            parse_kinds(wrong)


def test_the_command_writes_them(untrained, tmp_path):
    out = tmp_path / "results"
    arguments = [
        "predict",
        str(MASS),
        str(ROOT / "examples" / "carina-normal.png"),
        "--no-checks",
        "--dicom-out",
        str(out),
    ]
    result = CliRunner().invoke(main, arguments, env={"LUNGCNN_MODEL": str(untrained)})
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == [
        "arch-spiculated-mass-pm.dcm", "arch-spiculated-mass-sc.dcm", "arch-spiculated-mass-sr.dcm",
    ]  # fmt: skip
    assert "no DICOM result: carina-normal" in result.stderr
    told = CliRunner().invoke(main, [*arguments, "--json"], env={"LUNGCNN_MODEL": str(untrained)})
    assert "no DICOM result: carina-normal" in told.stderr
    assert all(json.loads(line)["status"] == "ok" for line in told.stdout.splitlines())
    result = CliRunner().invoke(main, [*arguments, "--dicom-kinds", "seg"])
    assert result.exit_code == 2
    assert "no DICOM result 'seg'" in result.output


def test_the_command_for_series(untrained, tmp_path):
    import json
    import zipfile

    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        for index, content in enumerate(stack((10, 0, 5))):
            archive.writestr(f"{index}.dcm", content)
        archive.writestr("note.txt", "a note")
    outputs = ["--dicom-out", tmp_path / "d", "--overlay", tmp_path / "o", "--dicom-kinds", "sr"]
    arguments = ["predict", tmp_path / "study.zip", "--series", "--json", "--no-checks", *outputs]
    result = CliRunner().invoke(main, [str(word) for word in arguments], env={"LUNGCNN_MODEL": str(untrained)})
    assert result.exit_code == 0, result.output
    (record,) = (json.loads(line) for line in result.stdout.splitlines())
    assert [one["file"] for one in record["slices"]] == ["1.dcm", "2.dcm", "0.dcm"]
    assert [one["position_mm"] for one in record["slices"]] == [0, 5, 10]
    assert record["reasons"] == []
    assert isinstance(record["findings"], list)
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["series1-sr.dcm"]
    assert len(list((tmp_path / "o").iterdir())) == len(record["suspicious"])
    assert "set aside: note.txt: This file is a text file" in result.stderr
    plain = CliRunner().invoke(
        main, ["predict", str(tmp_path / "study.zip"), "--series"], env={"LUNGCNN_MODEL": str(untrained)}
    )
    assert plain.stdout.startswith("1.2.3.4\t3 slices, 3 judged\t")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("a note")
    none = CliRunner().invoke(
        main, ["predict", str(tmp_path / "notes"), "--series"], env={"LUNGCNN_MODEL": str(untrained)}
    )
    assert none.exit_code == 2
    assert "No series of CT slices was found. The first file: This file is a text file" in " ".join(none.output.split())


def test_frames_of_an_enhanced_object_are_read_and_referred_to(shipped, tmp_path):
    """A real enhanced object (legacy converted, by highdicom): one series in order, and results that name frames."""
    import copy

    import highdicom
    import pydicom

    parts = []
    for number, (z, name) in enumerate(((20, "carina-normal"), (0, "arch-spiculated-mass"), (10, "carina-normal")), 1):
        ds = pydicom.dcmread(ROOT / "examples" / f"{name}.dcm")
        if parts:
            for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "ImageComments"):
                setattr(ds, keyword, parts[0][keyword].value)
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        ds.ImagePositionPatient, ds.InstanceNumber = [*ds.ImagePositionPatient[:2], z], number
        ds.StudyDate = ds.ContentDate = "20200101"
        ds.StudyTime = ds.ContentTime = "101010"
        ds.StudyID = ds.AccessionNumber = "1"
        parts.append(copy.deepcopy(ds))
    enhanced = highdicom.legacy.LegacyConvertedEnhancedCTImage(parts, highdicom.UID(), 1, highdicom.UID(), 1)
    data = to_bytes(enhanced)
    (series,) = read_series(data).series
    assert (series.positions, series.spacing_mm) == ((0, 10, 20), 10)
    for one, part in zip(series.slices, sorted(parts, key=lambda ds: ds.ImagePositionPatient[2]), strict=True):
        assert np.array_equal(one.read().hu, part.pixel_array.astype(np.float32) - 1024)
    report = shipped.run_series(series)
    looked_at, _ = look_at(shipped, series, report, checks=False)
    made = DicomResults().of_series(looked_at, report)
    for kind, one in made:
        assert errors_of(one, tmp_path) == [], kind
    capture, heat = opened(made[0][1]), opened(dict(made)["pm"])
    frame = capture.SourceImageSequence[0].ReferencedFrameNumber
    assert frame == looked_at[0].report.ct_slice.frame + 1
    maps = {one.report.ct_slice.facts.position[2]: one.report.explanation.heatmap() for one in looked_at}
    for group, stored in zip(heat.PerFrameFunctionalGroupsSequence, np.atleast_3d(heat.pixel_array), strict=True):
        assert np.array_equal(stored, maps[float(group.PlanePositionSequence[0].ImagePositionPatient[2])])


@pytest.mark.parametrize("method", ["grad-cam", "score-cam", "smooth-grad"])
def test_the_map_is_in_its_methods_unit(judged, method):
    from lungcnn.explaining.methods import METHODS

    report = replace(judged.report, explanation=replace(judged.report.explanation, method=method))
    ((_, made),) = DicomResults(["pm"]).of_slice(Judged(MASS, report))
    mappings = [item for item in opened(made).iterall() if item.keyword == "LUTExplanation"]
    assert {item.value for item in mappings} == {
        f"{method} for {report.explanation.class_name}, in {METHODS[method].unit}"
    }
    assert len({METHODS[name].unit for name in ("grad-cam", "score-cam", "smooth-grad")}) == 3


def test_codes_of_long_names_differ_where_the_names_do():
    names = ("adenocarcinoma", "adenocarcinoma_in_situ", "cyst", "lung_tumour")
    values = [class_code(name).value for name in names]
    assert len(set(values)) == len(names)
    assert values[2] == "CLASS_CYST"
    assert values[3].startswith("CLASS_LUNG_")
    assert all(len(value) <= 16 for value in values)
