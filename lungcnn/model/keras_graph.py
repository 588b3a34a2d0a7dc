"""Any trained Keras model, laid flat: where its convolutions are, and its logits before the softmax.

Models come Sequential or functional, built or not, with the softmax as a layer, an operation or an activation, with a
backbone nested inside. Explanations need one flat graph from the input over a convolution's map to the logits.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lungcnn.errors import ModelStructureError, UsageError
from lungcnn.model.keras_private import run_graph
from lungcnn.preprocessing.lung_crop import CROP_SIZE


@dataclass(frozen=True, eq=False)
class Structure:
    """A model ready to be explained.

    Attributes:
        model: `keras.Model`, crops `[n, rows, columns, channels]` to logits `[n, classes]`; flat, a copy.
        layer: name of the convolution whose map explains.
        tapped: `keras.Model`, crops to that map and the logits; its first layers may be fused for speed.
        bias: logits float32 `[classes]` of an all-zero map, or None where a way around the map reaches the logits.
        size: rows and columns of the input.
    """

    model: Any
    layer: str
    tapped: Any
    bias: np.ndarray | None
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Call:
    """One use of a layer or operation in a graph: on which symbolic tensors, and what it gave."""

    layer: Any
    inputs: list
    output: Any


def lay_flat(network, layer: str | None = None) -> Structure:
    """Copy a model into a flat graph that ends in logits; the model itself is left as it is.

    Args:
        network: a Sequential or functional `keras.Model`, `[n, 128, 128, 1]` to a softmax over the classes.
        layer: name of a convolution; None for the last one.

    Raises:
        ModelStructureError: a subclassed model, one without convolution or without a softmax over the classes, or
            one for other images. UsageError: no convolution of that name.
    """
    import keras

    from lungcnn.model.fused_pooling import fuse_first_pooling

    inputs, calls = _copy(network)
    logits = _before_softmax(calls[-1])
    model = keras.Model(inputs, logits)
    maps = {found.name: found.output for found in model.layers if _is_convolution(found)}
    if not maps:
        raise ModelStructureError("The model has no convolution, so there is no map to explain it by.")
    name = layer or list(maps)[-1]
    if name not in maps:
        raise UsageError(f"The model has no convolution '{name}'. Accepted: {', '.join(maps)}.")
    tapped = fuse_first_pooling(keras.Model(inputs, [maps[name], logits]), keep=name)
    return Structure(model, name, tapped, _bias(maps[name], logits), tuple(inputs.shape[1:3]))


def _is_convolution(layer) -> bool:
    from keras import layers

    kinds = layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D, layers.Conv2DTranspose
    return isinstance(layer, kinds) and len(layer.output.shape) == 4


def _copy(network) -> tuple[Any, list[Call]]:
    """A flat copy with the same weights: its input tensor, and its calls up to the one that gives the output."""
    import keras

    if isinstance(network, keras.Sequential) and not network.built:
        network.build((None, CROP_SIZE, CROP_SIZE, 1))
    if not _is_graph(network):
        raise ModelStructureError(
            f"The model is a subclass of keras.Model ({type(network).__name__}), whose layers can't be told apart "
            "from outside. Accepted are Sequential and functional models."
        )
    shapes = [tuple(tensor.shape[1:]) for tensor in (*network.inputs, *network.outputs)]
    if len(shapes) != 2 or shapes[0] != (CROP_SIZE, CROP_SIZE, 1) or len(shapes[1]) != 1 or (shapes[1][0] or 0) < 2:
        raise ModelStructureError(
            f"The model takes and gives {' and '.join(map(str, shapes))}; expected one image "
            f"({CROP_SIZE}, {CROP_SIZE}, 1) and a probability for each of two or more classes."
        )
    inputs = keras.Input(network.inputs[0].shape[1:], name=network.inputs[0].name, dtype=network.inputs[0].dtype)
    names: set[str] = set()
    pairs: list[tuple] = []
    calls: list[Call] = []

    def clone(layer):
        if _is_graph(layer) or not isinstance(layer, keras.Layer):
            return layer
        config = layer.get_config()
        name, number = layer.name, 1
        while name in names:  # a nested model may use a name again
            number += 1
            name = f"{layer.name}_{number}"
        names.add(name)
        copy = type(layer).from_config({**config, "name": name})
        pairs.append((layer, copy))
        return copy

    def call(layer, *args, **kwargs):
        tensors = [part for part in keras.tree.flatten((args, kwargs)) if keras.utils.is_keras_tensor(part)]
        if _is_graph(layer):
            return walk(layer, tensors)
        output = layer(*args, **kwargs)
        calls.append(Call(layer, tensors, output))
        return output

    def walk(graph, tensors):
        if isinstance(graph, keras.Sequential):
            graph = keras.Model(graph.inputs, graph.outputs)
        copies: dict = {}

        def operation(layer):
            copies[layer] = copies.get(layer) or clone(layer)  # a layer used twice stays one layer
            return partial(call, copies[layer])

        return run_graph(graph, tensors, operation)

    try:
        (end,) = keras.tree.flatten(walk(network, [inputs]))
    except (TypeError, ValueError, NotImplementedError) as error:
        raise ModelStructureError(f"The model's layers can't be copied ({type(error).__name__}).") from error
    for layer, copy in pairs:
        copy.set_weights(layer.get_weights())
        if hasattr(copy, "finalize_state"):  # layers that adapt to data compute with constants made of their weights
            copy.finalize_state()
    last = next(index for index, made in enumerate(calls) if made.output is end)
    return inputs, calls[: last + 1]


def _is_graph(layer) -> bool:
    """Sequential or functional: a model whose layers and connections are known."""
    import keras

    return isinstance(layer, keras.Sequential) or (isinstance(layer, keras.Function) and isinstance(layer, keras.Model))


def _before_softmax(end: Call):
    """The logits under a softmax that is a layer, an operation, or the last layer's activation."""
    layer = end.layer
    if not getattr(layer, "weights", ()) and len(end.inputs) == 1 and _is_softmax(layer):
        return end.inputs[0]
    if not _is_softmax(getattr(layer, "activation", None)):
        raise ModelStructureError(
            f"The model ends in {type(layer).__name__} '{layer.name}'; expected a softmax over the classes' logits, "
            "as a layer, an operation or the last layer's activation. After logits, add keras.layers.Softmax() and "
            "save the model again."
        )
    linear = type(layer).from_config({**layer.get_config(), "activation": "linear"})
    logits = linear(*end.inputs)
    linear.set_weights(layer.get_weights())
    return logits


def _is_softmax(function) -> bool:
    """Whether a function of logits does what a softmax does, whatever it is called."""
    import keras

    logits = np.array([[0.5, -1.0, 2.0], [3.0, 0.25, -2.0]], np.float32)
    try:
        found = keras.ops.convert_to_numpy(keras.ops.cast(function(logits), "float32"))
    except Exception:  # noqa: BLE001 - anything may come from someone else's function; it isn't a softmax then
        return False
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return found.shape == expected.shape and np.allclose(found, expected, atol=0.01)


def _bias(found, logits):
    """Logits of an all-zero map, where the logits depend on the input through that map alone."""
    import keras

    try:
        head = keras.Model(found, logits)
    except ValueError:
        return None
    zeros = np.zeros((1, *found.shape[1:]), np.float32)
    return np.asarray(keras.ops.cast(head(zeros, training=False), "float32"))[0]
