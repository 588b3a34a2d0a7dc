"""The one way through: crop, classify, explain, check, report. Nothing else calls these in sequence."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lungcnn.anatomy import Anatomy
from lungcnn.artefact import ModelCard, load_model
from lungcnn.classifier import PREDICTED, Classification, Classifier, prediction_set
from lungcnn.errors import LungCNNError
from lungcnn.explaining import DEFAULT_METHOD, class_index, explanation_method
from lungcnn.faithfulness import deletion_insertion, lung_fraction
from lungcnn.gate import admit, cautions
from lungcnn.loading import CTSlice, iter_slices
from lungcnn.network import CLASSES
from lungcnn.report import Explanation, ModelInfo, SliceReport, failed


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A verified model, ready to judge slices; made by `Pipeline.load`. Safe to use from several threads."""

    classifier: Classifier
    card: ModelCard

    @classmethod
    def load(cls, model: Path | str | None = None) -> "Pipeline":
        """Verify and open a model (default: the one that ships), and warm its compiled function.

        Raises `ModelFileError` where the file is missing or isn't the one its card names, and
        `ModelStructureError` where it can't be explained.
        """
        network, card = load_model(model)
        return cls(Classifier(network, card.calibration), card)

    def run(
        self, ct_slice: CTSlice, explain_class: str | None = None, method: str = DEFAULT_METHOD, checks: bool = True
    ) -> SliceReport:
        """Judge one slice.

        Args:
            explain_class: class to explain; None for the predicted one.
            method: one of `explaining.METHODS`.
            checks: also test the explanation by deletion and insertion (about 80 forward passes).

        Returns:
            A report with status "ok", or "refused" where the slice shows no lungs to judge.

        Raises:
            UsageError: an unknown class or method.
        """
        target = PREDICTED if explain_class is None else class_index(explain_class)
        explain = explanation_method(method)
        common = {
            "index": ct_slice.frame,
            "model": ModelInfo(self.card.name, self.card.sha256),
        }
        try:
            anatomy = admit(ct_slice)
        except LungCNNError as refusal:
            return failed(refusal, status="refused", warnings=ct_slice.warnings, **common)
        common["warnings"] = ct_slice.warnings + cautions(anatomy)
        found = self.classifier(anatomy.crop[None], target)
        label = int(found.explained[0])
        cells = explain(found.activations[0], found.gradients[0])
        explanation = _explanation(cells, method, label, self.classifier.layer, anatomy, ct_slice.spacing)
        if checks:
            tested = deletion_insertion(self.classifier, anatomy.crop, anatomy.crop_lungs, cells, label)
            explanation = replace(explanation, faithfulness=tested)
        return SliceReport(status="ok", explanation=explanation, **_judgement(found, self.card), **common)

    def run_file(self, path_or_bytes, **options):
        """Yield `(CTSlice or None, SliceReport)` for every frame of a file; a file that can't be read gives one report.

        Options as `run`.
        """
        try:
            for ct_slice in iter_slices(path_or_bytes):
                yield ct_slice, self.run(ct_slice, **options)
        except LungCNNError as error:
            yield None, failed(error, model=ModelInfo(self.card.name, self.card.sha256))


def _judgement(found: Classification, card: ModelCard) -> dict:
    p = found.probabilities[0]
    return {
        "prediction": CLASSES[int(p.argmax())],
        "probabilities": {name: float(value) for name, value in zip(CLASSES, p, strict=True)},
        "prediction_set": prediction_set(p, card.calibration),
    }


def _explanation(cells, method, label, layer, anatomy: Anatomy, spacing) -> Explanation:
    box = anatomy.box
    row, column = np.unravel_index(np.argmax(cells), cells.shape)
    marked = cells[row, column] > 0
    return Explanation(
        method=method,
        class_name=CLASSES[label],
        layer=layer,
        cells=cells,
        box=box,
        cell_mm=spacing and (box.height * spacing[0] / cells.shape[0], box.width * spacing[1] / cells.shape[1]),
        peak_xy=box.point_to_slice(column + 0.5, row + 0.5, cells.shape) if marked else None,
        lung_fraction=lung_fraction(box.to_slice(cells), anatomy.lungs),
    )
