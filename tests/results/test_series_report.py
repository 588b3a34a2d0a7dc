"""The rule for series on made-up probabilities, and series of phantoms through the pipeline."""

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import dicom_bytes
from hypothesis import given, settings, strategies as st

from lungcnn.evaluation.metrics import Predictions
from lungcnn.evaluation.series_rule_fit import fit_series_rule
from lungcnn.phantoms.bundled import draw
from lungcnn.pipeline import Pipeline
from lungcnn.reading.loading import load_slice
from lungcnn.reading.series_reader import read_series
from lungcnn.results.series_report import SeriesReport
from lungcnn.results.series_rule import RULES, SeriesRule


def predictions(per_case: list[tuple[int, list[float]]]) -> tuple[Predictions, np.ndarray]:
    """Cases of a label and their slices' malignant probabilities; three folds in turn."""
    p, labels, cases, folds = [], [], [], []
    for index, (label, malignant) in enumerate(per_case):
        for m in malignant:
            p.append([(1 - m) * 0.7, (1 - m) * 0.3, m])
            labels.append(label)
            cases.append(f"case {index}")
            folds.append(index // 3 % 3)
    n = len(labels)
    run = Predictions(np.array(p), np.array(labels), np.array(cases), np.full(n, np.nan), np.full((n, 3), np.nan))
    return run, np.array(folds)


def test_one_high_slice_among_many_makes_the_peak_the_rule():
    rng = np.random.default_rng(0)
    material = []
    for index in range(60):
        malignant = rng.uniform(0.05, 0.6, 12)
        if index % 3 == 2:
            malignant[rng.integers(12)] = rng.uniform(0.9, 0.99)  # the lesion is on one slice
        material.append((index % 3, list(malignant)))
    run, folds = predictions(material)
    rule, measured = fit_series_rule([run], folds, resamples=50)
    assert rule.rule == "maximum"
    assert measured["figures"]["auc_malignant"]["value"] == 1.0
    assert measured["cases"] == 60
    assert measured["slices_per_case"] == [12, 12, 12] == [*rule.slices, 12]
    assert rule.probability([0.1] * 11 + [0.95]) > 0.9 > 0.1 > rule.probability([0.5] * 12)
    assert rule.sensitivity >= 0.9
    assert rule.threshold > rule.probability([0.6] * 12)


def test_a_small_shift_of_all_slices_makes_the_mean_the_rule():
    rng = np.random.default_rng(1)
    material = []
    for index in range(90):
        centre = 0.55 if index % 3 == 2 else 0.45
        material.append((index % 3, list(np.clip(rng.normal(centre, 0.2, 15), 0.01, 0.99))))
    rule, measured = fit_series_rule([predictions(material)[0]], predictions(material)[1], resamples=50)
    assert rule.rule == "mean"
    assert measured["candidates"]["mean"] == min(measured["candidates"].values())
    assert measured["figures"]["auc_malignant"]["value"] > 0.8


def test_noise_gives_no_skill_in_the_figures_though_a_rule_is_chosen():
    """Choosing and fitting on the cases that are measured would show here as skill."""
    rng = np.random.default_rng(2)
    run, folds = predictions([(i % 3, list(rng.uniform(0, 1, 8))) for i in range(120)])
    _, measured = fit_series_rule([run], folds, resamples=50)
    assert abs(measured["figures"]["auc_malignant"]["value"] - 0.5) < 0.12
    assert 0.20 < measured["figures"]["brier"]["value"] < 0.26, "that of always saying one third is 0.222"


def test_runs_of_two_seeds_count_alike():
    rng = np.random.default_rng(3)
    one, folds = predictions([(i % 3, list(rng.uniform(0.3 * (i % 3 == 2), 0.8, 6))) for i in range(45)])
    single, _ = fit_series_rule([one], folds, resamples=20)
    double, measured = fit_series_rule([one, one], folds, resamples=20)
    assert single.rule == double.rule
    assert double.probability([0.3, 0.6]) == pytest.approx(single.probability([0.3, 0.6]), abs=0.02)
    assert set(measured["figures"]["ece"]) == {"value", "low", "high"}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.sampled_from(list(RULES)))
@settings(deadline=None)
def test_every_rule_stays_within_bounds_and_grows_with_its_slices(p, name):
    rule = SeriesRule(name, 1.3, -0.2, 0.5, 0.9, (1, 40))
    assert 0 <= RULES[name](np.array(p)) <= 1
    assert 0 < rule.probability(p) < 1
    higher = [min(1.0, value + 0.1) for value in p]
    assert rule.probability(higher) >= rule.probability(p) - 1e-12


