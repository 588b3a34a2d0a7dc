import hashlib
import json

import numpy as np
import pytest
from click.testing import CliRunner

from lungcnn.cli import main
from lungcnn.dataset.crops import crop_dataset
from lungcnn.dataset.folder import read_dataset
from lungcnn.dataset.near_duplicates import perceptual_hashes
from lungcnn.errors import DatasetError
from lungcnn.evaluation.evaluate import evaluate_localization, evaluate_model
from lungcnn.evaluation.leak_guard import seen_in_training
from lungcnn.evaluation.plots import write_figures
from lungcnn.evaluation.reports import evaluation_report
from lungcnn.gate.examine import admit
from lungcnn.gate.familiarity import fit_familiarity
from lungcnn.pipeline import Pipeline
from lungcnn.training.train import Recipe
from lungcnn.training_run import Plan, run_training


@pytest.fixture(scope="module")
def crop_set(miniature):
    return crop_dataset(read_dataset(miniature, miniature / "cases.csv"))


def pipeline_that_saw(untrained, files=(), hashes=()):
    from dataclasses import replace

    found = Pipeline.load(untrained)
    training = {"files": dict(enumerate(files)), "perceptual_hashes": list(hashes)}
    return replace(found, card=replace(found.card, training=training))


def test_slices_of_training_do_not_count(untrained, crop_set):
    pipeline = pipeline_that_saw(
        untrained,
        files=[item.sha256 for item in crop_set.slices[:2]],
        hashes=perceptual_hashes(crop_set.crops[[1, 8]]),  # 1 is identical as well
    )
    found = evaluate_model(pipeline, crop_set, resamples=20)
    near = found.near + found.derived
    assert found.identical == 2
    assert near >= 1
    assert found.summary["slices"] == len(found.predictions.labels) == 18 - 2 - near
    counted = evaluate_model(pipeline, crop_set, guard=False, resamples=20)
    assert (counted.summary["slices"], counted.identical, counted.near + counted.derived) == (18, 2, near)
    assert "they were left out" in evaluation_report(found)
    assert "LEAKY" in evaluation_report(counted)


def test_where_nobody_knows_what_a_model_learnt_from_it_is_said(untrained, crop_set):
    from dataclasses import replace

    pipeline = pipeline_that_saw(untrained)
    training = {"adopted": True, "calibrated_on": "12 slices of ours"}
    adopted = replace(pipeline, card=replace(pipeline.card, training=training))
    found = evaluate_model(adopted, crop_set, resamples=20)
    assert "**Which slices the model learnt from is not known**, so none were left out." in evaluation_report(found)
    assert "It was calibrated on 12 slices of ours: on those" in evaluation_report(found)
    assert "among the model's training slices" not in evaluation_report(found)
    assert found.to_json()["seen_in_training"] is None
    assert found.summary["slices"] == 18


def test_mirrored_and_turned_copies_of_training_slices_do_not_count(untrained, miniature, crop_set, tmp_path):
    from dataclasses import replace

    import cv2

    def mirrored(item):
        picture = cv2.imread(str(item.path), cv2.IMREAD_GRAYSCALE)
        path = tmp_path / item.path.with_suffix(".png").name
        cv2.imwrite(str(path), cv2.resize(picture[:, ::-1], None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA))
        return replace(item, path=path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())

    copied = [0, 7]
    slices = tuple(mirrored(item) if index in copied else item for index, item in enumerate(crop_set.slices))
    crops = crop_set.crops.copy()
    crops[copied] = crops[copied][:, :, ::-1]
    changed = replace(crop_set, slices=slices, crops=crops)
    pipeline = pipeline_that_saw(untrained, hashes=perceptual_hashes(crop_set.crops[copied]))
    seen = seen_in_training(pipeline.card, changed)
    assert not seen.identical.any()
    assert set(np.flatnonzero(seen.derived)) >= set(copied)
    found = evaluate_model(pipeline, changed, resamples=20)
    assert found.derived == seen.derived.sum()
    assert f"and {found.derived} mirrored or turned copies; they were left out." in evaluation_report(found)


def test_a_model_that_saw_everything_can_not_be_evaluated(untrained, crop_set):
    pipeline = pipeline_that_saw(untrained, files=[item.sha256 for item in crop_set.slices])
    with pytest.raises(DatasetError, match=r"normal, benign, malignant is left.*18 of 18 slices.*--no-leak-guard"):
        evaluate_model(pipeline, crop_set)


def test_without_an_operating_point_its_figures_are_absent(untrained, crop_set):
    found = evaluate_model(pipeline_that_saw(untrained), crop_set, resamples=20)
    assert "sensitivity_malignant" not in found.summary["slice"]
    assert found.summary["slice"]["coverage"]["value"] <= 1


