"""A model file becomes an engine: onnxruntime's where the model has an ONNX file, Keras' for all others."""

from dataclasses import replace
from pathlib import Path

from lungcnn.errors import ModelStructureError
from lungcnn.model.card import ModelCard, default_model_path, onnx_path, open_keras, verify_model
from lungcnn.model.committee import members, side_by_side
from lungcnn.model.engine import Engine
from lungcnn.model.keras_engine import KerasEngine
from lungcnn.model.keras_graph import Structure, lay_flat
from lungcnn.model.onnx_engine import OnnxEngine
from lungcnn.system import usable_cores


def open_engine(
    path: Path | str | None = None, layer: str | None = None, threads: int | None = None
) -> tuple[Engine, ModelCard]:
    """Verify a model and open it.

    Args:
        path: the `.keras` file; None for the model that ships. layer: the convolution to explain; None for the last.
        threads: cores that one call uses; None for all that this process may use. Keras chooses for itself.

    Raises:
        ModelFileError: model or card missing or damaged, or a sha256 differs, or TensorFlow is needed and missing.
        ModelStructureError: a model that can't be explained. UsageError: an unknown layer.
    """
    path = Path(path) if path else default_model_path()
    card = verify_model(path)
    if card.onnx_sha256 and onnx_path(path).is_file():
        engine = OnnxEngine(onnx_path(path), threads or usable_cores(), lambda: _keras_graph(path))
        if layer in (None, engine.layer):
            return _as_the_card_says(engine, card), card
    return _as_the_card_says(KerasEngine(open_keras(path), layer), card), card


def _keras_graph(path: Path) -> Structure:
    network = open_keras(path)
    structure, parts = lay_flat(network), members(network)
    return replace(structure, model=side_by_side(parts)) if len(parts) > 1 else structure


def _as_the_card_says(engine: Engine, card: ModelCard) -> Engine:
    if engine.classes != len(card.classes):
        raise ModelStructureError(
            f"The model gives {engine.classes} probabilities; its card names {len(card.classes)} classes "
            f"({', '.join(card.classes)}). Write another: "
            "python -m lungcnn adopt MODEL.keras --classes ... --force."
        )
    return engine
