"""Writing a network of ours as ONNX: what `onnx_engine` runs, so that judging needs no TensorFlow."""

from pathlib import Path

import numpy as np
import onnx

from lungcnn.errors import ModelStructureError
from lungcnn.model.committee import members
from lungcnn.model.linear_head import linear_head
from lungcnn.model.network import LAST_CONVOLUTION, LOGITS
from lungcnn.model.onnx_engine import BIAS, LOGITS as LOGITS_OUTPUT, MAP, WEIGHTS, OnnxEngine
from lungcnn.model.onnx_graph import BLOCK, Graph, filled_up
from lungcnn.model.winograd import Pair, convolved, larger_convolved

# Largest difference of logits and maps from Keras' own: float32 sums in another order differ by some 1e-5.
TOLERANCE = 1e-4


def export_onnx(network, path: Path, crops: np.ndarray) -> None:
    """Write a network as ONNX, and check that it answers as Keras does.

    Args:
        network: `keras.Model` as `build_network` makes it. path: the file to write.
        crops: float32 `[n, 128, 128]` on which both are compared.

    Raises `ModelStructureError` for a network of another build, and where the answers differ.
    """
    import keras

    weights, bias = linear_head(network)
    onnx.save(_written(network, weights, bias), path)
    outputs = [network.get_layer(name).output for name in (LAST_CONVOLUTION, LOGITS)]
    expected = [np.asarray(part) for part in keras.Model(network.inputs, outputs)([crops[..., None]], training=False)]
    logits, found = OnnxEngine(path, 1).mapped(crops)
    largest = max(float(np.abs(one - other).max()) for one, other in zip((found, logits), expected, strict=True))
    if largest > TOLERANCE:
        raise ModelStructureError(
            f"The exported network answers otherwise than the one that was trained (by {largest:.2g}): it was "
            "not saved."
        )


def _written(network, weights: np.ndarray, bias: np.ndarray) -> onnx.ModelProto:
    """The network's graph; weights and bias as `linear_head`."""
    graph = Graph()
    name, shape = network.inputs[0].name, network.inputs[0].shape[1:]
    crop = graph.node("Reshape", name, graph.constant([-1, 1, *shape[:2]]))
    last = network.get_layer(LAST_CONVOLUTION).output.shape[1:]
    maps, maxima = [], []
    for one in members(network):  # each by itself: what lies between them is nothing but zeros
        even, odd = _to_last_map(graph, one, crop)
        # Columns side by side again; onnxruntime leaves this out where nobody asks for the map.
        between = [graph.node("Unsqueeze", _channels_last(graph, part), graph.constant([3])) for part in (even, odd)]
        whole = graph.constant([-1, *last[:2], one.get_layer(LAST_CONVOLUTION).filters])
        maps.append(graph.node("Reshape", graph.node("Concat", *between, axis=3), whole))
        maxima.append(graph.node("Max", *(graph.node("GlobalMaxPool", part) for part in (even, odd))))
    graph.node("Concat", *maps, axis=3, output=MAP)
    head = graph.constant(weights, "weights"), graph.constant(bias, "bias")
    read = graph.node("Flatten", graph.node("Concat", *maxima, axis=1))
    graph.node("Gemm", read, *head, output=LOGITS_OUTPUT)
    for value, output in zip(head, (WEIGHTS, BIAS), strict=True):
        graph.node("Identity", value, output=output)
    outputs = {MAP: ("n", *last), LOGITS_OUTPUT: ("n", len(bias)), WEIGHTS: weights.shape, BIAS: bias.shape}
    return graph.model({name: ("n", *shape)}, outputs, {"layer": LAST_CONVOLUTION})


def _channels_last(graph: Graph, value: str) -> str:
    return graph.node("Transpose", value, perm=(0, 2, 3, 1))


def _to_last_map(graph: Graph, network, value: str) -> Pair:
    """The layers from the input to the last convolution; gives even and odd columns of its map."""
    from keras import layers

    every = [layer for layer in network.layers if not isinstance(layer, layers.InputLayer)]
    way = every[: [layer.name for layer in every].index(LAST_CONVOLUTION) + 1]
    found: tuple[str, ...] = (value,)  # or even and odd columns
    channels, left_to_pool = 1, (2, 2)
    for layer, following in zip(way, [*way[1:], None], strict=True):
        if isinstance(layer, layers.ReLU):
            bounds = graph.constant(0.0), graph.constant(layer.max_value)
            found = tuple(graph.node("Clip", one, *bounds) for one in found)
        elif isinstance(layer, layers.MaxPooling2D) and _halves(layer) and len(found) == 1:
            found = (graph.node("MaxPool", found[0], kernel_shape=left_to_pool, strides=left_to_pool),)
            left_to_pool = (2, 2)
        elif isinstance(layer, layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            scale = gamma / np.sqrt(variance + layer.epsilon)
            factors = filled_up(scale, channels), filled_up(beta - mean * scale, channels)
            found = tuple(graph.scaled(one, *factors) for one in found)
        elif isinstance(layer, layers.Conv2D) and _is_plain(layer):
            kernel, bias = layer.get_weights()
            few, kernel = channels <= BLOCK, filled_up(kernel.transpose(3, 2, 0, 1), channels, axis=1)
            if following is not None:  # the last map keeps the channels that it has
                channels = -(-len(bias) // BLOCK) * BLOCK
                kernel, bias = filled_up(kernel, channels), filled_up(bias, channels)
            if not isinstance(following, layers.MaxPooling2D) or len(found) == 2:
                found = convolved(graph, found, kernel, bias)
            elif few:  # sums of columns would cost what they save
                found = (graph.node("Relu", graph.convolution(found[0], kernel, bias)),)
            else:
                found, left_to_pool = (larger_convolved(graph, found[0], kernel, bias),), (2, 1)
        else:
            raise ModelStructureError(f"The layer '{layer.name}' of the network can't be written as ONNX.")
    even, odd = found  # the last convolution's
    return even, odd


def _is_plain(layer) -> bool:
    """Whether a convolution is one that the graph has a form for."""
    shape = layer.kernel_size, layer.strides, layer.dilation_rate, layer.groups, layer.padding, layer.use_bias
    return shape == ((3, 3), (1, 1), (1, 1), 1, "same", True) and layer.activation.__name__ == "relu"


def _halves(pooling) -> bool:
    return pooling.pool_size == pooling.strides == (2, 2)
