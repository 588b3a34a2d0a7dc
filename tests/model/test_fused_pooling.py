import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

# What is fused, and one change each of what isn't.
PAIR = {"kernel_size": 3, "strides": 1, "padding": "same", "activation": "relu", "use_bias": True}


def convolved_and_pooled(size=(128, 128, 1), pool=2, dtype=None, readers=1, **options):
    """A network of a convolution, a pooling, and a convolution to be explained; with weights of every sign."""
    import keras
    from keras import layers

    inputs = keras.Input(size)
    first = layers.Conv2D(3, **{**PAIR, **options}, name="first", dtype=dtype)(inputs)
    pooled = layers.MaxPooling2D(pool, name="pooling")(first)
    last = layers.Conv2D(2, 3, padding="same", name="last")(pooled)
    others = [layers.GlobalMaxPooling2D()(first) for _ in range(readers - 1)]
    network = keras.Model(inputs, [last, layers.GlobalMaxPooling2D(name="maxima")(last), *others])
    rng = np.random.default_rng(0)
    for layer in ("first", "last"):
        layer = network.get_layer(layer)
        layer.set_weights([rng.normal(0, 1, weights.shape) for weights in layer.get_weights()])
    return network


@pytest.mark.parametrize("activation", ["relu", "linear"])
@pytest.mark.parametrize("use_bias", [True, False])
def test_the_fused_pair_gives_the_same_numbers(activation, use_bias):
    from lungcnn.model.fused_pooling import fuse_first_pooling

    network = convolved_and_pooled(activation=activation, use_bias=use_bias)
    fused = fuse_first_pooling(network, keep="last")
    assert fused is not network
    assert {"first", "pooling"}.isdisjoint(layer.name for layer in fused.layers)

    @settings(max_examples=20, deadline=None)
    @given(st.integers(0, 2**32 - 1))
    def same(seed):
        crops = np.random.default_rng(seed).normal(0, 1, (2, 128, 128, 1)).astype(np.float32)
        for expected, found in zip(network(crops), fused(crops), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)

    same()
    # Weights are read, not copied: a sanity check that randomises them must see its maps change.
    crop = np.ones((1, 128, 128, 1), np.float32)
    network.get_layer("first").kernel.assign(np.zeros((3, 3, 1, 3)))
    np.testing.assert_allclose(fused(crop)[0], network(crop)[0], atol=1e-5)


@pytest.mark.parametrize(
    "other",
    [
        {"kernel_size": 5},
        {"strides": 2},
        {"padding": "valid"},
        {"activation": "sigmoid"},
        {"activation": "gelu"},
        {"dilation_rate": 2},
        {"pool": 3},
        {"size": (127, 128, 1)},
        {"size": (128, 128, 2)},
        {"dtype": "mixed_float16"},
        {"readers": 2},
    ],
    ids=str,
)
def test_what_is_not_the_pair_stays(other):
    from lungcnn.model.fused_pooling import fuse_first_pooling

    network = convolved_and_pooled(**other)
    assert fuse_first_pooling(network, keep="last") is network


def test_the_explained_convolution_stays():
    from lungcnn.model.fused_pooling import fuse_first_pooling

    network = convolved_and_pooled()
    assert fuse_first_pooling(network, keep="first") is network


def test_a_pooling_that_also_reads_something_else_stays():
    import keras
    from keras import layers

    from lungcnn.model.fused_pooling import fuse_first_pooling

    inputs, pooling = keras.Input((128, 128, 1)), layers.MaxPooling2D(2)
    first = layers.Conv2D(3, 3, padding="same")(inputs)
    both = layers.Add()([pooling(first), pooling(layers.Concatenate()([inputs, inputs, inputs]))])
    network = keras.Model(inputs, layers.Conv2D(2, 3, name="last")(both))
    crops = np.random.default_rng(0).normal(0, 1, (2, 128, 128, 1)).astype(np.float32)
    np.testing.assert_allclose(fuse_first_pooling(network, keep="last")(crops), network(crops), atol=1e-5)
