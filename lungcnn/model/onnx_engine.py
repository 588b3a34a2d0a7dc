"""The engine for networks of ours: onnxruntime, which opens in a tenth of a second, and gradients in closed form.

Behind the last convolution of `network.build_network` there are only a maximum over the map and dense layers without
activation. So the gradient of a logit with respect to the map is known: at each channel's largest cell the channel's
weight for the class, and 0 elsewhere.
"""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np

from lungcnn.errors import ModelFileError, ModelStructureError
from lungcnn.model.keras_graph import Structure

# Outputs of the graph (`onnx_export`); the last two are constants.
MAP, LOGITS, WEIGHTS, BIAS = "map", "logits", "evidence_weights", "evidence_bias"

# Larger batches are no faster, and take memory that onnxruntime keeps: 6 MiB a crop, for each thread that calls.
AT_ONCE = 4


class OnnxEngine:
    """An ONNX file of `onnx_export` as an `Engine`.

    Args:
        path: the file; its bytes were checked against the card's before.
        threads: cores that one call uses. keras_graph: opens the same network in Keras; None where nobody will ask.

    Raises `ModelFileError` for a file that onnxruntime can't open, or that isn't one of ours.
    """

    light = True

    def __init__(self, path: Path, threads: int, keras_graph: Callable[[], Structure] | None = None):
        import onnxruntime

        onnxruntime.disable_telemetry_events()  # builds with it report to their maker unless told not to
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        # Threads that wait for work by spinning would take the cores from those that decode.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # The map is put together only where it is asked for.
        self._asked_only = onnxruntime.RunOptions()
        self._asked_only.only_execute_path_to_fetches = True
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            self.layer = self._session.get_modelmeta().custom_metadata_map["layer"]
            self._input = self._session.get_inputs()[0].name
            _, rows, columns, _ = self._session.get_inputs()[0].shape
            self.size: tuple[int, int] = (rows, columns)
            self.bias: np.ndarray | None
            self.weights: np.ndarray | None
            found, self._head, self.bias = self._run((MAP, WEIGHTS, BIAS), np.zeros((1, *self.size), np.float32))
            self.weights = self._head
        except Exception as error:  # noqa: BLE001 - onnxruntime raises kinds of its own
            raise ModelFileError(
                f"onnxruntime could not open {path.name} ({type(error).__name__}). Fetch the model again, or train one."
            ) from None
        self.cells = (found.shape[1], found.shape[2])
        self.classes = int(self._head.shape[1])
        self._open_keras_graph = keras_graph

    def _run(self, outputs: tuple[str, ...], crops: np.ndarray) -> list[np.ndarray]:
        crops = np.ascontiguousarray(crops, np.float32)[..., None]
        parts = [
            self._session.run(list(outputs), {self._input: crops[start : start + AT_ONCE]}, self._asked_only)
            for start in range(0, len(crops), AT_ONCE)
        ]
        return parts[0] if len(parts) == 1 else [np.concatenate(column) for column in zip(*parts, strict=True)]

    def logits(self, crops):
        """As `Engine.logits`."""
        return self._run((LOGITS,), crops)[0]

    def mapped(self, crops):
        """As `Engine.mapped`."""
        logits, found = self._run((LOGITS, MAP), crops)
        return logits, found

    def explained(self, crops):
        """As `Engine.explained`."""
        logits, found = self.mapped(crops)
        return logits, found, closed_form_gradients(found, self._head)

    def keras_graph(self) -> Structure:
        """As `Engine.keras_graph`."""
        return self._keras_graph

    @cached_property
    def _keras_graph(self) -> Structure:
        if self._open_keras_graph is None:
            raise ModelStructureError("This network was opened without its Keras model.")
        return self._open_keras_graph()


def closed_form_gradients(activations: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The gradient of each logit with respect to a map that a maximum and a linear head read.

    Args:
        activations: float32 `[n, rows, columns, channels]`. weights: float32 `[channels, classes]`, from maxima
            to logits.

    Returns:
        float32 `[n, classes, rows, columns, channels]`. Of equal cells the first counts, as in TensorFlow.
    """
    count, rows, columns, channels = activations.shape
    largest = activations.reshape(count, -1, channels).argmax(axis=1)
    gradients = np.zeros((count, weights.shape[1], rows * columns, channels), np.float32)
    index = np.arange(count)[:, None], slice(None), largest, np.arange(channels)[None]
    gradients[index] = weights
    return gradients.reshape(count, -1, rows, columns, channels)
