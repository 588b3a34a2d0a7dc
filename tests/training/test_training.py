import json
from dataclasses import replace

import numpy as np
import pytest
from test_localization import write_series

from lungcnn.classes import BENIGN, MALIGNANT, NORMAL, Classes
from lungcnn.dataset.crops import crop_dataset
from lungcnn.dataset.elsewhere import DISEASED
from lungcnn.dataset.folder import read_dataset
from lungcnn.errors import UsageError
from lungcnn.evaluation.baselines import BASELINES, BORDER, SIDE, Material, probabilities
from lungcnn.evaluation.metrics import (
    Predictions,
    cross_calibrated,
    expected_calibration_error,
    measure,
    reliability,
    roc_curves,
    summarise,
    with_intervals,
)
from lungcnn.evaluation.model_card import model_card
from lungcnn.model.calibration import (
    PREVALENCE,
    calibrate,
    conformal_thresholds,
    fit_calibration,
    set_membership,
)
from lungcnn.model.card import load_model
from lungcnn.phantoms.bundled import draw
from lungcnn.training.augmentation import Augmentation, augment
from lungcnn.training.folds import case_folds, cross_validate, random_folds
from lungcnn.training.lesion_editing import INFLAMED, LesionEditing
from lungcnn.training.lesions import insert_lesion
from lungcnn.training.predicting import predict_logits
from lungcnn.training.train import Recipe, balanced, targets_of, train_network
from lungcnn.training_run import Plan, run_training

QUICK = Recipe(epochs=2, batch=8, width=4, members=1)
STILL = Augmentation(flip=0, rotation=0, shift=0, zoom=0, contrast=0, brightness=0, noise=0, restyle=0)


@pytest.fixture(scope="module")
def crop_set(miniature):
    return crop_dataset(read_dataset(miniature, miniature / "cases.csv"))


# ---------------------------------------------------------------- lesions and augmentation


def test_inserted_lesions_are_tissue_in_lung(crop_set):
    rng = np.random.default_rng(0)
    for crop, lungs in zip(crop_set.crops[:4], crop_set.lungs[:4], strict=True):
        for _ in range(10):
            drawn, alpha = insert_lesion(crop, lungs, rng)
            assert drawn.dtype == alpha.dtype == np.float32
            assert 0 <= alpha.min() <= alpha.max() <= 1
            np.testing.assert_array_equal(drawn[alpha == 0], crop[alpha == 0])
            assert (drawn >= crop - 1e-6).all(), "a lesion never makes lung more airy, or bone softer"
            core = (alpha > 0.95) & lungs & (crop < 0.5)
            if core.sum() > 8:
                assert drawn[core].mean() == pytest.approx(0.85, abs=0.06)


def test_insertion_repeats_with_its_seed_and_leaves_a_slice_without_lung_alone(crop_set):
    crop, lungs = crop_set.crops[0], crop_set.lungs[0]
    one, other = (insert_lesion(crop, lungs, np.random.default_rng(5))[0] for _ in range(2))
    np.testing.assert_array_equal(one, other)
    same, alpha = insert_lesion(crop, np.zeros_like(lungs), np.random.default_rng(5))
    np.testing.assert_array_equal(same, crop)
    assert not alpha.any()


def test_no_augmentation_changes_nothing(crop_set):
    crop = crop_set.crops[0]
    varied, mask = augment(crop, crop, STILL, np.random.default_rng(0))
    np.testing.assert_allclose(varied, crop, atol=1e-5)
    np.testing.assert_allclose(mask, crop, atol=1e-5)


def test_flip_is_a_mirror_and_masks_move_with_the_crop(crop_set):
    crop = crop_set.crops[0]
    lesion = (crop > 0.6).astype(np.float32)
    varied, mask = augment(crop, lesion, replace(STILL, flip=1.0), np.random.default_rng(0))
    np.testing.assert_allclose(varied, crop[:, ::-1], atol=1e-4)
    np.testing.assert_allclose(mask, lesion[:, ::-1], atol=1e-4)


