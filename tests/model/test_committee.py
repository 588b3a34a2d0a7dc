"""Several networks as one: its logits are the mean of theirs, and all that reads a network reads it."""

import keras
import numpy as np
import pytest

from lungcnn.explaining.cam import hires_cam
from lungcnn.model.card import save_model
from lungcnn.model.committee import join, members, side_by_side
from lungcnn.model.keras_engine import KerasEngine
from lungcnn.model.linear_head import linear_head
from lungcnn.model.network import LOGITS, build_network
from lungcnn.model.onnx_engine import OnnxEngine
from lungcnn.model.onnx_export import export_onnx


def trained(seed, width=4):
    """A network with weights of no pattern."""
    rng = np.random.default_rng(seed)
    network = build_network(width)
    for layer in network.layers:
        made = [value + rng.normal(0, 0.05, value.shape) for value in layer.get_weights()]
        layer.set_weights([np.abs(value) for value in made] if layer.name.startswith("norm") else made)
    return network


@pytest.fixture(scope="module")
def three():
    return [trained(seed) for seed in range(3)]


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(3).random((4, 128, 128), np.float32)


def logits_of(network, crops):
    return np.array(keras.Model(network.input, network.get_layer(LOGITS).output)(crops[..., None], training=False))


def test_joined_they_say_the_mean_of_what_each_says(three, crops):
    said = [logits_of(one, crops) for one in three]
    assert np.abs(said[0] - said[1]).max() > 1e-3
    whole = join(three)
    np.testing.assert_allclose(logits_of(whole, crops), np.mean(said, axis=0), rtol=1e-4, atol=1e-6)
    assert [layer.name for layer in whole.layers] == [layer.name for layer in three[0].layers], "a plain network"


def test_side_by_side_they_say_the_same(three, crops):
    for count in (2, 3):
        whole = join(three[:count])
        np.testing.assert_allclose(
            np.asarray(side_by_side(members(whole))(crops[..., None], training=False)),
            logits_of(whole, crops),
            rtol=1e-4,
            atol=1e-6,
        )


def test_one_alone_is_left_as_it_is(three):
    assert join(three[:1]) is three[0]
    assert members(three[0]) == [three[0]]


@pytest.mark.parametrize("count", [2, 3])
def test_the_members_are_found_again(three, crops, count):
    found = members(join(three[:count]))
    assert len(found) == count
    for one, other in zip(found, three, strict=False):
        kernel, bias = (one.get_layer("conv4").get_weights(), other.get_layer("conv4").get_weights())
        np.testing.assert_array_equal(kernel[0], bias[0])
    # The constants of the logits are shared out alike.
    mean = np.mean([logits_of(one, crops) for one in found], axis=0)
    np.testing.assert_allclose(mean, logits_of(join(three[:count]), crops), rtol=1e-4, atol=1e-6)


def test_a_network_of_another_build_has_one_member():
    network = keras.Sequential([keras.Input((128, 128, 1)), keras.layers.Conv2D(4, 3, name="conv1")])
    assert members(network) == [network]


def test_both_engines_know_it_and_it_is_small(three, crops, tmp_path):
    whole = join(three)
    export_onnx(whole, tmp_path / "network.onnx", crops)
    engines = KerasEngine(whole), OnnxEngine(tmp_path / "network.onnx", 1)
    (logits, found, gradients), other = (engine.explained(crops) for engine in engines)
    for one, two in zip((logits, found, gradients), other, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-4)
    assert found.shape[-1] == 3 * 32, "the maps of all members"
    np.testing.assert_allclose(
        hires_cam(found, gradients).sum(axis=(2, 3)) + engines[0].bias, logits, rtol=1e-3, atol=1e-6
    )
    weights, bias = linear_head(whole)
    np.testing.assert_allclose(found.max(axis=(1, 2)) @ weights + bias, logits, rtol=1e-4, atol=1e-6)
    alone = (tmp_path / "alone").with_suffix(".onnx")
    export_onnx(three[0], alone, crops)
    assert (tmp_path / "network.onnx").stat().st_size < 3.5 * alone.stat().st_size, "no zeros are multiplied"


def test_a_saved_one_holds_no_zeros(three, crops, tmp_path):
    small, large = (save_model(join(three[:count]), tmp_path / str(count), {}) for count in (1, 3))
    assert large.stat().st_size < 4 * small.stat().st_size
    loaded = keras.saving.load_model(large, compile=False, safe_mode=True)
    np.testing.assert_allclose(logits_of(loaded, crops), logits_of(join(three), crops), rtol=1e-5, atol=1e-6)