def test_what_the_pipeline_refuses_is_counted_and_not_measured(untrained, miniature, tmp_path):
    """One slice shows half a chest, another is no picture; then a card that finds all others unfamiliar."""
    import shutil
    from dataclasses import replace

    folder = tmp_path / "dataset"
    shutil.copytree(miniature, folder)
    files = sorted(folder.glob("*/*.jpg"))
    rows = (folder / "cases.csv").read_text().replace("\r", "")
    for path, content in ((files[0], half_a_chest(files[0])), (files[7], b"nothing")):
        before = hashlib.sha256(path.read_bytes()).hexdigest()
        path.write_bytes(content)
        rows = rows.replace(before, hashlib.sha256(content).hexdigest())
    (folder / "cases.csv").write_text(rows)
    crop_set = crop_dataset(read_dataset(folder, folder / "cases.csv"), find=admit)
    pipeline = pipeline_that_saw(untrained)
    found = evaluate_model(pipeline, crop_set, resamples=20)
    (reason,) = found.refused
    assert (found.refused[reason], found.unreadable, found.summary["slices"]) == (1, 1, 16)
    assert found.to_json()["refused"] == {reason: 1}
    report = evaluation_report(found)
    assert f"Refused, as in use, and left out of the figures: 1 slices ({reason} 1)." in report
    assert "Files that could not be read: 1." in report
    classifier = pipeline.classifier
    features = classifier.features(crop_set.crops)[1]
    strict = fit_familiarity(classifier.layer, [(features, features)], features)
    strict = replace(strict, warn=1e-3, refuse=1e-3)
    with pytest.raises(DatasetError, match=r"and 17 were refused"):
        evaluate_model(replace(pipeline, card=replace(pipeline.card, familiarity=strict)), crop_set)


def half_a_chest(path) -> bytes:
    import cv2

    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    picture[:, picture.shape[1] // 2 :] = 0
    return cv2.imencode(".jpg", picture)[1].tobytes()


def test_figures_are_drawn(untrained, crop_set, tmp_path):
    import cv2

    found = evaluate_model(pipeline_that_saw(untrained), crop_set, resamples=20)
    paths = write_figures(found.predictions, tmp_path / "deep")
    assert [path.name for path in paths] == ["roc.png", "reliability.png", "confusion.png", "risk-coverage.png"]
    for path in paths:
        assert cv2.imread(str(path)).std() > 5


def test_the_cards_command_runs_as_printed(tmp_path, monkeypatch):
    import shlex

    from conftest import ROOT

    from lungcnn.cli.train import train
    from lungcnn.evaluation.model_card import reproduce_command
    from lungcnn.model.card import load_card

    card = load_card(ROOT / "models" / "cancer_classification_model.keras")
    text = (ROOT / "models" / "MODEL_CARD.md").read_text()
    words = shlex.split(reproduce_command(card))
    assert f"\n{reproduce_command(card)}\n" in text
    assert words[:4] == ["python", "-m", "lungcnn", "train"]
    (tmp_path / "other-scanners").mkdir()  # what is learnt from beside the dataset
    monkeypatch.chdir(tmp_path)
    options = train.make_context("train", words[4:]).params
    assert (options["seeds"], options["folds"], str(options["out"])) == (1, 5, "my-model")
    assert options["recipe"] is None, "the shipped model's recipe is the built-in one"


@pytest.mark.slow
def test_on_the_command_line(untrained, miniature, tmp_path):
    file = tmp_path / "e.json"
    arguments = ["evaluate", str(miniature), "--cases", str(miniature / "cases.csv"), "--model", str(untrained)]
    result = CliRunner().invoke(main, [*arguments, "--json", str(file), "--figures", str(tmp_path / "figures")])
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("# Evaluation")
    figures = json.loads(file.read_text())
    assert np.sum(figures["confusion_slice"]) == 18
    assert figures["seen_in_training"] is None, "an untrained network's card lists no slices"
    assert {"value", "low", "high"} == set(figures["case"]["auc_malignant"])
    assert len(list((tmp_path / "figures").iterdir())) == 4
    none = CliRunner().invoke(main, [*arguments, "--split", "test"])
    assert none.exit_code == 2
    assert "in the split 'test'" in " ".join(none.output.split())


def test_localization_on_the_command_line(untrained, miniature, tmp_path, phantom):
    from test_localization import write_series

    write_series(tmp_path, phantom, (120, 200, 170, 250))
    arguments = ["evaluate", str(miniature), "--cases", str(miniature / "cases.csv"), "--model", str(untrained)]
    file = tmp_path / "l.json"
    options = ["--localization", "--outlines", str(tmp_path), "--json", str(file)]
    result = CliRunner().invoke(main, [*arguments, *options])
    assert result.exit_code == 0, result.output
    found = json.loads(file.read_text())["localization"]
    assert (found["phantoms"]["slices"], found["outlines"]["slices"]) == (4, 1)
    assert found["inserted"]["slices"] > 5
    assert "Phantoms with a lesion" in result.stdout
    alone = CliRunner().invoke(main, [*arguments, "--outlines", str(tmp_path)])
    assert (alone.exit_code, "belong to --localization" in alone.output) == (2, True)


@pytest.mark.slow
def test_localization_out_of_fold_needs_the_folds_networks(crop_set, tmp_path):
    recipe = Recipe(epochs=1, batch=9, width=4, members=1)
    folder = tmp_path / "folds"
    path, _ = run_training(crop_set, tmp_path, recipe, Plan(folds=3, resamples=5), checkpoints=folder)
    pipeline = Pipeline.load(path)
    found = evaluate_localization(pipeline, crop_set, checkpoints=folder, resamples=20)
    assert found["inserted"]["slices"] > 5, "training slices count when another network explains them"
    without = evaluate_localization(pipeline, crop_set, resamples=20)
    assert "inserted" not in without, "the model has seen every slice"
    with pytest.raises(DatasetError, match=r"no network of fold 0.*--checkpoints"):
        evaluate_localization(pipeline, crop_set, checkpoints=tmp_path / "nothing")
