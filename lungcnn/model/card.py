"""Saving, loading and verifying the trained model and its card.

The card is a JSON file beside the model: what the network expects, what it learnt from, how its
logits become probabilities, and the sha256 that the model file must have to be opened at all.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from lungcnn.classes import CLASSES, Classes, parse_classes
from lungcnn.errors import ModelFileError, UsageError
from lungcnn.gate.familiarity import Familiarity
from lungcnn.model.calibration import Calibration
from lungcnn.model.tensorflow_start import import_tensorflow
from lungcnn.preprocessing.lung_crop import CROP_SIZE, CROP_VERSION
from lungcnn.shipped import shipped_file
from lungcnn.system import write_whole
from lungcnn.windowing import DATASET

IQ_OTH_NCCD = "the IQ-OTH/NCCD lung cancer dataset (Baghdad, 2019)"
MODEL_NAME = "cancer_classification_model"
_RETRAIN = "Fetch the model and its card again, or train one: python -m lungcnn train DATASET --out my-model"


@dataclass(frozen=True)
class ModelCard:
    """What stands in `<model>.json`.

    Attributes:
        classes: what its outputs mean, in order; in the file, "suspicious" names the suspicious one.
        training: recipe, seed, date, dataset, number of slices and cases, `files` (name to sha256 of each training
            slice). Of a model that was adopted: `adopted`, and `dataset` and `calibrated_on` where somebody said.
        versions: of the packages that made the model.
        figures: from cross-validation; empty where none was run.
        familiarity: how far from the training slices' features a slice may lie; None: not checked.
        evidence: how large the maps of training slices are (`evidence_scale.EvidenceScale`); empty where not measured.
        onnx_sha256: of the same network as `<model>.onnx`, which runs without TensorFlow; None where there is none.
    """

    sha256: str
    name: str = MODEL_NAME
    classes: Classes = CLASSES
    input_shape: tuple[int, ...] = (CROP_SIZE, CROP_SIZE, 1)
    window: dict = field(default_factory=lambda: asdict(DATASET))
    crop_version: int = CROP_VERSION
    calibration: Calibration = field(default_factory=Calibration)
    training: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)
    figures: dict = field(default_factory=dict)
    familiarity: Familiarity | None = None
    evidence: dict = field(default_factory=dict)
    onnx_sha256: str | None = None

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps(asdict(self) | {"suspicious": self.classes.suspicious}, indent=1) + "\n"

    @property
    def adopted(self) -> bool:
        """Whether it is somebody else's model (`adopting.adopt_model`)."""
        return bool(self.training.get("adopted"))

    @property
    def dataset(self) -> str | None:
        """What it learnt from, in words; None where nobody said."""
        # Cards of version 0.1 don't say: there was one dataset then.
        return self.training.get("dataset", IQ_OTH_NCCD if "recipe" in self.training else None)


def default_model_path() -> Path:
    """The model that ships with the project, or the one that the environment variable LUNGCNN_MODEL names."""
    chosen = os.environ.get("LUNGCNN_MODEL")
    return Path(chosen) if chosen else shipped_file(f"models/{MODEL_NAME}.keras")


def save_model(network, folder: Path, card: dict, crops: np.ndarray | None = None) -> Path:
    """Write `<name>.keras` (without an optimizer), the same as `.onnx`, and the card into `folder`.

    Args:
        network: `keras.Model`. card: fields of `ModelCard` other than the sums.
        crops: float32 `[n, 128, 128]` on which the `.onnx` must answer as Keras does; None writes none.

    Returns:
        The `.keras` file's path.

    Raises `ModelStructureError` where the network can't be written as ONNX, or answers otherwise then.
    """
    from lungcnn.model.onnx_export import export_onnx

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{MODEL_NAME}.keras"
    write_whole(path, lambda draft: _save_packed(network, draft))
    onnx_sha256 = None
    onnx_path(path).unlink(missing_ok=True)
    if crops is not None:
        write_whole(onnx_path(path), lambda draft: export_onnx(network, draft, crops))
        onnx_sha256 = sha256_of(onnx_path(path))
    text = ModelCard(sha256_of(path), onnx_sha256=onnx_sha256, **card).to_json()
    write_whole(card_path(path), lambda draft: draft.write_text(text, encoding="utf-8"))
    return path


def _save_packed(network, path: Path) -> None:
    """Save as `.keras` with its parts deflated, which Keras leaves out: joined networks are zeros for the most part."""
    network.save(path, include_optimizer=False)
    with ZipFile(path) as archive:
        parts = [(part.filename, archive.read(part)) for part in archive.infolist()]
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, content in parts:
            archive.writestr(name, content)


def onnx_path(model: Path) -> Path:
    """The ONNX file that belongs to a model file."""
    return model.with_suffix(".onnx")


def card_path(model: Path) -> Path:
    """The card that belongs to a model file."""
    return model.with_suffix(".json")


def _with_tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def load_card(model: Path) -> ModelCard:
    """Read a model's card. Raises `ModelFileError` when it is missing, damaged, or of another kind of model."""
    path = card_path(model)
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        calibration = Calibration(**_with_tuples(fields.pop("calibration")))
        familiarity = fields.pop("familiarity", None)
        classes = parse_classes(",".join(fields.pop("classes")), fields.pop("suspicious", None))
        fields.pop("series", None)  # a rule for whole series, of cards before version 0.5
        card = ModelCard(
            **_with_tuples(fields),
            classes=classes,
            calibration=calibration,
            familiarity=Familiarity(**familiarity) if familiarity else None,
        )
    except FileNotFoundError:
        raise ModelFileError(
            f"The model's card {path.name} is missing beside the model. {_RETRAIN}, or have a card written for a model "
            "of your own: python -m lungcnn adopt --help."
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, UsageError):
        raise ModelFileError(f"The model's card {path.name} cannot be read or is damaged. {_RETRAIN}.") from None
    expected = ModelCard(sha256="")
    for what in ("input_shape", "window", "crop_version"):
        if getattr(card, what) != getattr(expected, what):
            raise ModelFileError(
                f"The model was made for {what} {getattr(card, what)}; this version of lungcnn needs "
                f"{getattr(expected, what)}. {_RETRAIN}."
            )
    return card


def verify_model(path: Path) -> ModelCard:
    """The card of a model whose bytes are those it names; the model isn't opened. Raises as `load_model`."""
    if not path.is_file():
        raise ModelFileError(f"There is no model at {path}. {_RETRAIN}.")
    card = load_card(path)
    for file, expected in ((path, card.sha256), (onnx_path(path), card.onnx_sha256)):
        if expected is not None and file.is_file() and sha256_of(file) != expected:
            raise ModelFileError(
                f"The model file {file.name} is not the one its card describes (sha256 differs): it was changed or "
                f"cut short. It was not opened. {_RETRAIN}."
            )
    return card


def load_model(path: Path | str | None = None):
    """Open a model after checking that its bytes are those the card names.

    Returns:
        `(keras.Model, ModelCard)`.

    Raises:
        ModelFileError: model or card missing or damaged, or the sha256 differs.
    """
    path = Path(path) if path else default_model_path()
    card = verify_model(path)
    return open_keras(path), card


def open_keras(path: Path):
    """The `keras.Model` in a file that was verified.

    Raises `ModelFileError` where Keras can't open it, and `MissingPackageError` where there is no TensorFlow.
    """
    import_tensorflow()
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise ModelFileError(f"Keras could not open {path.name} ({type(error).__name__}). {_RETRAIN}.") from error


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
