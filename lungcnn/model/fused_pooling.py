"""A first convolution and the pooling behind it as one convolution a quarter the size: same numbers, sooner.

On one grey channel a 3 x 3 convolution of every pixel is the slowest step of a small network, and pooling throws three
of four results away. A 4 x 4 convolution in steps of 2 gives the four neighbours to be pooled as channels beside each
other; since ReLU and bias keep the order of values, they can wait until the largest of the four is known.
"""

import keras
from keras import layers, ops


def fuse_first_pooling(model, keep: str):
    """The model with its first convolution and pooling fused, or the model itself where they aren't the pair below.

    Args:
        model: flat functional `keras.Model` in float32. keep: name of a convolution that must stay: it is explained.

    Returns:
        `keras.Model` on the same layers and outputs, equal up to the order of additions. Fused are: 3 x 3 with padding
        "same" on one channel, linear or ReLU, read by nothing but a 2 x 2 max pooling.
    """
    convolution = next((layer for layer in model.layers if isinstance(layer, layers.Conv2D)), None)
    if convolution is None or convolution.name == keep or not _fits(convolution):
        return model
    pooling = _only_reader(model, convolution)
    if not _halves(pooling):
        return model
    fused = ConvolutionPooled(convolution)

    def call(layer, *args, **kwargs):
        if layer is convolution:
            return args[0]
        return fused(args[0]) if layer is pooling else layer(*args, **kwargs)

    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)


class ConvolutionPooled(layers.Layer):
    """What `fuse_first_pooling` puts in place of the pair; it reads the weights of the convolution it is made of.

    Args:
        convolution: the built `keras.layers.Conv2D`.
    """

    def __init__(self, convolution):
        super().__init__(name=f"{convolution.name}_pooled")
        self._convolution = convolution

    def call(self, inputs):
        """`[n, rows, columns, 1]` to `[n, rows / 2, columns / 2, channels]`."""
        shifts = [((row, 1 - row), (column, 1 - column), (0, 0), (0, 0)) for row in range(2) for column in range(2)]
        kernel = ops.concatenate([ops.pad(self._convolution.kernel, shift) for shift in shifts], axis=-1)
        padded = ops.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)))
        neighbours = ops.split(ops.conv(padded, kernel, strides=2, padding="valid"), len(shifts), axis=-1)
        largest = ops.maximum(ops.maximum(*neighbours[:2]), ops.maximum(*neighbours[2:]))
        bias = self._convolution.bias if self._convolution.use_bias else 0.0
        return self._convolution.activation(largest + bias)


def _only_reader(model, layer):
    """The layer or operation that reads a layer's output and nothing else, where there is but one; else None."""
    calls: list[tuple] = []

    def call(called, *args, **kwargs):
        output = called(*args, **kwargs)
        calls.append((called, keras.tree.flatten((args, kwargs)), output))
        return output

    outputs = keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call).outputs
    made = [output for called, _, output in calls if called is layer]
    readers = [called for called, inputs, _ in calls for tensor in inputs if tensor is made[0]]
    if len(made) != 1 or len(readers) != 1 or any(tensor is made[0] for tensor in outputs):
        return None
    return readers[0] if sum(called is readers[0] for called, *_ in calls) == 1 else None


def _fits(convolution) -> bool:
    plain = (convolution.kernel_size, convolution.strides, convolution.dilation_rate) == ((3, 3), (1, 1), (1, 1))
    ordered = convolution.activation in (keras.activations.relu, keras.activations.linear)
    rows, columns, channels = convolution.input.shape[1:]
    even = rows % 2 == columns % 2 == 0
    float32 = convolution.compute_dtype == "float32"
    return plain and ordered and even and float32 and channels == 1 and convolution.padding == "same"


def _halves(pooling) -> bool:
    return isinstance(pooling, layers.MaxPooling2D) and (pooling.pool_size, pooling.strides) == ((2, 2), (2, 2))
