"""A 3 x 3 convolution with a third fewer multiplications, which are all that a network's time goes into.

Two neighbouring columns of the result share most of what they read (Winograd's F(2, 3); Lavin and Gray 2016, "Fast
algorithms for convolutional neural networks"). With x one column left of the first, and g the kernel's three columns:

    m0 = g0 (x0 - x2)    m1 = (g0 + g1 + g2)/2 (x1 + x2)    m2 = (g0 - g1 + g2)/2 (x2 - x1)    m3 = g2 (x1 - x3)
    first = m0 + m1 + m2    second = m1 - m2 - m3

Each m is a convolution of 3 x 1. The result stays parted into even and odd columns, and the next one takes it so.
"""

import numpy as np

from lungcnn.model.onnx_graph import Graph

Pair = tuple[str, str]


def convolved(graph: Graph, value: tuple[str, ...], kernel: np.ndarray, bias: np.ndarray) -> Pair:
    """Even and odd columns of a 3 x 3 convolution that keeps rows and columns, with ReLU.

    Args:
        value: one, of an even number of columns, or its even and odd ones. kernel: float32 `[out, in, 3, 3]`.
    """
    channels, (left, mean, change, right) = kernel.shape[1], _kernels(kernel)
    inputs = (_of_pair if len(value) == 2 else _of_whole)(graph, value, channels)
    one, two = graph.convolution(inputs[1], mean), graph.convolution(inputs[2], change)
    both, apart = graph.node("Add", one, two), graph.node("Add", _weighted(graph, two, [-1], len(kernel)), one)
    even = graph.node("Add", graph.convolution(inputs[0], left, bias), both)
    odd = graph.node("Add", graph.convolution(inputs[3], -right, bias), apart)
    return graph.node("Relu", even), graph.node("Relu", odd)


def larger_convolved(graph: Graph, value: str, kernel: np.ndarray, bias: np.ndarray) -> str:
    """Of each two columns of a 3 x 3 convolution with ReLU the larger one: what is left to pool are rows.

    Arguments as `convolved`. The larger is second + max(first - second, 0), and first - second = m0 + 2 m2 + m3.
    """
    channels, (left, mean, change, right) = kernel.shape[1], _kernels(kernel)
    inputs = _of_whole(graph, (value,), channels)
    two, three = graph.convolution(inputs[2], change), graph.convolution(inputs[3], right)
    both = graph.node("Add", _weighted(graph, two, [2], len(kernel)), three)
    ahead = graph.node("Relu", graph.node("Add", graph.convolution(inputs[0], left), both))
    rest = graph.node("Add", graph.node("Add", _weighted(graph, both, [-1], len(kernel)), ahead), two)
    return graph.node("Relu", graph.node("Add", graph.convolution(inputs[1], mean, bias), rest))


def _kernels(kernel: np.ndarray) -> list[np.ndarray]:
    """Of the four convolutions, m0 to m3."""
    left, middle, right = (kernel[..., column : column + 1] for column in range(3))
    return [left, (left + middle + right) / 2, (left - middle + right) / 2, right]


def _of_whole(graph: Graph, value: tuple[str, ...], channels: int) -> list[str]:
    """What the four convolutions read."""
    (whole,) = value
    # Windows of three columns throughout: onnxruntime then knows that the results are of one shape.
    windows = (([1, 0, -1], (1, 1)), ([0, 1, 1], (1, 1)), ([0, -1, 1], (1, 1)), ([1, 0, -1], (0, 2)))
    return [_weighted(graph, whole, weights, channels, pads, step=2) for weights, pads in windows]


def _of_pair(graph: Graph, value: tuple[str, ...], channels: int) -> list[str]:
    even, odd = value
    return [
        _weighted(graph, odd, [1, -1], channels, (1, 0)),
        graph.node("Add", even, odd),
        graph.node("Add", _weighted(graph, even, [-1], channels), odd),
        _weighted(graph, even, [1, -1], channels, (0, 1)),
    ]


def _weighted(
    graph: Graph, value: str, weights: list[int], channels: int, pads: tuple[int, int] = (0, 0), step: int = 1
) -> str:
    """Sums of neighbouring columns with these weights, each channel for itself."""
    kernel = graph.constant(np.tile(np.array(weights, np.float32), (channels, 1, 1, 1)))
    shape, places = (1, len(weights)), (0, pads[0], 0, pads[1])
    return graph.node("Conv", value, kernel, group=channels, kernel_shape=shape, pads=places, strides=(1, step))
