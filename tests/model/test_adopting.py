import json

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import ROOT

from lungcnn import Pipeline, load_slice
from lungcnn.classes import CLASSES, parse_classes
from lungcnn.cli import main
from lungcnn.errors import ModelFileError, ModelStructureError, UsageError
from lungcnn.model.adopting import adopt_model, check_claims
from lungcnn.model.card import load_card


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """A small Sequential model that knows nothing of lungcnn, without a card."""
    return saved(tmp_path_factory.mktemp("foreign") / "theirs.keras")


def saved(path, size=128, channels=1, classes=3):
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    keras.Sequential(
        [
            keras.Input((size, size, channels)),
            layers.Conv2D(4, 3, strides=4, activation="relu"),
            layers.GlobalMaxPooling2D(),
            layers.Dense(classes, activation="softmax"),
        ]
    ).save(path)
    return path


def adopt(*arguments):
    return CliRunner().invoke(main, ["adopt", *map(str, arguments)])


def test_an_adopted_model_judges_and_says_that_it_is_uncalibrated(foreign):
    result = adopt(foreign, "--classes", "Normal, benign,malignant", "--trained-on", "LIDC-IDRI, 2011", "--force")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(foreign.with_suffix(".json"))
    report = Pipeline.load(foreign).run(load_slice(ROOT / "examples" / "carina-normal.dcm"), checks=False)
    assert report.status == "ok"
    assert [warning.code for warning in report.warnings] == ["uncalibrated"]
    assert report.prediction_set is None
    assert report.model.name == "theirs"
    assert load_card(foreign).dataset == "LIDC-IDRI, 2011"


def test_probabilities_are_the_models_own(foreign):
    import keras

    adopt_model(foreign)
    pipeline = Pipeline.load(foreign)
    crops = np.random.default_rng(0).random((3, 128, 128), np.float32)
    expected = keras.saving.load_model(foreign).predict(crops[..., None], verbose=0)
    np.testing.assert_allclose(pipeline.classifier.probabilities(crops), expected, atol=1e-5)
    assert load_card(foreign).dataset is None, "nobody said"


def test_calibrated_on_a_folder(foreign, miniature):
    cases = miniature / "cases.csv"
    result = adopt(foreign, "--classes", ",".join(CLASSES), "--calibrate", miniature, "--cases", cases, "--force")
    assert result.exit_code == 0, result.output
    assert "has not seen these slices" in result.stderr
    card = load_card(foreign)
    assert card.calibration.fitted
    assert len(card.calibration.set_thresholds) == 3
    assert card.training["calibrated_on"].startswith("18 slices of ")
    report = Pipeline.load(foreign).run(load_slice(ROOT / "examples" / "carina-normal.dcm"), checks=False)
    assert "uncalibrated" not in [warning.code for warning in report.warnings]
    assert report.prediction_set


def test_what_is_not_as_the_pipeline_has_it_is_said(foreign, tmp_path):
    with pytest.raises(UsageError, match=r"gives 3 probabilities; 4 classes are named \(a, b, c, d\)"):
        adopt_model(foreign, parse_classes("a,b,c,d"))
    with pytest.raises(UsageError, match=r"Rescaling\(255, offset=0\)"):
        check_claims(foreign, (0, 255), force=True)
    with pytest.raises(UsageError, match=r"There is no model at .*nothing\.keras"):
        check_claims(tmp_path / "nothing.keras")


def test_a_card_that_is_there_is_kept(tmp_path):
    model = saved(tmp_path / "mine.keras")
    (tmp_path / "mine.json").write_text(json.dumps({"mine": 1}))
    result = adopt(model, "--classes", ",".join(CLASSES))
    assert result.exit_code == 2
    assert "is there already" in result.output
    assert json.loads((tmp_path / "mine.json").read_text()) == {"mine": 1}


@pytest.mark.parametrize("shape", [{"size": 96}, {"channels": 3}])
def test_models_of_other_shapes_are_refused_and_get_no_card(shape, tmp_path):
    model = saved(tmp_path / "other.keras", **shape)
    with pytest.raises(ModelStructureError, match=r"expected one image \(128, 128, 1\) and a probability for each"):
        adopt_model(model)
    assert list(tmp_path.iterdir()) == [model]


def test_the_range_that_the_sentence_advises_works(tmp_path):
    import keras

    inner = keras.saving.load_model(saved(tmp_path / "inner.keras"))
    wrapped = tmp_path / "wrapped.keras"
    keras.Sequential([keras.Input((128, 128, 1)), keras.layers.Rescaling(255, offset=0), *inner.layers]).save(wrapped)
    adopt_model(wrapped)
    crops = np.random.default_rng(0).random((2, 128, 128), np.float32)
    expected = inner.predict(crops[..., None] * 255, verbose=0)
    np.testing.assert_allclose(Pipeline.load(wrapped).classifier.probabilities(crops), expected, atol=1e-4)


def test_the_page_claims_nothing_of_an_adopted_model_that_nobody_said(foreign):
    from demo import about
    from demo.about import measured

    adopt_model(foreign)
    card = load_card(foreign)
    assert "What it was trained on is not known." in measured(card)
    assert "IQ-OTH/NCCD" not in measured(card)
    assert "benign cases are few" not in str(about.weighed(card))
    adopt_model(foreign, dataset="slices of <our> ward")
    assert "It was trained on slices of &lt;our&gt; ward." in measured(load_card(foreign))
    ours = measured(load_card(ROOT / "models" / "cancer_classification_model.keras"))
    assert "It was trained on the IQ-OTH/NCCD lung cancer dataset (Baghdad, 2019). Labels there belong" in ours


def test_what_keras_can_not_open_and_what_ends_in_logits_is_said(tmp_path):
    import keras

    (tmp_path / "junk.keras").write_bytes(b"junk")
    with pytest.raises(ModelFileError, match=r"could not open junk\.keras \(ValueError\)\. Give a model of Keras' own"):
        adopt_model(tmp_path / "junk.keras")
    model = keras.saving.load_model(saved(tmp_path / "logits.keras"))
    model.layers[-1].activation = keras.activations.linear
    model.save(tmp_path / "logits.keras")
    with pytest.raises(ModelStructureError, match=r"add keras\.layers\.Softmax\(\)"):
        adopt_model(tmp_path / "logits.keras")
    with pytest.raises(ModelFileError, match="lungcnn adopt --help"):
        Pipeline.load(tmp_path / "logits.keras")


def test_a_model_that_does_not_fit_is_told_before_its_folder_is_read(foreign):
    result = adopt(foreign, "--classes", "a,b", "--calibrate", "nowhere", "--force")
    assert result.exit_code == 2
    assert "gives 3 probabilities; 2 classes are named" in " ".join(result.output.split())
