import dataclasses
import io
import json
import shutil

import cv2
import numpy as np
import pytest
from conftest import dicom_bytes

from lungcnn.classes import CLASSES
from lungcnn.errors import ModelFileError, UsageError
from lungcnn.gate.prepared import prepare
from lungcnn.model.card import load_card, load_model, save_model
from lungcnn.model.network import build_network
from lungcnn.pipeline import Pipeline
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.loading import load_slice
from lungcnn.reading.series_reader import read_series
from lungcnn.results.png import encode_png
from lungcnn.results.rendering import render_overlay, render_slice
from lungcnn.results.slice_report import SliceReport
from lungcnn.windowing import to_grey

KEYS = {
    "file",
    "index",
    "status",
    "reasons",
    "warnings",
    "verdict",
    "prediction",
    "probabilities",
    "prediction_set",
    "explanation",
}


def test_report_of_a_slice(pipeline, phantom_slice):
    report = pipeline.run(phantom_slice)
    record = json.loads(json.dumps(report.to_json("a.dcm")))
    assert set(record) == KEYS | {"model"}
    assert (record["file"], record["index"], record["status"], record["reasons"]) == ("a.dcm", 0, "ok", [])
    assert list(record["probabilities"]) == list(CLASSES)
    assert sum(record["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert record["prediction"] == max(record["probabilities"], key=record["probabilities"].get)
    assert record["prediction"] in record["prediction_set"]
    assert record["model"] == {"name": "cancer_classification_model", "sha256": pipeline.card.sha256}
    explanation = record["explanation"]
    assert set(explanation) == {
        "method",
        "class",
        "layer",
        "peak_xy",
        "lung_fraction",
        "strength",
        "cell_mm",
        "faithfulness",
    }
    assert {"deletion_auc", "insertion_auc", "better_than_random", "sentence"} < set(explanation["faithfulness"])
    assert (explanation["method"], explanation["class"]) == ("grad-cam", record["prediction"])
    assert explanation["layer"] == "conv5"


def test_peak_is_where_the_heatmap_is_highest(pipeline, phantom_slice):
    for name in CLASSES:
        explanation = pipeline.run(phantom_slice, explain_class=name, checks=False).explanation
        assert explanation.class_name == name
        heat = explanation.heatmap()
        assert heat.shape == phantom_slice.hu.shape
        if explanation.peak_xy is None:
            assert not heat.any()
            continue
        x, y = explanation.peak_xy
        assert heat[int(y), int(x)] >= 0.97 * heat.max()


def test_cell_size_in_mm(pipeline, phantom_slice):
    explanation = pipeline.run(phantom_slice, checks=False).explanation
    box = explanation.box
    assert explanation.cell_mm == pytest.approx((box.height * 0.7 / 16, box.width * 0.7 / 16))
    bare = CTSlice(hu=phantom_slice.hu)
    assert pipeline.run(bare, checks=False).explanation.cell_mm is None


def test_squeezed_pixels_give_the_same_answer(pipeline, phantom_slice):
    import cv2

    squeezed = cv2.resize(phantom_slice.hu, (512, 256), interpolation=cv2.INTER_AREA)
    report = pipeline.run(CTSlice(hu=squeezed, spacing=(1.4, 0.7)), checks=False)
    whole = pipeline.run(phantom_slice, checks=False)
    for name in CLASSES:
        assert report.probabilities[name] == pytest.approx(whole.probabilities[name], abs=0.02)
    assert report.explanation.heatmap().shape == (256, 512)


def test_the_same_slice_gets_the_same_report(pipeline, phantom_slice):
    assert pipeline.run(phantom_slice).to_json() == pipeline.run(phantom_slice).to_json()


@pytest.mark.parametrize(
    ("hu", "code"),
    [
        (np.full((128, 128), -1000.0), "no_body"),
        (np.full((128, 128), np.nan), "not_finite"),
        (np.full((128, 128), 40.0), "no_lungs"),
    ],
)
def test_refused_slices_get_no_probability(pipeline, hu, code):
    report = pipeline.run(CTSlice(hu=hu))
    assert report.status == "refused"
    assert [reason.code for reason in report.reasons] == [code]
    assert report.probabilities is report.prediction is report.prediction_set is report.explanation is None
    assert json.loads(json.dumps(report.to_json()))["probabilities"] is None


def test_a_chest_with_one_lung_is_judged_with_a_warning(pipeline, phantom):
    hu = np.where(phantom.lung_mask & (np.arange(512) > 256), np.float32(40), phantom.hu)
    report = pipeline.run(CTSlice(hu=hu, spacing=phantom.spacing, calibrated=True), checks=False)
    assert report.status == "ok"
    assert "one_lung" in [warning.code for warning in report.warnings]


def test_a_turned_slice_gets_the_same_answer_and_its_map_where_it_belongs(pipeline, phantom):
    upright = pipeline.run(CTSlice(phantom.hu, phantom.spacing, calibrated=True), checks=False)
    turned = pipeline.run(CTSlice(phantom.hu[::-1, ::-1], phantom.spacing, calibrated=True), checks=False)
    assert turned.probabilities == pytest.approx(upright.probabilities, abs=0.05)
    assert "turned" in [warning.code for warning in turned.warnings]
    expected, found = upright.explanation.heatmap(), turned.explanation.heatmap()[::-1, ::-1]
    assert np.corrcoef(expected.ravel(), found.ravel())[0, 1] > 0.9


def test_a_slice_with_one_bad_pixel_is_refused(pipeline, phantom):
    hu = phantom.hu.copy()
    hu[256, 256] = np.inf
    assert pipeline.run(CTSlice(hu=hu)).reasons[0].code == "not_finite"


def test_densities_of_another_kind_of_image_are_refused_and_a_shifted_window_is_read(pipeline, phantom):
    assert pipeline.run(CTSlice(hu=phantom.hu * 0.4 - 300)).reasons[0].code == "not_chest_ct"
    calibrated = CTSlice(hu=phantom.hu - 200, calibrated=True)
    assert pipeline.run(calibrated).reasons[0].code in {"not_chest_ct", "no_lungs", "no_body"}
    shifted = pipeline.run(CTSlice(hu=phantom.hu - 200), checks=False)
    assert (shifted.status, [w.code for w in shifted.warnings]) == ("ok", ["window_corrected"])


def test_files_with_frames_and_broken_files(pipeline, phantom):
    stored = np.stack([phantom.hu + 1024, phantom.hu[:, ::-1] + 1024]).astype(np.int16)
    results = list(pipeline.run_file(dicom_bytes(stored), checks=False))
    assert [report.index for report in results] == [0, 1]
    assert [report.status for report in results] == ["ok", "ok"]
    (report,) = pipeline.run_file(b"not a slice at all")
    assert report.ct_slice is None
    assert (report.status, report.reasons[0].code) == ("error", "unsupported")


def test_unknown_class_and_method(pipeline, phantom_slice):
    with pytest.raises(UsageError, match="Accepted: normal"):
        pipeline.run(phantom_slice, explain_class="Malignant")
    with pytest.raises(UsageError, match="Accepted: grad-cam"):
        pipeline.run(phantom_slice, method="gradcam")


@pytest.mark.parametrize("given", [None, "slice.dcm", np.zeros((64, 64))])
def test_what_is_no_slice_is_told(pipeline, given):
    with pytest.raises(UsageError, match=f"takes a CTSlice.*received {type(given).__name__}"):
        pipeline.run(given)


def test_report_is_immutable_and_carries_no_file(pipeline):
    fields = {field.name for field in dataclasses.fields(SliceReport)}
    assert not fields & {"file", "path", "patient", "uid"}
    report = pipeline.run(load_slice(dicom_bytes(np.full((64, 64), 24, np.uint16))))
    assert "MARKER" not in repr(report) + json.dumps(report.to_json())
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.prediction = "normal"


# ---------------------------------------------------------------- the model file


def test_saved_model_says_the_same_after_loading(tmp_path):
    import keras

    keras.utils.set_random_seed(1)
    network = build_network()
    path = save_model(network, tmp_path, {"training": {"seed": 1}})
    again, card = load_model(path)
    x = np.random.default_rng(0).random((2, 128, 128, 1), np.float32)
    np.testing.assert_allclose(again(x), network(x), atol=1e-6)
    assert card.training == {"seed": 1}
    assert path.stat().st_size < 5e6


def test_a_changed_model_is_not_opened(untrained, tmp_path):
    for file in untrained.parent.iterdir():
        shutil.copy(file, tmp_path)
    path = tmp_path / untrained.name
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ModelFileError, match="sha256 differs"):
        Pipeline.load(path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda model, card: model.unlink(), "There is no model"),
        (lambda model, card: card.unlink(), "card .* is missing"),
        (lambda model, card: card.write_text("{"), "damaged"),
        (lambda model, card: card.write_text("[]"), "damaged"),
        (
            lambda model, card: card.write_text(card.read_text().replace('"crop_version": 1', '"crop_version": 0')),
            "crop_v",
        ),
        (lambda model, card: model.write_bytes(b""), "sha256 differs"),
    ],
)
def test_missing_or_damaged_model_and_card(untrained, tmp_path, spoil, message):
    for file in untrained.parent.iterdir():
        shutil.copy(file, tmp_path)
    model = tmp_path / untrained.name
    spoil(model, model.with_suffix(".json"))
    with pytest.raises(ModelFileError, match=message) as caught:
        Pipeline.load(model)
    assert "train" in str(caught.value)


