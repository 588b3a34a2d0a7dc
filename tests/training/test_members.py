"""Networks of several members: trained one by one, kept, and joined."""

from dataclasses import replace

import numpy as np
import pytest
from test_training import QUICK

from lungcnn.dataset.crops import crop_dataset
from lungcnn.dataset.folder import read_dataset
from lungcnn.model.committee import members
from lungcnn.model.network import build_network
from lungcnn.training import folds
from lungcnn.training.history import Epoch
from lungcnn.training.train import Recipe
from lungcnn.training_run import Plan

TWO = replace(QUICK, members=2, inflamed=0.0)


@pytest.fixture(scope="module")
def crop_set(miniature):
    return crop_dataset(read_dataset(miniature, miniature / "cases.csv"))


def test_members_are_trained_by_themselves_kept_and_told_again(crop_set, tmp_path, monkeypatch):
    trained, told = [], []

    def train(crop_set, recipe, seed, on_epoch, name, held_out, state, nodules):
        assert recipe == replace(QUICK, inflamed=0.0)
        trained.append((name, seed))
        for number in range(1, recipe.epochs + 1):
            on_epoch(Epoch(name, number, recipe.epochs, 1.0))
        network = build_network(4)
        network.get_layer("conv2").set_weights([np.full((3, 3, 2, 8), seed + 1.0), np.zeros(8)])
        return network

    monkeypatch.setattr(folds, "train_network", train)
    place = folds.kept_at(tmp_path, crop_set, crop_set.folds, "all")
    network = folds.kept_network(crop_set, TWO, 1, told.append, place, "all slices")
    assert trained == [("all slices, member 1", 2), ("all slices, member 2", 3)], "no two seeds have one in common"
    assert [one.get_layer("conv2").get_weights()[0].max() for one in members(network)] == [3.0, 4.0]
    again = folds.kept_network(crop_set, TWO, 1, told.append, place, "all slices")
    np.testing.assert_array_equal(again.get_weights()[2], network.get_weights()[2])
    assert len(trained) == 2, "they were kept"
    assert [(epoch.network, epoch.loss, epoch.kept) for epoch in told[4:]] == [
        (name, 1.0, True) for name, _ in trained for _ in range(QUICK.epochs)
    ]
    assert {path.suffix for path in tmp_path.iterdir()} == {".keras", ".csv"}


def test_a_run_has_the_epochs_of_all_members():
    recipe = Recipe(epochs=10, members=3)
    assert Plan(folds=5, seeds=(0, 1), leaky=True).epochs(recipe) == 10 * (3 * (1 + 5 * 2) + 5)
    assert Plan(folds=0).epochs(replace(recipe, members=1)) == 10


@pytest.mark.parametrize(
    ("members", "share", "expected"),
    [
        (1, 0.5, [(0, False)]),
        (3, 0.0, [(0, False), (1, False), (2, False)]),
        (3, 0.5, [(0, False), (1, False), (0, True)]),
        (6, 0.5, [(0, False), (1, False), (2, False), (0, True), (1, True), (2, True)]),
        (2, 1.0, [(0, True), (1, True)]),
    ],
)
def test_the_last_members_are_taught_inflammation(members, share, expected):
    recipe = Recipe(members=members, inflamed=share)
    assert [(seed, one.lesion_editing.inflammation) for seed, one in recipe.of_members] == expected
    for _, one in recipe.of_members:
        assert replace(one, members=members, lesion_editing=recipe.lesion_editing) == recipe
        assert one.members == 1


def test_the_same_seed_taught_otherwise_is_another_network(crop_set):
    (seed, plain), *_, (same, taught) = Recipe(members=2).of_members
    assert seed == same == 0
    keys = {folds.run_key(crop_set, crop_set.folds, recipe, 0) for recipe in (plain, taught, Recipe())}
    assert len(keys) == 3