def test_augmentation_repeats_with_its_seed_and_stays_in_range(crop_set):
    how = Augmentation(noise=0.05)
    for crop in crop_set.crops[:4]:
        one, other, third = (augment(crop, crop, how, np.random.default_rng(seed))[0] for seed in (3, 3, 4))
        np.testing.assert_array_equal(one, other)
        assert not np.allclose(one, third)
        assert one.dtype == np.float32
        assert 0 <= one.min() <= one.max() <= 1


def test_a_small_shift_moves_by_that_much():
    dot = np.zeros((128, 128), np.float32)
    dot[64, 64] = 1
    rng, how = np.random.default_rng(0), replace(STILL, shift=0.05)
    moved = [augment(dot, dot, how, rng)[1] for _ in range(64)]
    rows = np.array([(mask * np.arange(128)[:, None]).sum() / mask.sum() - 64 for mask in moved])
    assert np.abs(rows).max() <= 0.05 * 128
    assert np.abs(rows).max() > 3


def test_beyond_the_old_border_there_is_air():
    varied, _ = augment(
        np.ones((128, 128), np.float32), np.zeros((128, 128)), replace(STILL, shift=0.2), np.random.default_rng(1)
    )
    assert np.unique(varied.round(3)).tolist()[0] == pytest.approx(250 / 1500, abs=1e-3)


# ---------------------------------------------------------------- training


def test_classes_and_sources_count_as_the_recipe_says_whatever_their_numbers():
    recipe = Recipe(benign_home=0.4, benign_elsewhere=0.1, elsewhere=0.5)
    labels = np.array([NORMAL] * 6 + [BENIGN] * 2 + [MALIGNANT] * 3 + [NORMAL] * 4 + [DISEASED, INFLAMED] + [MALIGNANT])
    at_home = np.arange(len(labels)) < 11
    weights = balanced(np.arange(1.0, len(labels) + 1), labels, at_home, recipe)
    assert weights.mean() == pytest.approx(1)
    total = {
        (home, label): weights[(at_home == home) & (labels == label)].sum()
        for home in (True, False)
        for label in (NORMAL, BENIGN, MALIGNANT, DISEASED, INFLAMED)
    }
    assert total[True, NORMAL] == pytest.approx(total[True, MALIGNANT])
    assert total[True, BENIGN] == pytest.approx(0.4 * total[True, NORMAL])
    not_malignant = sum(total[False, label] for label in (NORMAL, DISEASED, INFLAMED))
    assert not_malignant == pytest.approx(total[False, MALIGNANT])
    assert weights[~at_home].sum() == pytest.approx(0.5 * weights[at_home].sum())
    assert weights[1] == pytest.approx(2 * weights[0]), "within a class they keep their proportions"


def test_what_is_diseased_may_be_anything_but_malignant_and_what_is_inflamed_is_benign():
    found = targets_of(np.array([NORMAL, BENIGN, MALIGNANT, DISEASED, INFLAMED]))
    np.testing.assert_array_equal(found, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 0]])


@pytest.mark.slow
def test_the_same_seed_trains_the_same_network(crop_set):
    one, again, other = (train_network(crop_set, QUICK, seed) for seed in (0, 0, 1))
    logits = [predict_logits(network, crop_set.crops[:4]) for network in (one, again, other)]
    np.testing.assert_allclose(logits[0], logits[1], atol=1e-4)
    assert not np.allclose(logits[0], logits[2], atol=1e-2)


def test_training_lowers_the_loss_and_tells_each_epoch(crop_set):
    losses = []
    still = {"lesion_editing": LesionEditing(insert=0, erase=0, decoy=0), "augmentation": STILL}
    recipe = Recipe(epochs=6, batch=6, width=4, members=1, map_weight=0.0, dropout=0.0, **still)
    train_network(crop_set, recipe, on_epoch=lambda epoch: losses.append(epoch.loss))
    assert len(losses) == 6
    assert losses[-1] < 0.95 * losses[0]


# ---------------------------------------------------------------- folds


def test_no_case_lies_in_two_folds(crop_set):
    for count in (2, 3):
        folds = case_folds(crop_set, count)
        assert sorted(set(folds)) == list(range(count))
        for case in set(crop_set.cases):
            assert len(set(folds[crop_set.cases == case])) == 1
    np.testing.assert_array_equal(case_folds(crop_set, 3), crop_set.folds)
    with pytest.raises(UsageError, match="4 folds need 4 cases"):
        case_folds(crop_set, 4)


