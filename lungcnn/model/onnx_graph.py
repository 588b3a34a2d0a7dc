"""A network's layers as nodes of an ONNX graph, in the forms that onnxruntime computes fastest on a processor.

Channels come in multiples of 16, the blocks that its convolutions work in, so that nothing is laid out anew on the way.
"""

import numpy as np
import onnx
from numpy.typing import ArrayLike

BLOCK = 16
_OPSET, _IR_VERSION = 15, 8


class Graph:
    """Nodes and constants, in order; values go by plain numbers, so the same network gives the same bytes twice."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._count = 0

    def node(self, kind: str, *inputs: str, output: str = "", **attributes) -> str:
        """Add a node, and give the name of its one output."""
        output = output or self._name()
        self.nodes.append(onnx.helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, value: ArrayLike, name: str = "") -> str:
        """Add a constant (floating point as float32), and give its name."""
        array = np.asarray(value)
        array = np.ascontiguousarray(array, np.float32 if array.dtype.kind == "f" else array.dtype)
        name = name or self._name()
        self.constants.append(onnx.numpy_helper.from_array(array, name))
        return name

    def _name(self) -> str:
        self._count += 1
        return str(self._count)

    def convolution(self, value: str, kernel: np.ndarray, bias: np.ndarray | None = None) -> str:
        """A convolution that keeps rows and columns; kernel `[out, in, rows, columns]` of odd lengths."""
        rows, columns = kernel.shape[2:]
        parameters = [self.constant(one) for one in (kernel, bias) if one is not None]
        return self.node("Conv", value, *parameters, kernel_shape=(rows, columns), pads=(rows // 2, columns // 2) * 2)

    def scaled(self, value: str, scale: np.ndarray, shift: np.ndarray) -> str:
        """A factor and a summand for each channel, in the one form that stays in blocks of channels."""
        nought, one = np.zeros(len(scale)), np.ones(len(scale))
        parameters = [self.constant(part) for part in (scale, shift, nought, one)]
        return self.node("BatchNormalization", value, *parameters, epsilon=0.0)

    def model(self, inputs: dict, outputs: dict, properties: dict[str, str]) -> onnx.ModelProto:
        """The whole as a checked model; inputs and outputs by name, float32, with their shapes."""
        taken, given = (
            [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in group.items()]
            for group in (inputs, outputs)
        )
        graph = onnx.helper.make_graph(self.nodes, "lungcnn", taken, given, self.constants)
        model = onnx.helper.make_model(
            graph, opset_imports=[onnx.helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
        )
        onnx.helper.set_model_props(model, properties)
        onnx.checker.check_model(model, full_check=True)
        return model


def filled_up(values: np.ndarray, length: int, axis: int = 0) -> np.ndarray:
    """Zeros added along an axis until it has this length."""
    return np.pad(values, [(0, length - had if axis == place else 0) for place, had in enumerate(values.shape)])