def test_a_long_series_is_thinned_so_that_length_alone_is_no_evidence():
    rng = np.random.default_rng(4)
    rule = SeriesRule("maximum", 1.0, 0.0, 0.5, 0.9, (1, 10))
    short = np.mean([rule.probability(rng.uniform(0, 1, 10)) for _ in range(200)])
    long = np.mean([rule.probability(rng.uniform(0, 1, 300)) for _ in range(50)])
    assert long == pytest.approx(short, abs=0.02)
    assert [rule.stride(n) for n in (1, 10, 11, 20, 300)] == [1, 1, 2, 2, 30]
    lesion = np.full(40, 0.1)
    lesion[20:24] = 0.9  # on four neighbours: in each of the four ways to thin
    assert rule.probability(lesion) == pytest.approx(0.9)


def test_the_rule_survives_the_card():
    rule = SeriesRule("top3", 1.5, -0.25, 0.4, 0.9, (2, 40))
    assert SeriesRule.from_card(json.loads(json.dumps(rule.as_dict()))) == rule
    assert SeriesRule.from_card({}) is None
    assert SeriesRule.from_card({"rule": "of a later version"}) is None


# ---------------------------------------------------------------- through the pipeline


@pytest.fixture(scope="module")
def files():
    """Nine slices of phantoms 5 mm apart, given from the head down; one shows nothing but air, one is damaged."""
    normal, mass = draw("carina-normal"), draw("arch-spiculated-mass")
    made = []
    for z in range(9):
        hu = (mass if z == 4 else normal).hu
        stored = (hu + 1024).astype(np.int16)
        if z == 8:
            stored = np.zeros_like(stored)
        place = {"ImagePositionPatient": [0, 0, 5 * z], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
        made.append(dicom_bytes(stored, SeriesInstanceUID="1.2.3", **place))
    made[0] = made[0][:-1000]
    return made[::-1]


@pytest.fixture(scope="module")
def ruled(shipped):
    """The shipped pipeline with a rule for series."""
    rule = SeriesRule("maximum", 1.0, 0.0, 0.5, 0.9, (2, 5))
    return Pipeline(shipped.classifier, replace(shipped.card, series=rule.as_dict()), shipped.explainer)


@pytest.fixture(scope="module")
def report(ruled, files) -> SeriesReport:
    (series,) = read_series(files).series
    return ruled.run_series(series, workers=2)


def test_each_slice_is_judged_as_it_would_be_alone(ruled, files, report):
    assert report.positions == (0, 5, 10, 15, 20, 25, 30, 35, 40)
    assert [one.status for one in report.slices] == ["error", *["ok"] * 7, "refused"]
    for index in (3, 4):
        alone = ruled.run(load_slice(files[::-1][index]), checks=False)
        together = report.slices[index]
        assert together.probabilities == pytest.approx(alone.probabilities, abs=1e-4)
        assert (together.prediction, together.prediction_set) == (alone.prediction, alone.prediction_set)
        assert (together.warnings, together.model) == (alone.warnings, alone.model)
    assert all(one.explanation is None for one in report.slices), "maps are made of the slices looked at"


def test_profile_suspicious_slices_and_result(report):
    profile = report.profile
    assert profile.shape == (9, 3)
    assert np.isnan(profile[[0, 8]]).all()
    assert np.allclose(profile[1:8].sum(axis=1), 1, atol=1e-5)
    malignant = profile[1:8, 2]
    assert report.suspicious[0] == 4 == 1 + malignant.argmax()
    places = [report.positions[i] for i in report.suspicious]
    assert all(abs(a - b) >= 10 for i, a in enumerate(places) for b in places[:i])
    # The rule passes the peak on, of every other slice, since its cases had five at most.
    expected = (malignant[::2].max() + malignant[1::2].max()) / 2
    assert report.result.malignant == pytest.approx(float(expected), abs=1e-4)
    assert (report.result.rule, report.result.judged) == ("maximum", 7)
    assert report.result.called_malignant == (report.result.malignant >= 0.5)
    assert "longer_than_measured" in [note.code for note in report.notes]


def test_json_names_no_patient_and_no_uid(report):
    text = json.dumps(report.to_json())
    assert "MARKER" not in text
    assert "1.2.3" not in text
    record = report.to_json()
    assert record["slices"][4]["position_mm"] == 20
    assert record["slices"][0]["reasons"][0]["code"] == "unreadable"
    assert record["result"]["rule"] == "maximum"
    assert record["spacing_mm"] == 5


def test_progress_comes_once_a_slice_in_order(ruled, files):
    (series,) = read_series(files).series
    seen = []
    report = ruled.run_series(series, on_slice=seen.append)
    assert tuple(seen) == report.slices


def test_without_a_rule_or_without_slices_it_is_said(pipeline, files):
    (series,) = read_series(files).series
    assert [reason.code for reason in pipeline.run_series(series).reasons] == ["no_series_rule"]
    (air,) = read_series(files[:1]).series
    empty = pipeline.run_series(air)
    assert (empty.status, empty.result, empty.suspicious) == ("refused", None, ())
    assert [reason.code for reason in empty.reasons] == ["nothing_judged"]


def test_an_error_of_the_caller_ends_the_run(ruled, files):
    (series,) = read_series(files).series

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ruled.run_series(series, on_slice=stop)
