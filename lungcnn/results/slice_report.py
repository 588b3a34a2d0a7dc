"""`SliceReport`, the one immutable result of a slice, and its JSON form."""

from dataclasses import asdict, dataclass, field

from lungcnn.classes import CLASSES, Classes
from lungcnn.errors import Reason, RefusalError, UsageError
from lungcnn.explaining.explanation import Explanation
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.results.verdict import Verdict, percent, verdict_of
from lungcnn.system import printable_name

DISCLAIMER = "For research and teaching only. Not a medical device; not for diagnosis or treatment decisions."
SET_OF_ALL = "All classes are in the prediction set: on this slice the model abstains."
SET_OF_SOME = "In the prediction set: {held}. Outside it, but not excluded: {rest}."


@dataclass(frozen=True)
class ModelInfo:
    """Which model gave a result, and what its classes are."""

    name: str
    sha256: str
    classes: Classes = CLASSES

    def to_json(self) -> dict:
        """As plain Python values."""
        return {"name": self.name, "sha256": self.sha256}


@dataclass(frozen=True, eq=False)
class SliceReport:
    """All that is said of one slice. It carries nothing that identifies a patient, the file's name included.

    Attributes:
        status: "ok", "refused" (the slice can't be judged) or "error" (it couldn't be read).
        reasons: why not, where the status is not "ok".
        warnings: what had to be assumed, and what speaks against trusting the result.
        prediction: the most probable class. probabilities: calibrated, by class. Both None unless "ok".
        prediction_set: the classes that hold the true one as often as the card says; None for a model without
            thresholds.
        operating_point: the suspicious class's probability from which a slice is flagged, None for a model without one.
        index: the frame's index in its file.
        ct_slice: the slice as it was judged, its window and polarity corrected: what is shown. None where it could not
            be read, and for the slices of a series, which are many. It is not part of the JSON record.
    """

    status: str
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[Reason, ...] = ()
    prediction: str | None = None
    probabilities: dict[str, float] | None = None
    prediction_set: tuple[str, ...] | None = None
    operating_point: float | None = None
    explanation: Explanation | None = None
    model: ModelInfo | None = None
    index: int = 0
    ct_slice: CTSlice | None = field(default=None, repr=False)

    @property
    def classes(self) -> Classes:
        """Those of the model."""
        return self.model.classes if self.model else CLASSES

    @property
    def verdict(self) -> Verdict | None:
        """What is said first: flagged, not flagged or undecided, and why; None for a slice that was not judged."""
        if self.probabilities is None:
            return None
        return verdict_of(self.probabilities, self.prediction_set, self.operating_point, self.classes.suspicious)

    @property
    def outside_set(self) -> tuple[str, ...]:
        """The classes outside the prediction set, most probable first."""
        shares, held = self.probabilities or {}, self.prediction_set or ()
        return tuple(sorted((name for name in shares if name not in held), key=lambda name: -shares[name]))

    @property
    def set_in_words(self) -> str | None:
        """The prediction set as the sentence that command line and PDF say, or None where there is none."""
        if self.prediction_set is None or self.probabilities is None:
            return None
        if not self.outside_set:
            return SET_OF_ALL
        rest = " and ".join(f"{name} ({percent(self.probabilities[name])})" for name in self.outside_set)
        return SET_OF_SOME.format(held=" or ".join(self.prediction_set), rest=rest)

    def require_slice(self) -> CTSlice:
        """The slice as it was judged; raises `UsageError` for a report that doesn't carry it."""
        if self.ct_slice is None:
            raise UsageError("The report carries no slice to draw: make one of that slice with Pipeline.run.")
        return self.ct_slice

    def require_explanation(self) -> Explanation:
        """The explanation; raises `UsageError` for a slice that was not judged or not explained."""
        if self.explanation is None:
            raise UsageError("There is no heatmap: the slice was not judged.")
        return self.explanation

    def to_json(self, file: str | None = None) -> dict:
        """The record of `predict --json` as plain Python values; `file` is repeated, as far as UTF-8 can hold it."""
        return {
            "file": file and printable_name(file),
            "index": self.index,
            "status": self.status,
            "reasons": [asdict(reason) for reason in self.reasons],
            "warnings": [asdict(warning) for warning in self.warnings],
            "verdict": self.verdict and self.verdict.to_json(),
            "prediction": self.prediction,
            "probabilities": self.probabilities and {name: _rounded(p) for name, p in self.probabilities.items()},
            "prediction_set": None if self.prediction_set is None else list(self.prediction_set),
            "explanation": self.explanation and _explanation_json(self.explanation),
            "model": self.model and self.model.to_json(),
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
        "strength": explanation.strength,
        "cell_mm": explanation.cell_mm and [round(value, 2) for value in explanation.cell_mm],
        "faithfulness": checks
        and {name: value if isinstance(value, bool) else _rounded(value) for name, value in numbers.items()}
        | {"sentence": checks.sentence},
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 6)
