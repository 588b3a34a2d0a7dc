"""A card for somebody else's Keras model, so that the pipeline can judge and explain with it."""

from functools import partial
from pathlib import Path

import numpy as np

from lungcnn.classes import CLASSES, Classes
from lungcnn.errors import ModelFileError, UsageError
from lungcnn.model.calibration import Calibration, fit_calibration
from lungcnn.model.card import ModelCard, card_path, open_keras, sha256_of
from lungcnn.model.keras_engine import KerasEngine
from lungcnn.preprocessing.lung_crop import CROP_SIZE
from lungcnn.system import write_whole

INPUT_RANGE = (0.0, 1.0)
_BATCH = 64


def check_claims(path: Path, input_range: tuple[float, float] = INPUT_RANGE, force: bool = False) -> None:
    """Check what is said of a model before it is opened.

    Args:
        input_range: the grey levels that it expects.
        force: accept that the model has a card, which is to be replaced.

    Raises `UsageError` for what is not as the pipeline has it, or for a missing file.
    """
    if not path.is_file():
        raise UsageError(f"There is no model at {path}. Give the .keras file that Keras saved.")
    if tuple(input_range) != INPUT_RANGE:
        low, high = input_range
        raise UsageError(
            f"The model is said to expect grey levels from {low:g} to {high:g}. The pipeline gives it "
            f"{CROP_SIZE} x {CROP_SIZE} x 1 of 0 to 1: save it again with the layer keras.layers.Rescaling"
            f"({high - low:g}, offset={low:g}) in front."
        )
    if card_path(path).exists() and not force:
        raise UsageError(f"{card_path(path)} is there already. Replace it with --force.")


def open_foreign(path: Path, classes: Classes) -> KerasEngine:
    """Open a Keras model that has no card yet.

    Raises:
        UsageError: it has another number of outputs. ModelFileError: Keras can't open the file.
        ModelStructureError: a model of other inputs or outputs, or one that can't be explained.
    """
    try:
        engine = KerasEngine(open_keras(path))
    except ModelFileError as error:
        raise ModelFileError(
            f"Keras could not open {path.name} ({type(error.__cause__).__name__}). Give a model of Keras' own layers, "
            f'as model.save("{path.stem}.keras") writes it.'
        ) from error
    if engine.classes != len(classes):
        raise UsageError(
            f"The model gives {engine.classes} probabilities; {len(classes)} classes are named ({', '.join(classes)}). "
            "Name them all, in the order of its outputs: --classes normal,benign,malignant."
        )
    return engine


def adopt_model(
    path: Path,
    classes: Classes = CLASSES,
    held_out: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
    dataset: str | None = None,
    calibrated_on: str | None = None,
) -> Path:
    """Write the card of a Keras model beside it; the model itself is left as it is.

    Args:
        classes: what its outputs mean, in their order.
        held_out: crops float32 `[n, 128, 128]`, labels int `[n]` and cases str `[n]` that the model has not seen, on
            which it is calibrated; None leaves it uncalibrated.
        dataset, calibrated_on: in words, what it learnt from and what `held_out` are; None: not known.

    Returns:
        The card's path.

    Raises as `open_foreign`.
    """
    engine = open_foreign(path, classes)
    calibration = Calibration()
    if held_out is not None:
        crops, labels, cases = held_out
        parts = [engine.logits(crops[start : start + _BATCH]) for start in range(0, len(crops), _BATCH)]
        calibration = fit_calibration(np.concatenate(parts), labels, cases, classes)
    card = ModelCard(
        sha256=sha256_of(path),
        name=path.stem,
        classes=classes,
        calibration=calibration,
        training={"adopted": True, "dataset": dataset, "calibrated_on": calibrated_on},
    )
    write_whole(card_path(path), partial(Path.write_text, data=card.to_json(), encoding="utf-8"))
    return card_path(path)