def test_environment_chooses_the_model(untrained, monkeypatch):
    monkeypatch.setenv("LUNGCNN_MODEL", str(untrained))
    assert Pipeline.load().card == load_card(untrained)


# ---------------------------------------------------------------- pictures


def test_overlay_is_as_large_as_the_slice_and_grey_where_nothing_is_marked(pipeline, phantom_slice):
    report = pipeline.run(phantom_slice, checks=False)
    overlay = render_overlay(report)
    heat = np.maximum(report.explanation.heatmap(), 0)
    assert overlay.shape == (512, 512, 3)
    assert overlay.dtype == np.uint8
    grey = render_slice(phantom_slice)
    np.testing.assert_array_equal(overlay[heat == 0], np.repeat(grey[heat == 0][:, None], 3, axis=1))
    marked = heat > 0.8 * heat.max()
    assert (np.ptp(overlay[marked].astype(int), axis=1) > 20).all()


def test_overlay_of_a_refused_slice_is_the_slice(pipeline):
    ct_slice = CTSlice(hu=np.full((128, 128), -1000.0))
    overlay = render_overlay(pipeline.run(ct_slice))
    np.testing.assert_array_equal(overlay[..., 0], render_slice(ct_slice))


@pytest.mark.parametrize("shape", [(40, 50, 3), (1, 300), (33, 1), (32, 40)])
def test_png_round_trip(shape):
    from PIL import Image

    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    with Image.open(io.BytesIO(encode_png(picture))) as decoded:
        np.testing.assert_array_equal(np.asarray(decoded), picture)