def test_random_folds_do_split_cases(crop_set):
    folds = random_folds(crop_set, 3, seed=0)
    assert np.bincount(folds).tolist() == [6, 6, 6]
    assert any(len(set(folds[crop_set.cases == case])) > 1 for case in set(crop_set.cases))


def test_out_of_fold_logits_come_from_networks_that_did_not_see_the_slice(crop_set, monkeypatch):
    import lungcnn.training.folds as folds

    seen = []

    def spy(crop_set, recipe, seed, on_epoch, name, held_out, state, nodules):
        assert not set(crop_set.cases) & set(held_out.cases)
        seen.append(set(crop_set.cases))
        return len(seen) - 1

    monkeypatch.setattr(folds, "train_network", spy)
    monkeypatch.setattr(folds, "predict_logits", lambda network, crops: np.full((len(crops), 3), network))
    logits = cross_validate(crop_set, crop_set.folds, QUICK)
    for case, which in zip(crop_set.cases, logits[:, 0].astype(int), strict=True):
        assert case not in seen[which]


@pytest.mark.slow
def test_a_killed_cross_validation_goes_on(crop_set, tmp_path, monkeypatch):
    import lungcnn.training.folds as folds

    first = cross_validate(crop_set, crop_set.folds, QUICK, checkpoints=tmp_path)
    assert len(list(tmp_path.glob("*-fold*.npy"))) == 3
    monkeypatch.setattr(folds, "train_network", lambda *_: pytest.fail("trained a finished fold again"))
    ticks = []
    again = cross_validate(crop_set, crop_set.folds, QUICK, on_epoch=ticks.append, checkpoints=tmp_path)
    np.testing.assert_array_equal(first, again)
    assert [epoch.number for epoch in ticks] == [1, 2] * 3
    assert all(epoch.kept and epoch.validation_loss > 0 for epoch in ticks)
    assert [epoch.network for epoch in ticks[::2]] == ["fold 1 of 3", "fold 2 of 3", "fold 3 of 3"]


