"""Classes of other names and numbers: from the folders to every form of a result."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import ROOT
from miniature import write_miniature

from lungcnn import Pipeline, export_report, load_slice, read_series
from lungcnn.classes import CLASSES, Classes, class_colours, parse_classes
from lungcnn.cli import main
from lungcnn.errors import ModelStructureError, UsageError
from lungcnn.model.calibration import Calibration
from lungcnn.model.card import load_card, save_model
from lungcnn.model.network import build_network

FOUR = ("healthy", "nodule", "lung_tumour", "emphysema")
SLICE = ROOT / "examples" / "arch-spiculated-mass.dcm"


def saved(folder, classes):
    """An untrained network of these classes with its card, as ONNX too; its prediction sets hold every class."""
    import keras

    keras.utils.set_random_seed(7)
    calibration = Calibration(set_thresholds=(1.0,) * len(classes), coverage=0.9)
    crops = np.random.default_rng(7).random((2, 128, 128), np.float32)
    network = build_network(4, classes=len(classes))
    return save_model(network, folder, {"calibration": calibration, "classes": classes}, crops)


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("four"), Classes(FOUR, "lung_tumour"))


def run(*arguments):
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_suspicious_class_is_malignant_unless_another_is_named():
    assert CLASSES.suspicious == "malignant"
    assert CLASSES.suspicious_first == ("malignant", "benign", "normal")
    assert parse_classes(" Healthy,Tumour ").suspect is None
    assert parse_classes("healthy,tumour,cyst", "Tumour").suspicious_first == ("tumour", "cyst", "healthy")
    assert parse_classes("malignant,normal").lesions == (1, 0)
    assert parse_classes("benign,malignant").lesions is None
    assert len(set(class_colours([*CLASSES, "a", "b", "c"]).values())) == 6
    for wrong in ("malignant", "normal,normal", "normal,", "normal,<b>", "normal,two words", "1,2"):
        with pytest.raises(UsageError, match="at least two different names"):
            parse_classes(wrong)
    with pytest.raises(UsageError, match="There is no class 'benign'"):
        parse_classes("normal,malignant", "benign")


def test_the_card_holds_them(four):
    card = load_card(four)
    assert card.classes == FOUR
    assert card.classes.suspicious == "lung_tumour"
    written = json.loads(four.with_suffix(".json").read_text())
    assert (written["classes"], written["suspicious"]) == (list(FOUR), "lung_tumour")
    written["classes"] = ["healthy", "tumour"]
    four.with_suffix(".json").write_text(json.dumps(written | {"suspicious": "tumour"}))
    with pytest.raises(ModelStructureError, match="gives 4 probabilities; its card names 2 classes"):
        Pipeline.load(four)
    four.with_suffix(".json").write_text(card.to_json())


def test_a_slice_and_its_results(four, tmp_path):
    from io import BytesIO

    from pypdf import PdfReader

    pipeline = Pipeline.load(four)
    report = pipeline.run(load_slice(SLICE), explain_class="emphysema", checks=False)
    assert list(report.probabilities) == list(FOUR)
    assert report.prediction in FOUR
    assert report.set_in_words.startswith("All classes are in the prediction set")
    assert report.explanation.maps.shape[0] == 4
    text = PdfReader(BytesIO(export_report(report))).pages[0].extract_text()
    assert all(f"{name}\n" in text for name in FOUR)
    with pytest.raises(UsageError, match="Accepted: healthy, nodule, lung_tumour, emphysema"):
        pipeline.run(load_slice(SLICE), explain_class="malignant")
    told = run("predict", SLICE, "--model", four, "--json", "--no-checks", "--explain-class", "nodule")
    assert json.loads(told)["explanation"]["class"] == "nodule"
    run("predict", SLICE, "--model", four, "--dicom-out", tmp_path, "--dicom-kinds", "sr", "--no-checks")
    import pydicom

    content = pydicom.dcmread(next(tmp_path.glob("*.dcm"))).to_json()
    assert '"CLASS_LUNG_' in content  # codes are 16 letters long, their meaning 64
    assert "Probability of emphysema" in content


def test_a_series_is_searched_for_the_suspicious_class(four):
    (series,) = read_series([ROOT / "examples" / "arch-spiculated-mass.dcm"]).series
    report = Pipeline.load(four).run_series(series)
    assert report.profile.shape == (1, 4)
    assert report.suspicious == (0,)
    assert report.findings_in_words == "No findings: no place speaks for lung_tumour over neighbouring slices."


def test_without_a_suspicious_class_nothing_is_looked_for(tmp_path):
    from demo import series_view, views
    from demo.trust import trust

    pipeline = Pipeline.load(saved(tmp_path, Classes(("old", "young"))))
    reading = read_series([SLICE])
    report = pipeline.run_series(reading.series[0])
    assert (report.status, report.suspicious, report.findings) == ("ok", (), ())
    assert [reason.code for reason in report.reasons] == ["no_suspicious_class"]
    page = series_view.overview(report, reading, pipeline.card)
    assert 'class="curve of-young"' in page
    assert "Look first" not in page
    explained = pipeline.run(load_slice(SLICE), checks=False)
    assert explained.verdict.sentence.startswith("Undecided: none of the model's classes is the suspicious one")
    assert "No operating point was chosen" in trust(explained, pipeline.card)
    assert 'data-class="old"' in views.result(explained)


def test_an_archives_table_has_their_columns(four, tmp_path):
    out = tmp_path / "table.csv"
    run("batch", ROOT / "examples", "--model", four, "--out", out, "--workers", 1, "--quiet")
    head, *rows = out.read_text().splitlines()
    assert [name for name in head.replace('"', "").split(",") if name.startswith("probability")] == [
        f"probability_{name}" for name in FOUR
    ]
    assert sum('"ok"' in row for row in rows) >= 6
    result = CliRunner().invoke(main, ["batch", str(ROOT / "examples"), "--out", str(out), "--quiet"])
    assert result.exit_code == 2
    assert "not a table that this command wrote for a model of these classes" in result.stderr


def test_the_page_offers_them(four):
    from demo.page import class_styles, look

    card = load_card(four)
    style = look(card)["css"]
    assert style == class_styles(card.classes)
    assert ".curve.of-lung_tumour { stroke: #56b4e9; stroke-width: 2; }" in style


@pytest.mark.slow
def test_trained_and_evaluated_from_the_command_line(tmp_path):
    data = tmp_path / "data"
    write_miniature(data)
    for old, new in (("Normal cases", "HEALTHY"), ("Bengin cases", "Nodule"), ("Malignant cases", "Lung Tumour")):
        (data / old).rename(data / new)
    shutil.copytree(data / "HEALTHY", data / "other")
    names = "healthy,nodule,lung_tumour"
    run("cases", data, "--classes", names, "--out", tmp_path / "cases.csv", "--quiet")
    (tmp_path / "quick.json").write_text('{"epochs": 1, "width": 4}')
    known = ("--cases", tmp_path / "cases.csv", "--quiet")
    model = run(
        *("train", data, "--classes", names, "--suspicious", "lung_tumour", "--folds", 2, "--out", tmp_path / "out"),
        *("--recipe", tmp_path / "quick.json", *known),
    ).strip()
    card = load_card(tmp_path / "out" / "cancer_classification_model.keras")
    assert card.classes == tuple(names.split(","))
    assert 0 < card.calibration.malignant_threshold < 1
    assert card.figures["blocked"]["slice"]["auc_lung_tumour"]["value"] >= 0
    text = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert f"--classes {names} --suspicious lung_tumour" in text
    assert "| **nodule** |" in text
    assert "Reference standard:** the folder that a slice lies in." in text
    assert not any(words in text for words in ("radiologists", "EXPERIMENTS", "`--also`", "weights: Apache"))
    assert "malignant" not in text.split("## Figures")[1].split("## Failure")[0]
    told = run("evaluate", data, "--model", model, "--no-leak-guard", "--figures", tmp_path / "drawn", *known)
    assert "ROC AUC, lung_tumour versus rest" in told
    assert {path.name for path in (tmp_path / "drawn").iterdir()} >= {"roc.png", "confusion.png"}
    refused = CliRunner().invoke(main, ["evaluate", str(data), "--model", model, "--localization", "--quiet"])
    assert refused.exit_code == 2
