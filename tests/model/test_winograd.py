"""Convolutions with fewer multiplications give what plain ones give, and other layers are told."""

from itertools import pairwise

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings, strategies as st

from lungcnn.errors import ModelStructureError
from lungcnn.model.card import save_model
from lungcnn.model.onnx_graph import Graph, filled_up
from lungcnn.model.winograd import convolved, larger_convolved

ROWS, CHANNELS = 5, (3, 16, 7)


def answer(graph, values, shape):
    """What a graph with the output "y" gives for "x"."""
    model = graph.model({"x": ("n", *values.shape[1:])}, {"y": ("n", *shape)}, {})
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["y"], {"x": values})[0]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_two_convolutions_in_a_row_equal_plain_ones(seed, half):
    """The first takes whole rows, the second even and odd columns."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (2, CHANNELS[0], ROWS, 2 * half)).astype(np.float32)
    kernels = [rng.normal(0, 1, (out, into, 3, 3)).astype(np.float32) for into, out in pairwise(CHANNELS)]
    biases = [rng.normal(0, 1, len(kernel)).astype(np.float32) for kernel in kernels]
    quick, plain = Graph(), Graph()
    parted, whole = ("x",), "x"
    for kernel, bias in zip(kernels, biases, strict=True):
        parted = convolved(quick, parted, kernel, bias)
        whole = plain.node("Relu", plain.convolution(whole, kernel, bias))
    between = [quick.node("Unsqueeze", one, quick.constant([4])) for one in parted]
    shape = CHANNELS[-1], ROWS, 2 * half
    quick.node("Reshape", quick.node("Concat", *between, axis=4), quick.constant([-1, *shape]), output="y")
    plain.node("Identity", whole, output="y")
    expected = answer(plain, values, shape)
    assert expected.max() > 0
    np.testing.assert_allclose(answer(quick, values, shape), expected, atol=1e-5 * expected.max())


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_of_two_columns_the_larger_one_is_what_pooling_takes(seed, half):
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (2, CHANNELS[0], ROWS, 2 * half)).astype(np.float32)
    kernel = rng.normal(0, 1, (CHANNELS[1], CHANNELS[0], 3, 3)).astype(np.float32)
    bias = rng.normal(0, 1, len(kernel)).astype(np.float32)
    quick, plain = Graph(), Graph()
    quick.node("Identity", larger_convolved(quick, "x", kernel, bias), output="y")
    whole = plain.node("Relu", plain.convolution("x", kernel, bias))
    plain.node("MaxPool", whole, kernel_shape=(1, 2), strides=(1, 2), output="y")
    shape = CHANNELS[1], ROWS, half
    expected = answer(plain, values, shape)
    np.testing.assert_allclose(answer(quick, values, shape), expected, atol=1e-5 * max(1, expected.max()))


def test_a_factor_and_a_summand_for_each_channel():
    graph = Graph()
    graph.node("Identity", graph.scaled("x", np.array([2.0, -1.0]), np.array([0.5, 0.0])), output="y")
    values = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
    expected = np.array([[[[0.5, 2.5], [4.5, 6.5]], [[-4, -5], [-6, -7]]]], np.float32)
    np.testing.assert_array_equal(answer(graph, values, (2, 2, 2)), expected)


def test_filling_up_adds_zeros_at_the_end():
    np.testing.assert_array_equal(filled_up(np.ones((1, 2)), 3, axis=1), [[1, 1, 0]])
    np.testing.assert_array_equal(filled_up(np.ones(2), 2), [1, 1])


@pytest.mark.parametrize(("activation", "strides"), [("tanh", 1), ("relu", 2)])
def test_a_layer_without_a_form_is_told(tmp_path, activation, strides):
    from keras import Sequential, layers

    network = Sequential([
        layers.Input((128, 128, 1)), layers.Conv2D(4, 3, strides, "same", activation=activation, name="conv1"),
        layers.MaxPooling2D(8 // strides), layers.Conv2D(4, 3, padding="same", activation="relu", name="conv5"),
        layers.MaxPooling2D(16), layers.Flatten(), layers.Dense(3, name="logits"), layers.Softmax(),
    ])  # fmt: skip
    with pytest.raises(ModelStructureError, match=r"layer 'conv1' .* can't be written as ONNX"):
        save_model(network, tmp_path, {}, np.zeros((1, 128, 128), np.float32))
    assert not list(tmp_path.glob("*.onnx"))