@pytest.mark.slow
def test_a_training_run_writes_model_card_and_figures(crop_set, tmp_path, monkeypatch):
    quick = {name: BASELINES[name] for name in ("majority", "noise")}
    quick["lungs_out"] = quick["noise"]  # for its title only: the card compares with it
    monkeypatch.setattr("lungcnn.training_run.BASELINES", quick)
    series = tmp_path / "series"
    series.mkdir()
    write_series(series, draw("arch-spiculated-mass"), (150, 180, 210, 240))
    plan = Plan(folds=2, seeds=(3, 4), leaky=True, baselines=True, localization=True, outlines=series, resamples=30)
    ticks = []
    path, figures = run_training(crop_set, tmp_path, QUICK, plan, on_epoch=ticks.append)
    assert len(ticks) == plan.epochs(QUICK) == QUICK.epochs * (4 + 2 + 1)
    assert [epoch.network for epoch in ticks[1 :: QUICK.epochs]] == [
        "seed 3, fold 1 of 2",
        "seed 3, fold 2 of 2",
        "seed 4, fold 1 of 2",
        "seed 4, fold 2 of 2",
        "random folds, seed 3, fold 1 of 2",
        "random folds, seed 3, fold 2 of 2",
        "all slices",
    ]
    assert path.name == "cancer_classification_model.keras"
    network, card = load_model(path)
    assert network.output_shape == (None, 3)
    assert card.training["seed"] == 3
    assert card.training["files"] == {item.file: item.sha256 for item in crop_set.slices}
    assert card.calibration.temperature > 0
    assert len(card.calibration.set_thresholds) == 3
    assert {"tensorflow", "keras", "python", "lungcnn"} <= set(card.versions)
    written = json.loads((tmp_path / "evaluation.json").read_text())
    for name in ("blocked", "random_leaky"):
        assert written[name] == json.loads(json.dumps(figures[name]))
        for part in ("slice", "case"):
            for metric in ("accuracy", "balanced_accuracy", "auc_malignant", "ece", "brier", "coverage", "set_size"):
                figure = written[name][part][metric]
                assert figure["low"] <= figure["value"] + 1e-9
                assert figure["value"] <= figure["high"] + 1e-9
        assert np.sum(written[name]["confusion_slice"]) == 18
    assert written["blocked"]["cases"] == 9
    assert written["seeds"] == card.training["seeds"] == [3, 4]
    assert len(set(card.training["perceptual_hashes"])) > 10
    assert set(written["baselines"]) == set(quick)
    for name, entry in written["baselines"].items():
        for kind in ("blocked", "random_leaky"):
            assert 0 <= entry[kind]["balanced_accuracy"]["low"] <= entry[kind]["balanced_accuracy"]["high"] <= 1, name
    assert written["baselines"]["majority"]["blocked"]["balanced_accuracy"]["value"] < 0.334, "one class at most"
    text = (tmp_path / "MODEL_CARD.md").read_text()
    assert text == model_card(card)
    assert f"{written['blocked']['slice']['auc_malignant']['value']:.3f}" in text
    assert "Majority class" in text
    assert "A series gets no probability of its own" in text
    assert "Does the heatmap point at the lesion?" in text
    assert {"inserted", "phantoms"} <= set(written["localization"])
    assert written["localization"]["inserted"]["slices"] > 10, "of both seeds"
    assert written["sanity"]["layers"][0] == "logits"
    assert written["localization"]["outlines"]["slices"] == written["other_scanner"]["through"]["slices"] == 1
    assert "of 1 slices through it are called malignant" in text
    warned = written["unlike_training"]
    assert warned["right"]["slices"] + warned["wrong"]["slices"] == 18
    assert f"{warned['right']['warned']} of {warned['right']['slices']}" in text.split("The warning that")[1]
    assert "on a series of another scanner on " in text
    assert "*Leaky*" in text
    assert "IQ-OTH/NCCD" not in text
    assert card.dataset == "18 slices with a case list of their own"
    assert "\npython -m lungcnn train DATASET --cases CASES.csv --out my-model --folds 2 --seed 3 --seeds 2 " in text
    assert " --recipe cancer_classification_model.json\n" in text


def material_with_the_class_in(place, labels):
    """Random pictures whose class stands, as brightness, in one place: border, lungs, wall or noise level."""
    rng = np.random.default_rng(0)
    n, grey = len(labels), np.float32([0.2, 0.5, 0.8])[labels][:, None]
    whole, crops = (rng.normal(0.5, 0.02, (n, SIDE, SIDE)).astype(np.float32) for _ in range(2))
    lungs = np.zeros((n, SIDE, SIDE), np.float32)
    lungs[:, 16:48, 8:56] = 1
    noise = rng.normal(0.01, 0.001, n)
    # Each class gets its own pattern, since nearest neighbours compare patterns and not levels.
    stripes = np.sin(np.arange(SIDE)[None] * (labels + 1)[:, None] / 4).astype(np.float32) * 0.2 + grey
    width = round(BORDER * SIDE)
    if place == "border":
        whole[:, :width] = stripes[:, None]
    elif place == "lungs":
        crops[:, 16:48, 8:56] = stripes[:, None, 8:56]
    elif place == "wall":
        crops[:, 52:] = stripes[:, None]
    else:
        noise = noise + 0.01 * labels
    return Material(whole, crops, lungs, noise)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "sees", "blind"),
    [
        ("border", ["border", "nearest_neighbour"], ["majority", "noise"]),
        ("lungs", ["features", "plain_cnn_crop"], ["border"]),
        ("wall", ["lungs_out"], ["features", "noise"]),
        ("noise", ["noise"], ["majority", "border"]),
    ],
)
def test_baselines_see_what_they_should_and_nothing_else(place, sees, blind):
    labels = np.tile([0, 1, 2], 16)
    folds = np.repeat([0, 1], 24)
    material = material_with_the_class_in(place, labels)
    for name in sees + blind:
        p = probabilities(BASELINES[name], material, labels, folds, seed=1)
        np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
        right = (p.argmax(axis=1) == labels).mean()
        assert right > 0.9 if name in sees else right < 0.7, (name, right)


