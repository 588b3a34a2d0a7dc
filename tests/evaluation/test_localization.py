"""Pointing game and attribution, on maps and lesions worked out by hand."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lungcnn.errors import DatasetError
from lungcnn.evaluation.localization import locate, mean_by_case, summarise_findings
from lungcnn.evaluation.reports import localization_tables
from lungcnn.evaluation.sentences import warning_sentence
from lungcnn.evaluation.targets import Target, dataset_targets, outline_targets, phantom_targets, series_calls
from lungcnn.evaluation.warning_rates import rates_out_of_fold
from lungcnn.explaining.explainer import Explainer
from lungcnn.explaining.weight_randomisation import randomisation_test
from lungcnn.gate.familiarity import fit_familiarity
from lungcnn.phantoms.bundled import draw, to_dicom


@pytest.fixture(scope="module")
def explainer():
    """A network that calls a crop malignant by the brightness of one cell of 4 x 4."""
    from test_explaining import brightness_network

    from lungcnn.model.classifier import Classifier

    return Explainer(Classifier.of(brightness_network(1, 3)))


def target(row, column, case, kind="boxes", bright=True):
    crop, lungs, lesion = np.zeros((128, 128), np.float32), np.ones((128, 128), bool), np.zeros((128, 128), bool)
    if bright:
        crop[32:64, 96:] = 1.0
    lesion[32 * row + 8 : 32 * row + 16, 32 * column + 8 : 32 * column + 16] = True
    return Target(kind, case, crop, lungs, lesion)


def test_hits_misses_and_slices_not_called(explainer):
    targets = [target(1, 3, "a"), target(0, 0, "b"), target(1, 3, "c", bright=False)]
    hit, miss, uncalled = locate(explainer, targets, methods=("grad-cam", "hires-cam"))
    assert (hit.called, miss.called, uncalled.called) == (True, True, False)
    assert hit.hit == {"grad-cam": True, "hires-cam": True}
    assert miss.hit == {"grad-cam": False, "hires-cam": False}
    assert hit.inside["hires-cam"] > 0.04 > miss.inside["hires-cam"]
    assert hit.chance == pytest.approx(64 / 128**2)
    assert hit.better_than_random
    summary = summarise_findings([hit, miss, uncalled], resamples=50)["boxes"]
    assert (summary["slices"], summary["called"]) == (3, 2)
    assert summary["methods"]["hires-cam"]["hit"]["value"] == 0.5
    text = localization_tables({"boxes": summary, "phantoms": {"slices": 2, "called": 0}})
    assert "2 of 3 slices called malignant" in text
    assert "HiResCAM | 0.500 (0.000–1.000)" in text
    assert "Phantoms with a lesion: 0 of 2" in text
    assert locate(explainer, [targets[2]], ("grad-cam",), threshold=0.0)[0].called


def test_intervals_come_from_cases():
    cases = np.repeat(["a", "b", "c", "d"], 50)
    values = np.repeat([0.0, 0.0, 1.0, 1.0], 50)
    figure = mean_by_case(values, cases, resamples=400)
    assert figure["value"] == 0.5
    assert figure["high"] - figure["low"] > 0.5, "200 slices are no more than four cases"
    alone = mean_by_case(np.array([0.2, 0.4]), np.array(["a", "a"]))
    assert alone["low"] == alone["value"] == alone["high"] == pytest.approx(0.3)


def test_targets_of_phantoms_and_of_a_dataset(miniature):
    from lungcnn.dataset.crops import crop_dataset
    from lungcnn.dataset.folder import read_dataset

    phantoms = phantom_targets()
    assert len(phantoms) == 4
    for found in phantoms:
        assert found.lesion.any()
        assert (found.lesion & found.lungs).mean() < 0.2
        assert found.crop[found.lesion].mean() > 0.6
    crop_set = crop_dataset(read_dataset(miniature, miniature / "cases.csv"))
    drawn = dataset_targets(crop_set)
    assert {found.kind for found in drawn} == {"inserted"}
    for found in drawn:
        (original,) = (crop for crop in crop_set.crops if (crop == found.crop)[~found.lesion].mean() > 0.9)
        assert found.crop[found.lesion].mean() > original[found.lesion].mean()


def write_series(folder, phantom, box):
    """A DICOM slice with the outlines of three readers: two agree on `box`, one marks a corner."""
    import pydicom

    content = to_dicom(phantom)
    (folder / "slice.dcm").write_bytes(content)
    name = pydicom.dcmread(folder / "slice.dcm").SOPInstanceUID
    x0, y0, x1, y1 = box

    def region(points):
        edges = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in points)
        return f"<roi><imageSOP_UID>{name}</imageSOP_UID>{edges}</roi>"

    both = region([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    corner = region([(0, 0), (30, 0), (30, 30)])
    point = region([(3, 3)])
    text = f'<LidcReadMessage xmlns="http://www.nih.gov">{both}{both}{corner}{point}</LidcReadMessage>'
    (folder / "readers.xml").write_text(text)


def test_outlines_that_two_readers_drew(tmp_path, phantom):
    rows, columns = np.nonzero(phantom.lesion_mask)
    write_series(tmp_path, phantom, (columns.min(), rows.min(), columns.max(), rows.max()))
    (found,) = outline_targets(tmp_path)
    assert found.kind == "outlines"
    assert 0.75 < found.crop[found.lesion].mean() < 0.95
    assert 0.005 < found.lesion.mean() < 0.06


@pytest.mark.parametrize("malignant", [True, False])
def test_calls_of_a_series_count_through_the_nodule_and_away_from_it(tmp_path, phantom, malignant):
    rows, columns = np.nonzero(phantom.lesion_mask)
    write_series(tmp_path, phantom, (columns.min(), rows.min(), columns.max(), rows.max()))
    (tmp_path / "away.dcm").write_bytes(to_dicom(draw("carina-normal")))
    (tmp_path / "refused.dcm").write_bytes(to_dicom(replace(phantom, hu=np.full_like(phantom.hu, -1000))))
    p = np.float32([[0.2, 0.1, 0.7]] if malignant else [[0.5, 0.1, 0.4]])
    found = series_calls(lambda crops: SimpleNamespace(probabilities=p), tmp_path)
    called = int(malignant)
    assert found == {"through": {"slices": 1, "called": called}, "away": {"slices": 1, "called": called}}
    features = np.ones((1, 8), np.float32)
    far = fit_familiarity("conv5", [(features * [[1], [2], [3]], features * 99)], features * [[1], [2], [3]])
    network = lambda crops: SimpleNamespace(probabilities=p, features=features * 500)  # noqa: E731
    told = series_calls(network, tmp_path, far)["unlike_training"]
    # Right through the nodule where it is called malignant, and away from it where it isn't: one of each.
    assert told == {"right": {"slices": 1, "warned": 1}, "wrong": {"slices": 1, "warned": 1}}


def test_the_warnings_rate_among_right_and_wrong_answers():
    rng = np.random.default_rng(0)
    known, usual, odd = (rng.uniform(1, high, (size, 6)) for high, size in ((3, 300), (3, 200), (90, 20)))
    folds = [(known, np.concatenate([usual[:100], odd])), (known, usual[100:])]
    right = [np.repeat([True, False], (100, 20)), np.ones(100, bool)]
    # The first fold's threshold comes from the second, where nothing is odd.
    found = rates_out_of_fold(folds, right)
    assert found["wrong"] == {"slices": 20, "warned": 20}
    assert found["right"]["slices"] == 200
    assert found["right"]["warned"] <= 4
    assert warning_sentence({"unlike_training": found}).endswith("wrong answers.")
    assert "20 of 20 (100.0%) wrong" in warning_sentence({"unlike_training": found})
    assert warning_sentence({"other_scanner": {}}) == ""


def test_folders_without_outlines(tmp_path):
    with pytest.raises(DatasetError, match="no DICOM slices with LIDC readers' outlines"):
        outline_targets(tmp_path)
    (tmp_path / "readers.xml").write_text("<cut")
    with pytest.raises(DatasetError, match=r"readers.xml is not XML"):
        outline_targets(tmp_path)
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><LidcReadMessage xmlns="http://www.nih.gov">&a;</LidcReadMessage>'
    (tmp_path / "readers.xml").write_text(bomb)
    with pytest.raises(DatasetError, match=r"readers.xml is not XML"):
        outline_targets(tmp_path)


@pytest.mark.data
def test_outlines_of_the_lidc_series(data):
    found = outline_targets(data / "lidc-0001")
    assert 6 <= len(found) <= 9
    assert all(found.lesion.any() for found in found)


def test_a_network_that_learnt_fails_to_keep_its_maps_when_randomised():
    import keras

    from lungcnn.model.network import build_network

    keras.utils.set_random_seed(3)
    network = build_network(width=4)
    before = [weights.copy() for weights in network.get_weights()]
    found = randomisation_test(network)
    assert found["layers"][0] == "logits"
    assert found["layers"][-1] == "conv1"
    assert len(found["correlation"]) == len(found["layers"]) == 11
    assert all(-1 <= value <= 1 for value in found["correlation"])
    for one, other in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_network_whose_map_needs_no_weights_survives_and_is_flagged():
    from test_explaining import brightness_network

    from lungcnn.evaluation.sentences import sanity_sentence

    network = brightness_network(1, 3)
    network.layers[-1].set_weights([np.tile([[0, 0, 1.0]], (16, 1)), np.zeros(3)])
    found = randomisation_test(network, seed=1)
    assert isinstance(found["survives"], bool)
    assert found["survives"] == (found["correlation"][-1] > 0.5)
    text = sanity_sentence({"layers": ["a"], "correlation": [0.9], "survives": True})
    assert "survive randomisation" in text
    assert "0.90" in text
    fine = sanity_sentence({"layers": ["a", "b"], "correlation": [0.5, 0.01], "survives": False})
    assert "a 0.50, b 0.01" in fine
