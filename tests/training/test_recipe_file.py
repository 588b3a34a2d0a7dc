import json
from dataclasses import replace

import pytest
from conftest import ROOT

from lungcnn.errors import UsageError
from lungcnn.training.augmentation import Augmentation
from lungcnn.training.recipe_file import read_recipe
from lungcnn.training.train import Recipe


def written(tmp_path, content):
    path = tmp_path / "recipe.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_card_gives_the_recipe_that_made_it():
    card = ROOT / "models" / "cancer_classification_model.json"
    assert read_recipe(card).as_dict() == json.loads(card.read_text())["training"]["recipe"]


def test_a_recipe_comes_back_as_it_was_written(tmp_path):
    recipe = replace(Recipe(), epochs=60, width=24, members=2, augmentation=replace(Augmentation(), rotation=5.0))
    assert read_recipe(written(tmp_path, recipe.as_dict())) == recipe


def test_a_card_of_before_there_were_members_has_one(tmp_path):
    card = {"training": {"recipe": {"epochs": 60}}}
    assert read_recipe(written(tmp_path, card)) == replace(Recipe(), epochs=60, members=1, inflamed=0.0)


def test_what_is_left_out_is_the_built_in_recipes(tmp_path):
    found = read_recipe(written(tmp_path, {"epochs": 3, "lesion_editing": {"dome": 0}}))
    assert found.epochs == 3
    assert found.lesion_editing == replace(Recipe().lesion_editing, dome=0.0)
    assert found.augmentation == Recipe().augmentation


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ([1], "holds no recipe"),
        ({"training": {}}, "holds no recipe"),
        ({"epoch": 3}, "names 'epoch'.*Accepted: epochs, batch, learning_rate"),
        ({"augmentation": {"zoomed": 1}}, "names 'zoomed'.*Accepted: flip, rotation"),
        ({"augmentation": 3}, "'augmentation' is an object"),
        ({"epochs": 2.5}, "'epochs' is 2.5; accepted is a whole number of at least 1"),
        ({"epochs": 0}, "a whole number of at least 1"),
        ({"members": 0}, "'members' is 0; accepted is a whole number of at least 1"),
        ({"members": 2, "width": 5}, "have an even width; the recipe's is 5"),
        ({"teachers": 3}, "names 'teachers', which there is none of"),
        ({"learning_rate": 0}, "a number above 0"),
        ({"dropout": 1.5}, "a share from 0 to 1"),
        ({"inflamed": 3}, "a share from 0 to 1"),
        ({"lesion_editing": {"inflammation": 0.5}}, "true or false"),
        ({"weight_decay": -1}, "a number of at least 0"),
        ({"width": True}, "a whole number"),
        ({"epochs": float("inf")}, "a whole number"),
        ({"epochs": float("nan")}, "a whole number"),
        ({"learning_rate": float("inf")}, "'learning_rate' is inf; accepted is a number above 0"),
        ({"map_weight": "much"}, "'map_weight' is 'much'"),
    ],
)
def test_what_no_recipe_has_is_said(tmp_path, content, message):
    with pytest.raises(UsageError, match=message):
        read_recipe(written(tmp_path, content))


def test_a_missing_file(tmp_path):
    with pytest.raises(UsageError, match="could not be read: No such file"):
        read_recipe(tmp_path / "no.json")