# ---------------------------------------------------------------- calibration and figures


def at_prevalence(labels, seed=0):
    """Which of the slices to take so that `PREVALENCE` of them are malignant."""
    sick = np.flatnonzero(labels == MALIGNANT)
    count = round(PREVALENCE / (1 - PREVALENCE) * (labels != MALIGNANT).sum())
    spared = np.random.default_rng(seed).permutation(sick)[count:]
    return np.setdiff1d(np.arange(len(labels)), spared)


def rarer(labels):
    """By how much the log odds of malignant fall from its share of the labels to `PREVALENCE`."""
    share = (labels == MALIGNANT).mean()
    return np.log(PREVALENCE / (1 - PREVALENCE)) - np.log(share / (1 - share))


def made_up(n=3000, temperature=2.5, seed=0):
    """Logits that are too sure by a known temperature, with labels and cases of ten slices."""
    rng = np.random.default_rng(seed)
    true_logits = rng.normal(0, 1.5, (n, 3))
    p = np.exp(true_logits) / np.exp(true_logits).sum(1, keepdims=True)
    labels = np.array([rng.choice(3, p=row) for row in p])
    return true_logits * temperature, labels, np.array([f"c{i // 10}" for i in range(n)])


def test_temperature_is_found_and_mends_the_calibration():
    logits, labels, cases = made_up()
    fitted = fit_calibration(logits, labels, cases)
    assert fitted.temperature == pytest.approx(2.5, rel=0.08)
    from lungcnn.model.calibration import Calibration, calibrate

    taken = at_prevalence(labels)
    before = expected_calibration_error(calibrate(logits, Calibration())[taken], labels[taken])
    after = expected_calibration_error(calibrate(logits, fitted)[taken], labels[taken])
    assert after < 0.03 < before
    assert fitted.malignant_sensitivity >= 0.9
    assert fitted.offsets[:2] == (0, 0)
    assert fitted.offsets[2] == pytest.approx(rarer(labels), abs=0.15)
    assert fitted.prevalence == pytest.approx(PREVALENCE)


def test_probabilities_hold_at_one_prevalence_whatever_was_shown_and_collected():
    logits, labels, cases = made_up(n=20_000)
    expected = rarer(labels) - 0.7
    logits[:, MALIGNANT] += 2.5 * 0.7  # as a network that was shown more malignant slices than there are
    fitted = fit_calibration(logits, labels, cases)
    assert fitted.temperature == pytest.approx(2.5, rel=0.08)
    assert fitted.offsets == pytest.approx((0, 0, expected), abs=0.08)
    # Of a third of the slices it is known that they aren't malignant alone: the same is found.
    known_less = np.where((labels != MALIGNANT) & (np.arange(len(labels)) % 2 == 0), -1, labels)
    again = fit_calibration(logits, known_less, cases)
    assert again.offsets == pytest.approx((0, 0, expected), abs=0.12)
    # Of a collection with half as many malignant slices, too.
    fewer = np.flatnonzero((labels != MALIGNANT) | (np.arange(len(labels)) % 2 == 0))
    again = fit_calibration(logits[fewer], labels[fewer], cases[fewer])
    assert again.offsets == pytest.approx((0, 0, expected), abs=0.12)
    assert calibrate(logits, fitted)[at_prevalence(labels), MALIGNANT].mean() == pytest.approx(PREVALENCE, abs=0.01)
    assert fit_calibration(logits, labels, cases, Classes(("a", "b", "c"))).offsets is None


def test_without_a_slice_that_shows_the_suspicious_class_nothing_is_weighted():
    logits, labels, cases = made_up()
    nothing = np.where(labels == MALIGNANT, NORMAL, labels)
    assert fit_calibration(logits, labels, cases, shown=nothing).prevalence == 0


def test_prediction_sets_cover_their_share():
    logits, labels, cases = made_up(n=6000)
    half = np.arange(len(labels)) < 3000
    fitted = fit_calibration(logits[half], labels[half], cases[half])

    inside = set_membership(calibrate(logits[~half], fitted), fitted.set_thresholds)
    for label in range(3):
        mine = labels[~half] == label
        assert inside[mine, label].mean() == pytest.approx(0.9, abs=0.03)


