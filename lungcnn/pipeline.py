"""The one way through: crop, classify, explain, check, report. Nothing else calls these in sequence."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lungcnn.anatomy import Anatomy
from lungcnn.artefact import ModelCard, load_model
from lungcnn.classifier import Classification, Classifier, prediction_set
from lungcnn.errors import LungCNNError, RefusalError
from lungcnn.explaining import DEFAULT_METHOD, Explainer, class_index, explanation_method
from lungcnn.faithfulness import check_explanation, shares
from lungcnn.gate import admit
from lungcnn.loading import CTSlice, iter_slices
from lungcnn.network import CLASSES
from lungcnn.report import Explanation, ModelInfo, SliceReport, failed


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A verified model, ready to judge slices; made by `Pipeline.load`. Safe to use from several threads."""

    classifier: Classifier
    card: ModelCard
    explainer: Explainer

    @classmethod
    def load(cls, model: Path | str | None = None, layer: str | None = None) -> "Pipeline":
        """Verify and open a model (default: the one that ships), and warm its compiled functions.

        `layer` names the convolution to explain (default: the last one); `UsageError` for an unknown one.
        Raises `ModelFileError` where the file is missing or isn't the one its card names, and
        `ModelStructureError` where it can't be explained.
        """
        network, card = load_model(model)
        classifier = Classifier(network, card.calibration, layer)
        return cls(classifier, card, Explainer(classifier))

    def run(
        self, ct_slice: CTSlice, explain_class: str | None = None, method: str = DEFAULT_METHOD, checks: bool = True
    ) -> SliceReport:
        """Judge one slice.

        Args:
            explain_class: class to explain; None for the predicted one.
            method: one of `explaining.METHODS`.
            checks: also test the explanation (`faithfulness.check_explanation`, about 80 forward passes).

        Returns:
            A report with status "ok", or "refused" where the slice shows no lungs to judge.

        Raises:
            UsageError: an unknown class or method.
        """
        wanted = None if explain_class is None else class_index(explain_class)
        chosen = explanation_method(method)
        common = {
            "index": ct_slice.frame,
            "warnings": ct_slice.warnings,
            "model": ModelInfo(self.card.name, self.card.sha256),
        }
        try:
            anatomy = admit(ct_slice)
        except RefusalError as refusal:
            return failed(refusal, **common)
        found = self.classifier(anatomy.crop[None])
        label = int(found.probabilities[0].argmax()) if wanted is None else wanted
        maps = self.explainer.maps(method, anatomy.crop, found)
        layer = "input" if chosen.gradient_of_input else self.classifier.layer
        explanation = _explanation(maps, label, anatomy, ct_slice.spacing, method=method, layer=layer)
        if checks:
            tested = check_explanation(self.classifier, anatomy, found, chosen, maps[label], label)
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


def _explanation(maps, label, anatomy: Anatomy, spacing, method, layer) -> Explanation:
    cells, box = maps[label], anatomy.box
    row, column = np.unravel_index(np.argmax(cells), cells.shape)
    marked = bool(cells[row, column] > 0)
    return Explanation(
        method=method,
        class_name=CLASSES[label],
        layer=layer,
        cells=cells,
        maps=maps,
        box=box,
        cell_mm=spacing and (box.height * spacing[0] / cells.shape[0], box.width * spacing[1] / cells.shape[1]),
        peak_xy=box.point_to_slice(column + 0.5, row + 0.5, cells.shape) if marked else None,
        lung_fraction=shares(box.to_slice(cells), anatomy)[0] if marked else None,
        scale=float(max(0.0, maps.max())),
        signed=explanation_method(method).signed,
    )
