"""Networks that learn from others."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from test_training import QUICK, STILL

from lungcnn.dataset.crops import crop_dataset
from lungcnn.dataset.folder import read_dataset
from lungcnn.model.network import build_network
from lungcnn.training import folds
from lungcnn.training.history import Epoch
from lungcnn.training.lesion_editing import LesionEditing
from lungcnn.training.predicting import predict_logits
from lungcnn.training.teaching import mean_logits, of_teachers
from lungcnn.training.train import Recipe, train_network
from lungcnn.training_run import Plan, run_training


@pytest.fixture(scope="module")
def crop_set(miniature):
    return crop_dataset(read_dataset(miniature, miniature / "cases.csv"))


def test_teachers_have_none_themselves():
    recipe = Recipe(teachers=3)
    assert of_teachers(recipe) == replace(recipe, teachers=0)


def test_teachers_speak_with_one_voice():
    build = partial(build_network, 4, 0.5, 3)
    teachers = [build(), build()]
    crops = np.random.default_rng(0).random((5, 128, 128)).astype(np.float32)
    said = mean_logits(teachers, build)(crops[..., None]).numpy()
    np.testing.assert_allclose(said, np.mean([predict_logits(one, crops) for one in teachers], axis=0), atol=1e-5)
    assert np.abs(said).max() > 0


def test_a_network_learns_what_its_teachers_say(crop_set):
    still = {"lesion_editing": LesionEditing(insert=0, erase=0, decoy=0, dome=0, disease=0), "augmentation": STILL}
    recipe = Recipe(
        epochs=12, batch=6, width=4, map_weight=0.0, dropout=0.0, teaching=1.0, half_precision=False, **still
    )
    teacher = build_network(4, 0.0, 3)
    embedding = teacher.get_layer("embedding")
    embedding.set_weights([8 * value for value in embedding.get_weights()])  # it is sure of what it says
    pupil = train_network(crop_set, recipe, teachers=[teacher])
    untaught = train_network(crop_set, replace(recipe, teaching=0.0), teachers=[teacher])
    wanted, got, other = (predict_logits(one, crop_set.crops) for one in (teacher, pupil, untaught))
    centred = [logits - logits.mean(axis=1, keepdims=True) for logits in (wanted, got, other)]
    assert np.abs(centred[1] - centred[0]).mean() < 0.6 * np.abs(centred[2] - centred[0]).mean()


def test_teachers_are_trained_first_kept_and_not_asked_again(crop_set, tmp_path, monkeypatch):
    trained = []

    class Network:
        def __init__(self, name):
            self.name = name

        def save(self, draft, include_optimizer):
            draft.write_text(self.name)

    def train(crop_set, recipe, seed, on_epoch, name, held_out, state, nodules, teachers):
        trained.append((name, seed, recipe.teachers, [one.name for one in teachers]))
        return Network(name)

    monkeypatch.setattr(folds, "train_network", train)
    monkeypatch.setattr(folds, "_saved_network", lambda file: Network(file.read_text()))
    place = folds.kept_at(tmp_path, crop_set, crop_set.folds, "all")
    recipe = replace(QUICK, teachers=2)
    told = []
    assert folds.kept_network(crop_set, recipe, 1, None, place, "all slices").name == "all slices"
    assert trained == [
        ("all slices, teacher 1", 0, 0, []),
        ("all slices, teacher 2", 1, 0, []),
        ("all slices", 1, 2, ["all slices, teacher 1", "all slices, teacher 2"]),
    ]
    assert folds.kept_network(crop_set, recipe, 1, told.append, place, "all slices").name == "all slices"
    assert len(trained) == 3
    assert len(told) == QUICK.epochs * 3
    assert folds.kept_network(crop_set, recipe, 2, None, place, "seed 2").name == "seed 2"
    assert trained[3:] == [("seed 2", 2, 2, ["all slices, teacher 1", "all slices, teacher 2"])], "the same teachers"


def test_networks_of_all_seeds_have_the_same_teachers_which_are_trained_once(crop_set, tmp_path, monkeypatch):
    trained, told = [], []

    def train(crop_set, recipe, seed, on_epoch, name, *_):
        trained.append(name)
        for number in range(1, recipe.epochs + 1):
            on_epoch(Epoch(name, number, recipe.epochs, 1.0))
        return build_network(4, 0.0, 3)

    monkeypatch.setattr(folds, "train_network", train)
    plan, recipe = Plan(folds=2, seeds=(0, 1), resamples=5), replace(QUICK, teachers=1)
    run_training(crop_set, tmp_path, recipe, plan, told.append)
    assert trained == [
        "seed 0, fold 1 of 2, teacher 1",
        "seed 0, fold 1 of 2",
        "seed 0, fold 2 of 2, teacher 1",
        "seed 0, fold 2 of 2",
        "seed 1, fold 1 of 2",
        "seed 1, fold 2 of 2",
        "all slices, teacher 1",
        "all slices",
    ]
    assert len(told) == plan.epochs(recipe)
    assert [path.name for path in tmp_path.glob("*fold*")] == [], "nothing is left beside the model"