def test_a_large_case_does_not_rule_the_thresholds():
    p = np.zeros((104, 3))
    p[:100, 0], p[100:, 0] = 0.2, 0.8  # one case of 100 bad slices, four of one good slice
    cases = np.array(["big"] * 100 + list("abcd"))
    p[:, 1] = p[:, 2] = (1 - p[:, 0]) / 2
    labels = np.concatenate([np.zeros(104, int), [1, 2]])
    p, cases = np.vstack([p, [[0, 1, 0], [0, 0, 1]]]), np.append(cases, ["x", "y"])
    assert conformal_thresholds(p, labels, cases, coverage=0.6)[0] == pytest.approx(0.2)


def test_reliability_and_roc_by_hand():
    p = np.array([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.0, 0.4, 0.6], [0.3, 0.6, 0.1]])
    unset = np.full(4, np.nan)
    run = Predictions(p, np.array([0, 2, 2, 1]), np.array(list("abcd")), unset, np.tile(unset[:, None], 3))
    assert reliability([run, run]) == [
        {"from": 0.6, "to": 0.7, "slices": 2, "confidence": 0.6, "right": 1.0},
        {"from": 0.9, "to": 1.0, "slices": 2, "confidence": 0.9, "right": 0.5},
    ]
    curves = roc_curves([run])
    assert list(curves) == ["normal", "benign", "malignant"]
    assert curves["benign"]["fpr"][0] == 0
    assert curves["benign"]["tpr"] == [1.0] * 41, "the one benign slice has the highest benign probability"
    assert curves["malignant"]["tpr"][0] == 0.5


def test_expected_calibration_error_by_hand():
    p = np.array([[0.8, 0.1, 0.1]] * 10)
    labels = np.array([0] * 6 + [1] * 4)
    assert expected_calibration_error(p, labels) == pytest.approx(0.2)


def perfect(n_cases=12):
    labels = np.repeat(np.arange(3), n_cases * 2)
    p = np.eye(3)[labels] * 0.94 + 0.02
    cases = np.array([f"{label}-{i // 2}" for i, label in enumerate(labels)])
    return Predictions(p, labels, cases, np.full(len(p), 0.5), np.full((len(p), 3), 0.5))


def test_figures_of_a_perfect_model():
    figures = measure(perfect())
    for name in ("accuracy", "balanced_accuracy", "auc_normal", "auc_malignant", "coverage", "set_size"):
        assert figures[name] == 1
    assert figures["ece"] == pytest.approx(0.04)
    assert figures["brier"] == pytest.approx(0.04**2 + 2 * 0.02**2)
    assert figures["sensitivity_malignant"] == figures["specificity_malignant"] == 1


def test_intervals_come_from_cases_not_slices():
    """Copying every slice leaves an interval over cases as it is; one over slices would shrink."""
    rng = np.random.default_rng(0)
    base = perfect()
    wrong = np.isin(base.cases, rng.choice(np.unique(base.cases), 9, replace=False))
    p = np.where(wrong[:, None], np.roll(base.p, 1, axis=1), base.p)
    once = Predictions(p, base.labels, base.cases, base.threshold, base.limits)
    tenfold = once.take(np.repeat(np.arange(len(p)), 10))
    narrow, wide = (with_intervals([part], resamples=200)["accuracy"] for part in (once, tenfold))
    assert narrow["value"] == wide["value"] == pytest.approx(0.75)
    assert narrow["high"] - narrow["low"] == pytest.approx(wide["high"] - wide["low"], abs=0.02)
    assert narrow["high"] - narrow["low"] > 0.2


def test_figures_of_several_seeds_are_means():
    right = perfect()
    wrong = Predictions(np.roll(right.p, 1, axis=1), right.labels, right.cases, right.threshold, right.limits)
    figures = with_intervals([right, wrong], resamples=20)
    assert figures["accuracy"] == {"value": 0.5, "low": 0.5, "high": 0.5}


