"""Two engines, one network: onnxruntime answers as Keras does, gradients included."""

import builtins
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, dicom_bytes
from hypothesis import given, settings, strategies as st

from lungcnn.errors import MissingPackageError, ModelFileError, ModelStructureError, UsageError
from lungcnn.explaining.methods import METHODS
from lungcnn.gate.examine import admit
from lungcnn.model.card import card_path, load_model, onnx_path, save_model
from lungcnn.model.classifier import Classifier
from lungcnn.model.keras_engine import KerasEngine
from lungcnn.model.onnx_engine import AT_ONCE, OnnxEngine, closed_form_gradients
from lungcnn.model.opening import open_engine
from lungcnn.phantoms.bundled import PHANTOMS, draw
from lungcnn.pipeline import Pipeline
from lungcnn.reading.ct_slice import CTSlice

MODEL = ROOT / "models" / "cancer_classification_model.keras"


@pytest.fixture(scope="module")
def engines():
    """The shipped model by onnxruntime and by Keras."""
    return open_engine(MODEL)[0], KerasEngine(load_model(MODEL)[0])


@pytest.fixture(scope="module")
def crops():
    """Of the phantoms, and noise."""
    drawn = [draw(name) for name in PHANTOMS]
    found = [admit(CTSlice(phantom.hu, phantom.spacing)).crop for phantom in drawn]
    return np.stack([*found, np.random.default_rng(0).random((128, 128), np.float32)])


def test_the_shipped_model_answers_alike(engines, crops):
    quick, keras = engines
    assert isinstance(quick, OnnxEngine)
    assert (quick.layer, quick.cells, quick.size) == (keras.layer, keras.cells, keras.size)
    np.testing.assert_allclose(quick.bias, keras.bias, atol=1e-6)
    np.testing.assert_allclose(quick.logits(crops), keras.logits(crops), atol=1e-5)
    for name, one, other in zip(
        ("logits", "map", "gradients"), quick.explained(crops), keras.explained(crops), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=2e-5, err_msg=name)


@pytest.mark.data
def test_the_shipped_model_answers_alike_on_real_slices(engines, data):
    from lungcnn.dataset.crops import crop_dataset
    from lungcnn.dataset.folder import read_dataset

    dataset = read_dataset(data / "iq-oth-nccd")
    few = type(dataset)(**{**vars(dataset), "slices": dataset.slices[::30]})
    found = crop_dataset(few).crops
    np.testing.assert_allclose(engines[0].logits(found), engines[1].logits(found), atol=1e-5)


@pytest.mark.parametrize("method", ["grad-cam", "hires-cam", "grad-cam++", "layer-cam"])
def test_maps_of_both_engines_are_equal(engines, crops, method):
    quick, keras = (METHODS[method].of_map(Classifier(engine)(crops)) for engine in engines)
    assert quick.shape == (len(crops), 3, 16, 16)
    # Sums over 192 channels in another order.
    np.testing.assert_allclose(quick, keras, atol=5e-6 * max(1, np.abs(keras).max()))


