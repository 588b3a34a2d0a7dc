"""The one way through: crop, classify, explain, check, report. Nothing else calls these in sequence."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from lungcnn.classes import class_index
from lungcnn.errors import JudgingError, LungCNNError, Reason, RefusalError, UsageError, told_as
from lungcnn.explaining.evidence import Evidence, evidence_of
from lungcnn.explaining.evidence_scale import EvidenceScale
from lungcnn.explaining.explainer import Explainer
from lungcnn.explaining.explanation import explanation_of
from lungcnn.explaining.faithfulness import check_explanation
from lungcnn.explaining.methods import DEFAULT_METHOD, explanation_method
from lungcnn.explaining.peaks import find_peaks
from lungcnn.gate.prepared import Prepared, prepare, prepare_slice
from lungcnn.model.calibration import calibrate, prediction_set
from lungcnn.model.card import ModelCard
from lungcnn.model.classifier import Classifier
from lungcnn.model.opening import open_engine
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.loading import open_source
from lungcnn.reading.reader_process import OF_MANY
from lungcnn.reading.series import Series
from lungcnn.results.finding import Finding
from lungcnn.results.series_findings import find_findings, least_probability
from lungcnn.results.series_places import SlicePeaks
from lungcnn.results.series_report import SeriesReport, series_report
from lungcnn.results.slice_report import ModelInfo, SliceReport, failed
from lungcnn.system import usable_cores
from lungcnn.working_ahead import ahead_of, batches

BATCH = 32
UNCALIBRATED = Reason(
    "uncalibrated",
    "The model is uncalibrated: its probabilities say which class is likeliest, not how likely it is, and no class is "
    "ruled out.",
)
# What is said of a slice, and of its cells where that was asked for. What asks: crops to logits, features, evidence.
_Said = tuple[SliceReport, Evidence | None]
_Ask = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, Sequence[Evidence | None]]]


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A verified model, ready to judge slices; made by `Pipeline.load`. Safe to use from several threads."""

    classifier: Classifier
    card: ModelCard
    explainer: Explainer

    @classmethod
    def load(cls, model: Path | str | None = None, layer: str | None = None, threads: int | None = None) -> "Pipeline":
        """Verify and open a model (default: the one that ships), warm.

        `layer` names the convolution to explain (default: the last one); `UsageError` for an unknown one. `threads` is
        the number of cores that one call of the network uses (default: all that this process may use).
        Raises `ModelFileError` where the file is missing or isn't the one its card names, and
        `ModelStructureError` where it can't be explained.
        """
        engine, card = open_engine(model, layer, threads)
        classifier = Classifier(engine, card.calibration, card.classes)
        return cls(classifier, card, Explainer(classifier))

    def run(
        self, ct_slice: CTSlice, explain_class: str | None = None, method: str = DEFAULT_METHOD, checks: bool = True
    ) -> SliceReport:
        """Judge one slice.

        Args:
            explain_class: class to explain; None for the predicted one.
            method: one of `explaining.methods.METHODS`.
            checks: also test the explanation (`check_explanation`, about 45 forward passes).

        Returns:
            A report with status "ok", or "refused" where the gate or the network's features rule it out. It carries the
            slice as it was judged.

        Raises:
            UsageError: an unknown class or method, or anything but a slice.
        """
        if not isinstance(ct_slice, CTSlice):
            raise UsageError(
                f"Pipeline.run takes a CTSlice, as load_slice(path) gives it; received {type(ct_slice).__name__}."
            )
        wanted = None if explain_class is None else class_index(explain_class, self.card.classes)
        chosen = explanation_method(method)
        prepared = prepare_slice(ct_slice)
        anatomy = prepared.examination.anatomy if prepared.examination else None
        if prepared.crop is None or anatomy is None:
            return self._stopped(prepared, prepared.error)
        found = self.classifier(prepared.crop[None])
        report = self._judged(prepared, found.logits[0], found.features[0])
        if report.status != "ok":
            return report
        label = int(found.probabilities[0].argmax()) if wanted is None else wanted
        maps = self.explainer.maps(method, anatomy.crop, found)
        layer = "input" if chosen.gradient_of_input else self.classifier.layer
        explanation = explanation_of(maps, label, anatomy, ct_slice.spacing, method, layer, self.card.classes)
        explanation = replace(explanation, strengths=self._strengths(method, maps))
        if checks:
            tested = check_explanation(self.classifier, anatomy, found, chosen, maps[label], label)
            explanation = replace(explanation, faithfulness=tested)
        return replace(report, explanation=explanation)

    def _strengths(self, method: str, maps: np.ndarray) -> dict[str, str]:
        """How strong the evidence is by class, as far as the card tells; maps float32 `[classes, rows, columns]`."""
        scale = EvidenceScale.from_card(self.card.evidence)
        if scale is None or scale.layer != self.classifier.layer:
            return {}
        peaks = zip(self.card.classes, maps.max(axis=(1, 2)), strict=True)
        found = {name: scale.strength(method, label, float(peak)) for label, (name, peak) in enumerate(peaks)}
        return {name: strength for name, strength in found.items() if strength}

    def judge(self, prepared: Sequence[Prepared]) -> list[SliceReport]:
        """Judge slices that are prepared, in one batch, without explanations: what `run` says of them otherwise.

        One that the network fails on gets a report with status "error", and the others theirs.
        """
        return [report for report, _ in self._judge_all(prepared, self._features)]

    def _judge_all(self, prepared: Sequence[Prepared], ask: _Ask) -> list[_Said]:
        try:
            return self._judge(prepared, ask)
        except Exception:  # noqa: BLE001 - which of them it was, and what, is found out one by one
            return [self._judge_alone(one, ask) for one in prepared]

    def _judge_alone(self, one: Prepared, ask: _Ask) -> _Said:
        try:
            with told_as(JudgingError):
                return self._judge([one], ask)[0]
        except LungCNNError as error:
            return self._stopped(one, error), None

    def _judge(self, prepared: Sequence[Prepared], ask: _Ask) -> list[_Said]:
        crops = [one.crop for one in prepared if one.crop is not None]
        answers = iter(zip(*ask(np.stack(crops)), strict=True) if crops else ())
        said: list[_Said] = []
        for one in prepared:
            if one.crop is None:
                said.append((self._stopped(one, one.error), None))
            else:
                logits, features, evidence = next(answers)
                said.append((self._judged(one, logits, features), evidence))
        return said

    def _features(self, crops: np.ndarray):
        return *self.classifier.features(crops), [None] * len(crops)

    def _judged(self, one: Prepared, logits: np.ndarray, features: np.ndarray) -> SliceReport:
        """What is said of a slice that the gate admitted, before any explanation.

        Args:
            logits: float32 `[classes]`. features: float32 `[channels]`.
        """
        try:
            warnings = (*one.warnings, *self._uncalibrated, *self._unfamiliar(features))
        except RefusalError as refusal:
            return self._stopped(one, refusal)
        p = calibrate(logits, self.card.calibration)
        return SliceReport(
            status="ok",
            warnings=warnings,
            prediction=self.card.classes[int(p.argmax())],
            probabilities={name: float(value) for name, value in zip(self.card.classes, p, strict=True)},
            prediction_set=prediction_set(p, self.card.calibration, self.card.classes),
            operating_point=self.card.calibration.malignant_threshold,
            model=self._model,
            index=one.index,
            ct_slice=one.shown,
        )

    def _stopped(self, one: Prepared, error: LungCNNError | None) -> SliceReport:
        """What is said of a slice that can't be read or is not to be judged."""
        return failed(error, index=one.index, warnings=one.warnings, model=self._model, ct_slice=one.shown)

    @property
    def _model(self) -> ModelInfo:
        return ModelInfo(self.card.name, self.card.sha256, self.card.classes)

    @property
    def _uncalibrated(self) -> tuple[Reason, ...]:
        """A warning where the model's card says that nothing was calibrated."""
        return () if self.card.calibration.fitted else (UNCALIBRATED,)

    def _unfamiliar(self, features: np.ndarray) -> tuple[Reason, ...]:
        """Warnings by the features' distance from the training slices'; raises `UnknownImageError`."""
        known = self.card.familiarity
        # Another layer than the last may be explained: nothing was measured on its features.
        return known.check(features) if known and known.layer == self.classifier.layer else ()

    def run_series(
        self, series: Series, on_slice: Callable[[SliceReport], None] = lambda report: None, workers: int | None = None
    ) -> SeriesReport:
        """Judge the slices of a series, and find what persists over them; slices are decoded ahead of the network.

        Args:
            on_slice: called with the report of each slice, in order, as it comes; what it raises ends the series.
            workers: threads that decode; None for one a core.

        Returns:
            A report without explanations: `run_read(series.slices[i].read)` makes those of the slices looked at.
        """
        reports: list[SliceReport] = []
        judged: list[SlicePeaks] = []
        operating_point = self.card.calibration.malignant_threshold
        least = least_probability(operating_point)
        suspicious = self.card.classes.suspicious
        ask = partial(evidence_of, self.classifier) if suspicious else self._features
        with ThreadPoolExecutor(workers or usable_cores(), initializer=OF_MANY.set, initargs=(True,)) as pool:
            ahead = ahead_of(pool, lambda one: prepare(one.read, one.frame), series.slices, limit=3 * BATCH)
            try:
                for batch in batches(ahead, BATCH):
                    said = self._judge_all(batch, ask)
                    for one, (report, evidence) in zip(batch, said, strict=True):
                        if report.status == "ok" and evidence is not None and one.box is not None:
                            # Of what the network found, a series keeps a few numbers a slice.
                            peaks = tuple(find_peaks(evidence, one.box, self.card.calibration, least))
                            judged.append(SlicePeaks(len(reports), peaks, one.box.columns, one.spacing, one.facts))
                        reports.append(report)
                        on_slice(report)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
        findings: tuple[Finding, ...] = ()
        if suspicious:
            findings = find_findings(judged, series.positions, series.spacing_mm, operating_point, suspicious)
        return series_report(series, reports, findings, self._model)

    def run_file(self, path_or_bytes, **options) -> Iterator[SliceReport]:
        """Yield a report for every frame of a file; a file that can't be read gives one that says so.

        Options, and what is raised, as `run_read`.
        """
        try:
            source = open_source(path_or_bytes)
        except LungCNNError as error:
            yield failed(error, model=self._model)
            return
        for frame in range(source.frames):
            yield self.run_read(partial(source.read, frame), frame, **options)

    def run_read(self, read: Callable[[], CTSlice], index: int = 0, **options) -> SliceReport:
        """`run` of the slice that `read` decodes; whatever is raised meanwhile becomes a report with status "error".

        Args:
            index: of the slice's frame in its file. options: as `run`.

        Raises `UsageError` for an unknown class or method, and nothing else.
        """
        try:
            with told_as(JudgingError):
                return self.run(read(), **options)
        except UsageError:
            raise
        except LungCNNError as error:
            return failed(error, index=index, model=self._model)
