"""Writing a network of ours as ONNX: what `onnx_engine` runs, so that judging needs no TensorFlow."""

from pathlib import Path

import numpy as np

from lungcnn.errors import ModelStructureError
from lungcnn.model.linear_head import linear_head
from lungcnn.model.network import LAST_CONVOLUTION, LOGITS
from lungcnn.model.onnx_engine import BIAS, LOGITS as LOGITS_OUTPUT, MAP, WEIGHTS, OnnxEngine

# Largest difference of logits and maps from Keras' own: float32 sums in another order differ by some 1e-5.
TOLERANCE = 1e-4


def export_onnx(network, path: Path, crops: np.ndarray) -> None:
    """Write a network as ONNX by Keras' own exporter, and check that it answers as Keras does.

    Args:
        network: `keras.Model` as `build_network` makes it. path: the file to write.
        crops: float32 `[n, 128, 128]` on which both are compared.

    Raises `ModelStructureError` for a network of another build, and where the answers differ.
    """
    import keras
    import onnx

    weights, bias = linear_head(network)
    outputs = [network.get_layer(name).output for name in (LAST_CONVOLUTION, LOGITS)]
    tapped = keras.Model(network.inputs, outputs)
    expected = [np.asarray(part) for part in tapped([crops[..., None]], training=False)]
    tapped.export(path, format="onnx", verbose=False)
    exported = onnx.load(path)
    _clip(exported)
    graph = _renamed(exported, (MAP, LOGITS_OUTPUT))
    for name, value in ((WEIGHTS, weights), (BIAS, bias)):
        constant = onnx.numpy_helper.from_array(value, f"{name}_value")
        graph.graph.initializer.append(constant)
        graph.graph.node.append(onnx.helper.make_node("Identity", [constant.name], [name]))
        graph.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, value.shape))
    onnx.helper.set_model_props(graph, {"layer": LAST_CONVOLUTION})
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, path)
    logits, found = OnnxEngine(path, 1).mapped(crops)
    largest = max(float(np.abs(one - other).max()) for one, other in zip((found, logits), expected, strict=True))
    closed = float(np.abs(found.max(axis=(1, 2)) @ weights + bias - logits).max())
    if max(largest, closed) > TOLERANCE:
        raise ModelStructureError(
            f"The exported network answers otherwise than the one that was trained (by {max(largest, closed):.2g}): "
            "it was not saved."
        )


def _clip(exported):
    """The ceiling on tissue as one `Clip`: as Relu, Min and Max it takes a quarter of the network's time."""
    import onnx

    nodes = exported.graph.node
    relu, smaller, larger = nodes[:3]
    if [node.op_type for node in (relu, smaller, larger)] != ["Relu", "Min", "Max"]:
        return
    ceiling, floor = (next(value for value in node.input if value not in seen)
                      for node, seen in ((smaller, relu.output), (larger, smaller.output)))  # fmt: skip
    clip = onnx.helper.make_node("Clip", [relu.input[0], floor, ceiling], [larger.output[0]])
    del nodes[:3]
    nodes.insert(0, clip)


def _renamed(exported, names: tuple[str, ...]):
    """The same graph with our names for the outputs, in order, and plain numbers for everything between.

    The exporter's names count up from one export to the next, and a training run should give the same bytes twice.
    """
    import onnx

    known = {one.name: one.name for one in exported.graph.input}
    known |= {one.name: name for one, name in zip(exported.graph.output, names, strict=True)}

    def name(value: str) -> str:
        return known.setdefault(value, str(len(known))) if value else value

    initializers = {one.name: one for one in exported.graph.initializer}
    used = []
    for node in exported.graph.node:
        used += [value for value in dict.fromkeys(node.input) if value in initializers and value not in used]
        node.input[:] = map(name, node.input)
        node.output[:] = map(name, node.output)
        node.name = ""
    constants = []
    for value in used:
        constants.append(initializers[value])
        constants[-1].name = name(value)
    outputs = list(exported.graph.output)
    for one in outputs:
        one.name = name(one.name)
    for one in (*exported.graph.input, *outputs):
        one.type.tensor_type.shape.dim[0].dim_param = "n"
    graph = onnx.helper.make_graph(exported.graph.node, "lungcnn", exported.graph.input, outputs, constants)
    return onnx.helper.make_model(graph, opset_imports=exported.opset_import[:1], ir_version=exported.ir_version)