def test_overlay_options(pipeline, phantom_slice):
    report = pipeline.run(phantom_slice, checks=False)
    bare = render_overlay(report, opacity=0)
    np.testing.assert_array_equal(bare[..., 1], render_slice(phantom_slice))
    with pytest.raises(UsageError, match="inferno, viridis"):
        render_overlay(report, colour_map="rainbow")
    with pytest.raises(UsageError, match="between 0 and 1"):
        render_overlay(report, opacity=2)


def test_the_slice_that_is_shown_is_the_slice_that_was_judged(phantom, shipped, tmp_path):
    """An inverted export is turned round for the network: so it is in every picture of it."""
    from click.testing import CliRunner

    from lungcnn.cli import main

    inverted = tmp_path / "inverted.png"
    inverted.write_bytes(encode_png(255 - to_grey(phantom.hu)))
    report = shipped.run(load_slice(inverted), checks=False)
    assert "inverted_levels" in {warning.code for warning in report.warnings}
    expected = render_overlay(report, opacity=0)
    assert np.abs(expected[..., 0].astype(int) - to_grey(phantom.hu)).max() <= 1
    record = report.to_json()
    assert "ct_slice" not in record
    for options in ((), ("--series",)):
        out = tmp_path / f"overlays{len(options)}"
        done = CliRunner().invoke(main, ["predict", str(inverted), "--overlay", str(out), "--no-checks", *options])
        assert done.exit_code == 0, done.output
        drawn = cv2.imread(str(out / "inverted.png"))
        assert drawn[:20, :20].max() <= expected[:20, :20].max() < 60, "the air is dark"


