"""`SliceReport`, the one immutable result of a slice, and its JSON form."""

from dataclasses import asdict, dataclass

import numpy as np

from lungcnn.anatomy import CropBox
from lungcnn.errors import Reason, RefusalError
from lungcnn.faithfulness import Faithfulness
from lungcnn.network import CLASSES

DISCLAIMER = "For research and teaching only. Not a medical device; not for diagnosis or treatment decisions."


@dataclass(frozen=True)
class ModelInfo:
    """Which model gave a result."""

    name: str
    sha256: str


@dataclass(frozen=True, eq=False)
class Explanation:
    """Where the network saw evidence for one class.

    Attributes:
        method, class_name, layer: what was explained and how.
        cells: float32 `[rows, columns]` over the lung crop, the method's raw map.
        box: where that crop lies on the slice.
        cell_mm: height and width of a cell in mm, or None where the spacing is unknown.
        peak_xy: the strongest cell's centre in slice coordinates, or None where nothing speaks for the class.
        lung_fraction: share of the positive map inside the lungs, or None as above.
        maps: float32 `[classes, rows, columns]`, the maps of all classes; `cells` is one of them.
        scale: largest value of the maps of all classes: on this common scale a weak map looks weak.
        signed: negative cells speak against the class.
        faithfulness: the checks; None where not checked or nothing marked.
    """

    method: str
    class_name: str
    layer: str
    cells: np.ndarray
    box: CropBox
    cell_mm: tuple[float, float] | None
    peak_xy: tuple[float, float] | None
    lung_fraction: float | None
    scale: float
    maps: np.ndarray
    signed: bool = False
    faithfulness: Faithfulness | None = None

    def heatmap(self) -> np.ndarray:
        """The raw map on the slice's own pixels: float32 `[rows, columns]`, 0 outside the lung crop."""
        return self.box.to_slice(self.cells)


@dataclass(frozen=True, eq=False)
class SliceReport:
    """All that is said of one slice. It carries nothing that identifies a patient, the file's name included.

    Attributes:
        status: "ok", "refused" (the slice can't be judged) or "error" (it couldn't be read).
        reasons: why not, where the status is not "ok".
        warnings: what had to be assumed, and what speaks against trusting the result.
        prediction: the most probable class. probabilities: calibrated, by class. Both None unless "ok".
        prediction_set: classes that can't be ruled out, or None for a model without thresholds.
        index: the frame's index in its file.
    """

    status: str
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[Reason, ...] = ()
    prediction: str | None = None
    probabilities: dict[str, float] | None = None
    prediction_set: tuple[str, ...] | None = None
    explanation: Explanation | None = None
    model: ModelInfo | None = None
    index: int = 0

    @property
    def set_in_words(self) -> str | None:
        """The prediction set as the sentence that page, command line and PDF say, or None where there is none."""
        if self.prediction_set is None:
            return None
        if len(self.prediction_set) == len(CLASSES):
            return "None of the three classes can be ruled out: on this slice the model abstains."
        return f"Can't be ruled out: {' or '.join(self.prediction_set)}."

    def to_json(self, file: str | None = None) -> dict:
        """The record of `predict --json` as plain Python values; `file` is repeated as given."""
        return {
            "file": file,
            "index": self.index,
            "status": self.status,
            "reasons": [asdict(reason) for reason in self.reasons],
            "warnings": [asdict(warning) for warning in self.warnings],
            "prediction": self.prediction,
            "probabilities": self.probabilities and {name: _rounded(self.probabilities[name]) for name in CLASSES},
            "prediction_set": None if self.prediction_set is None else list(self.prediction_set),
            "explanation": self.explanation and _explanation_json(self.explanation),
            "model": self.model and {"name": self.model.name, "sha256": self.model.sha256},
        }


def failed(error, index: int = 0, **fields) -> SliceReport:
    """The report of a slice that a `LungCNNError` stopped: "refused" for a `RefusalError`, "error" for any other."""
    status = "refused" if isinstance(error, RefusalError) else "error"
    return SliceReport(status=status, reasons=(Reason(error.code, str(error)),), index=index, **fields)


def _explanation_json(explanation: Explanation) -> dict:
    checks = explanation.faithfulness
    numbers = {} if checks is None else {name: value for name, value in vars(checks).items() if name != "curves"}
    return {
        "method": explanation.method,
        "class": explanation.class_name,
        "layer": explanation.layer,
        "peak_xy": explanation.peak_xy and [round(value, 2) for value in explanation.peak_xy],
        "lung_fraction": _rounded(explanation.lung_fraction),
        "cell_mm": explanation.cell_mm and [round(value, 2) for value in explanation.cell_mm],
        "faithfulness": checks
        and {name: value if isinstance(value, bool) else _rounded(value) for name, value in numbers.items()}
        | {"sentence": checks.sentence},
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 6)