def test_the_only_case_of_a_class_is_in_every_resample():
    base = perfect()
    rows = np.flatnonzero((base.labels == 0) | np.isin(base.cases, ["1-13", "2-25"]))
    assert np.bincount(base.labels[rows]).tolist() == [24, 2, 2]
    figures = with_intervals([base.take(rows)], resamples=20)
    assert figures["accuracy"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    one_each = base.take([0, 24, 48])
    assert with_intervals([one_each], resamples=20)["auc_benign"] == {"value": 1.0, "low": 1.0, "high": 1.0}


def test_sure_lesions_stand_against_normal_slices_alone():
    base = perfect()
    seen = np.arange(len(base.labels)) == len(base.labels) - 1
    lesions = {"sure_lesions": seen, "second_look": np.zeros_like(seen)}
    found = summarise([base], lesions, resamples=20)
    assert found["sure_lesions"]["slices"] == 1
    assert found["sure_lesions"]["auc_malignant"]["value"] == 1
    assert "second_look" not in found, "no slice, no figure"


def test_by_case_is_the_mean_of_its_slices():
    cases = perfect().by_case()
    assert len(cases.labels) == 36
    np.testing.assert_allclose(cases.p.max(axis=1), 0.96)


def test_reliability_and_more_are_measured_by_what_is_shown():
    p = np.array([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.0, 0.4, 0.6], [0.3, 0.6, 0.1]])
    unset = np.full(4, np.nan)
    run = Predictions(p, np.array([0, 2, 2, 1]), np.array(list("abcd")), unset, np.tile(unset[:, None], 3))
    plain = summarise([run], resamples=20)
    found = summarise([run], resamples=20, shown=np.array([0, 0, 2, 1]))
    assert [part["right"] for part in plain["reliability"]] == [1.0, 0.5]
    assert [part["right"] for part in found["reliability"]] == [1.0, 1.0]
    assert found["shown"]["nothing"] == 1
    assert found["shown"]["accuracy"]["value"] == 1.0
    assert found["slice"] == plain["slice"], "against the labels, as ever"
    assert "shown" not in plain
    assert "shown" not in summarise([run], resamples=20, shown=run.labels)


def test_what_a_slice_shows_is_its_label_unless_nothing_malignant_was_seen(crop_set):
    nothing, something = (np.zeros((0, 4)), np.zeros(0, bool)), (np.ones((1, 4)), np.ones(1, bool))
    looked = replace(crop_set, boxes=(nothing, something, None) * 6, second_look=(None,) * 18)
    expected = crop_set.labels
    expected[(expected == MALIGNANT) & (np.arange(18) % 3 == 0)] = NORMAL
    np.testing.assert_array_equal(looked.shown, expected)
    assert (expected != crop_set.labels).any()
    other = replace(looked, classes=Classes(("a", "b", "c")))
    np.testing.assert_array_equal(other.shown, crop_set.labels)


def test_temperature_and_offset_are_fitted_to_what_is_shown_and_the_rest_to_labels():
    logits, labels, cases = made_up()
    shown = labels.copy()
    shown[np.flatnonzero(labels == MALIGNANT)[::2]] = NORMAL
    by_label = fit_calibration(logits, labels, cases)
    by_sight = fit_calibration(logits, labels, cases, shown=shown)
    assert by_sight.offsets[MALIGNANT] < by_label.offsets[MALIGNANT] - 0.1
    p = calibrate(logits, by_sight)
    assert p[at_prevalence(shown), MALIGNANT].mean() == pytest.approx(PREVALENCE, abs=0.015)
    assert by_sight.malignant_sensitivity == pytest.approx(
        (p[labels == MALIGNANT, MALIGNANT] >= by_sight.malignant_threshold).mean()
    )
    assert by_sight.malignant_sensitivity >= 0.9


def test_each_fold_is_calibrated_on_the_others():
    logits, labels, cases = made_up(n=900)
    folds = np.arange(900) // 10 % 3
    logits[folds == 2] *= 4  # a fold that is far too sure doesn't set its own temperature
    found = cross_calibrated(logits, labels, cases, folds)
    others = fit_calibration(logits[folds != 2], labels[folds != 2], cases[folds != 2])

    np.testing.assert_allclose(found.p[folds == 2], calibrate(logits[folds == 2], others), atol=1e-6)
    assert len(set(found.threshold)) == 3
