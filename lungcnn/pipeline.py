"""The one way through: crop, classify, explain, check, report. Nothing else calls these in sequence."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lungcnn.anatomy import Anatomy
from lungcnn.artefact import ModelCard, load_model
from lungcnn.classifier import Classifier, calibrate, prediction_set
from lungcnn.errors import LungCNNError, Reason, RefusalError
from lungcnn.explaining import DEFAULT_METHOD, Explainer, class_index, explanation_method
from lungcnn.faithfulness import check_explanation, shares
from lungcnn.gate import examine
from lungcnn.levels import correct_levels
from lungcnn.loading import CTSlice, iter_slices
from lungcnn.network import CLASSES
from lungcnn.preparing import Prepared, prepare
from lungcnn.report import Explanation, ModelInfo, SliceReport, failed
from lungcnn.series import Series
from lungcnn.series_report import NO_RULE, NOTHING_JUDGED, SeriesReport, SeriesResult
from lungcnn.series_rule import SeriesRule

BATCH = 32


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
            A report with status "ok", or "refused" where the gate or the network's features rule it out.

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
            admission = examine(ct_slice)
        except RefusalError as refusal:
            return failed(refusal, **common)
        anatomy, common["warnings"] = admission.anatomy, admission.warnings
        found = self.classifier(anatomy.crop[None])
        try:
            common["warnings"] += self._unfamiliar(found.activations[0].max(axis=(0, 1)))
        except RefusalError as refusal:
            return failed(refusal, **common)
        label = int(found.probabilities[0].argmax()) if wanted is None else wanted
        maps = self.explainer.maps(method, anatomy.crop, found)
        layer = "input" if chosen.gradient_of_input else self.classifier.layer
        explanation = _explanation(maps, label, anatomy, ct_slice.spacing, method=method, layer=layer)
        if checks:
            tested = check_explanation(self.classifier, anatomy, found, chosen, maps[label], label)
            explanation = replace(explanation, faithfulness=tested)
        return SliceReport(
            status="ok", explanation=explanation, **_judgement(found.probabilities[0], self.card), **common
        )

    def judge(self, prepared: Sequence[Prepared]) -> list[SliceReport]:
        """Judge slices that are prepared, in one batch, without explanations: what `run` says of them otherwise."""
        model = ModelInfo(self.card.name, self.card.sha256)
        crops = [one.crop for one in prepared if one.error is None]
        judged = iter(zip(*self.classifier.features(np.stack(crops)), strict=True) if crops else ())
        reports = []
        for one in prepared:
            common = {"index": one.index, "warnings": one.warnings, "model": model}
            if one.error is not None:
                reports.append(failed(one.error, **common))
                continue
            logits, features = next(judged)
            try:
                common["warnings"] += self._unfamiliar(features)
            except RefusalError as refusal:
                reports.append(failed(refusal, **common))
                continue
            p = calibrate(logits, self.card.calibration)
            reports.append(SliceReport(status="ok", **_judgement(p, self.card), **common))
        return reports

    def _unfamiliar(self, features: np.ndarray) -> tuple[Reason, ...]:
        """Warnings by the features' distance from the training slices'; raises `UnknownImageError`."""
        known = self.card.familiarity
        # Another layer than the last may be explained: nothing was measured on its features.
        return known.check(features) if known and known.layer == self.classifier.layer else ()

    def run_series(
        self, series: Series, on_slice: Callable[[SliceReport], None] = lambda report: None, workers: int | None = None
    ) -> SeriesReport:
        """Judge the slices of a series, and the series as a whole; slices are decoded ahead of the network.

        Args:
            on_slice: called with the report of each slice, in order, as it comes.
            workers: threads that decode; None for one a core.

        Returns:
            A report without explanations: `run(series.slices[i].read())` makes those of the slices looked at.
        """
        reports: list[SliceReport] = []
        with ThreadPoolExecutor(workers or _cores()) as pool:
            ahead = _ahead(pool, lambda one: prepare(one.read, one.frame), series.slices)
            for batch in _batches(ahead):
                for report in self.judge(batch):
                    reports.append(report)
                    on_slice(report)
        return series_report(series, reports, self.card)

    def run_file(self, path_or_bytes, **options):
        """Yield `(CTSlice or None, SliceReport)` for every frame of a file; a file that can't be read gives one report.

        Options as `run`.
        """
        try:
            for ct_slice in iter_slices(path_or_bytes):
                yield _shown(ct_slice), self.run(ct_slice, **options)
        except LungCNNError as error:
            yield None, failed(error, model=ModelInfo(self.card.name, self.card.sha256))


def _shown(ct_slice: CTSlice) -> CTSlice:
    """The slice as it was judged: its window and polarity corrected where that is possible."""
    try:
        return correct_levels(ct_slice) if np.isfinite(ct_slice.hu).all() else ct_slice
    except RefusalError:
        return ct_slice


def series_report(series: Series, reports: Sequence[SliceReport], card: ModelCard) -> SeriesReport:
    """The report of a series from those of its slices."""
    model, rule = ModelInfo(card.name, card.sha256), SeriesRule.from_card(card.series)
    malignant = [report.probabilities["malignant"] for report in reports if report.status == "ok"]
    result, reasons = None, ()
    if not malignant:
        reasons = (NOTHING_JUDGED,)
    elif rule is None:
        reasons = (NO_RULE,)
    else:
        p = rule.probability(malignant)
        result = SeriesResult(p, p >= rule.threshold, rule.threshold, rule.rule, len(malignant))
    notes = series.notes
    if result and len(malignant) > rule.slices[1]:
        notes += (
            Reason(
                "longer_than_measured",
                f"The rule for series was fitted on cases of {rule.slices[0]} to {rule.slices[1]} slices. So one in "
                f"{rule.stride(len(malignant))} of the {len(malignant)} judged here was taken, from each start, and "
                "the mean is given; how well that does on whole series was not measured.",
            ),
        )
    return SeriesReport(
        status="ok" if malignant else "refused",
        slices=tuple(reports),
        positions=series.positions,
        result=result,
        reasons=reasons,
        notes=notes,
        spacing_mm=series.spacing_mm,
        model=model,
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _ahead(pool: ThreadPoolExecutor, work: Callable, items: Iterable, limit: int = 3 * BATCH) -> Iterator:
    """Results in order, at most `limit` of them worked out ahead of the one asked for: memory stays bounded."""
    waiting: deque = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= limit:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _batches(items: Iterable, size: int = BATCH) -> Iterator[list]:
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _judgement(p: np.ndarray, card: ModelCard) -> dict:
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