def test_a_refused_slice_is_shown_corrected_too(phantom, pipeline):
    grey = to_grey(phantom.hu)
    grey[:, :200] = to_grey(np.float32(-1000))
    grey = cv2.GaussianBlur(grey, (0, 0), 8)
    report = pipeline.run(load_slice(encode_png(255 - grey)))
    assert report.status == "refused"
    assert report.ct_slice.hu[:20, :20].max() < -900
    assert pipeline.judge([prepare(lambda: load_slice(encode_png(grey)))])[0].ct_slice is None, "series stay small"


# ---------------------------------------------------------------- whatever is raised is one slice's record


@pytest.fixture
def stack(phantom):
    """Three files of one series, from the feet to the head."""
    stored = (phantom.hu + 1024).astype(np.int16)
    place = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.3"}
    return [dicom_bytes(stored, ImagePositionPatient=[0, 0, z], **place) for z in range(3)]


def test_a_measure_that_fails_costs_its_own_slice(pipeline, stack, monkeypatch, caplog):
    from lungcnn.gate import examine

    def fails_at_one(ct_slice):
        if ct_slice.facts.position[2] == 1:
            raise ZeroDivisionError("MARKER^NAME")
        return correct_levels(ct_slice)

    correct_levels = examine.correct_levels
    monkeypatch.setattr(examine, "correct_levels", fails_at_one)
    (series,) = read_series(stack).series
    report = pipeline.run_series(series)
    assert [one.status for one in report.slices] == ["ok", "error", "ok"]
    assert "could not be judged" in report.slices[1].reasons[0].message
    assert "ZeroDivisionError raised in test_pipeline.py" in caplog.text
    assert "MARKER" not in caplog.text


def test_a_network_that_fails_on_one_crop_answers_for_the_others(pipeline, stack, monkeypatch):
    prepared = [prepare(lambda data=data: load_slice(data), index) for index, data in enumerate(stack)]
    poison = dataclasses.replace(prepared[1], crop=np.full_like(prepared[1].crop, np.nan))
    features = type(pipeline.classifier).features

    def fails_on_nan(self, crops):
        if np.isnan(crops).any():
            raise FloatingPointError
        return features(self, crops)

    expected = pipeline.judge(prepared)
    monkeypatch.setattr(type(pipeline.classifier), "features", fails_on_nan)
    reports = pipeline.judge([prepared[0], poison, prepared[2]])
    assert [one.status for one in reports] == ["ok", "error", "ok"]
    for place in (0, 2):
        assert reports[place].probabilities == pytest.approx(expected[place].probabilities, abs=1e-5)


def test_an_explanation_that_fails_is_a_record_and_wrong_usage_is_not(pipeline, stack, monkeypatch):
    def fails(*_args, **_options):
        raise IndexError

    with pytest.raises(UsageError, match="Accepted: grad-cam"):
        list(pipeline.run_file(stack[0], method="gradcam"))
    monkeypatch.setattr(type(pipeline.explainer), "maps", fails)
    (report,) = pipeline.run_file(stack[0])
    assert (report.status, report.reasons[0].code, report.prediction) == ("error", "judging", None)