def test_a_batch_of_any_size_gives_the_same(engines, crops):
    many = np.concatenate([crops] * 3)[: AT_ONCE + 3]
    alone = np.concatenate([engines[0].logits(one[None]) for one in many])
    np.testing.assert_allclose(engines[0].logits(many), alone, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_closed_form_gradients_are_those_of_differentiation(seed, tied):
    """A finite step at the largest cell moves the logit by its weight, and at no other cell."""
    rng = np.random.default_rng(seed)
    activations = np.maximum(rng.normal(0, 1, (2, 4, 4, 5)), 0).astype(np.float32)
    if tied:
        activations[0, :, :, 0] = 0  # a channel that found nothing: its first cell counts
    weights = rng.normal(0, 1, (5, 3)).astype(np.float32)
    gradients = closed_form_gradients(activations, weights)
    flat = gradients.reshape(2, 3, 16, 5)
    assert (np.count_nonzero(flat, axis=2) == 1).all()
    np.testing.assert_array_equal(flat.sum(axis=2), np.broadcast_to(weights.T, (2, 3, 5)))
    places = flat[:, 0].argmax(axis=1), np.abs(flat[:, 0]).argmax(axis=1)
    largest = activations.reshape(2, 16, 5)
    np.testing.assert_array_equal(np.take_along_axis(largest, places[1][:, None], 1)[:, 0], largest.max(axis=1))


def test_judging_imports_nothing_that_it_can_do_without(tmp_path):
    code = (
        "import sys; from lungcnn import Pipeline, load_slice, render_overlay\n"
        "report = Pipeline.load().run(load_slice(sys.argv[1]))\n"
        "render_overlay(report)\n"
        "heavy = {'tensorflow', 'keras', 'sklearn', 'scipy', 'matplotlib', 'onnx', 'pydicom'} & set(sys.modules)\n"
        "print(report.status, report.explanation.faithfulness.better_than_random is not None, sorted(heavy))"
    )
    example = ROOT / "examples" / "arch-spiculated-mass.dcm"
    done = subprocess.run([sys.executable, "-c", code, example], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split("\n")[0] == "ok True []"


def test_another_layer_and_a_model_without_onnx_open_in_keras(untrained, tmp_path):
    assert isinstance(open_engine(untrained)[0], OnnxEngine)
    assert isinstance(open_engine(untrained, "conv5")[0], OnnxEngine)
    other, _ = open_engine(untrained, "conv4")
    assert (type(other), other.layer) == (KerasEngine, "conv4")
    with pytest.raises(UsageError, match="no convolution 'conv9'"):
        open_engine(untrained, "conv9")
    for file in (untrained, card_path(untrained)):
        shutil.copy(file, tmp_path)
    assert isinstance(open_engine(tmp_path / untrained.name)[0], KerasEngine)


def test_a_changed_onnx_file_is_not_opened(untrained, tmp_path):
    for file in (untrained, card_path(untrained), onnx_path(untrained)):
        shutil.copy(file, tmp_path)
    path = tmp_path / untrained.name
    content = bytearray(onnx_path(path).read_bytes())
    content[1000] ^= 1
    onnx_path(path).write_bytes(content)
    with pytest.raises(ModelFileError, match=r"\.onnx is not the one its card describes"):
        Pipeline.load(path)


def test_an_onnx_file_of_another_make_is_told(untrained, tmp_path):
    import hashlib

    for file in (untrained, card_path(untrained)):
        shutil.copy(file, tmp_path)
    path = tmp_path / untrained.name
    onnx_path(path).write_bytes(b"no graph")
    card = json.loads(card_path(path).read_text())
    card["onnx_sha256"] = hashlib.sha256(b"no graph").hexdigest()
    card_path(path).write_text(json.dumps(card))
    with pytest.raises(ModelFileError, match="onnxruntime could not open"):
        Pipeline.load(path)


def test_a_network_of_another_build_is_not_exported(tmp_path):
    from keras import Sequential, layers

    network = Sequential([layers.Input((128, 128, 1)), layers.Conv2D(4, 3, name="conv5"), layers.Flatten(),
                          layers.Dense(3, name="logits"), layers.Softmax()])  # fmt: skip
    with pytest.raises(ModelStructureError, match="otherwise than by a maximum"):
        save_model(network, tmp_path, {}, np.zeros((1, 128, 128), np.float32))


def test_the_same_network_gives_the_same_onnx_twice(untrained, tmp_path):
    network, _ = load_model(untrained)
    crops = np.random.default_rng(7).random((2, 128, 128), np.float32)
    for name in ("one", "two"):
        save_model(network, tmp_path / name, {}, crops)
    one, two = (onnx_path(tmp_path / name / untrained.name).read_bytes() for name in ("one", "two"))
    assert one == two == onnx_path(untrained).read_bytes()


def without_tensorflow(real):
    def imported(name, *arguments, **options):
        if name.partition(".")[0] == "tensorflow":
            raise ImportError(name)
        return real(name, *arguments, **options)

    return imported


def test_without_tensorflow_a_model_that_needs_it_says_so(untrained, tmp_path, monkeypatch, phantom):
    for file in (untrained, card_path(untrained)):
        shutil.copy(file, tmp_path)
    monkeypatch.delitem(sys.modules, "tensorflow")
    monkeypatch.setattr("builtins.__import__", without_tensorflow(builtins.__import__))
    with pytest.raises(MissingPackageError, match="needs TensorFlow"):
        Pipeline.load(tmp_path / untrained.name)
    pipeline = Pipeline.load(untrained)
    content = dicom_bytes((phantom.hu + 1024).astype(np.uint16))
    (report,) = pipeline.run_file(content, checks=False)
    assert report.status == "ok"
