"""Comprehensive 3D SR (PS3.3 A.35.13) by TID 1500, Measurement Report (PS3.16), unverified."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from lungcnn import __version__
from lungcnn.errors import Reason
from lungcnn.results.dicom.coded import answer, class_code, code, number, yes_or_no
from lungcnn.results.dicom.provenance import MANUFACTURER, maker
from lungcnn.results.dicom.source import Source
from lungcnn.results.finding import Finding
from lungcnn.results.series_report import SeriesReport
from lungcnn.results.slice_report import DISCLAIMER, ModelInfo, SliceReport
from lungcnn.results.verdict import VERDICTS

if TYPE_CHECKING:
    from highdicom.sr import (
        Measurement,
        MeasurementsAndQualitativeEvaluations,
        ObservationContext,
        QualitativeEvaluation,
        SourceImageForMeasurementGroup,
        TextContentItem,
    )
    from pydicom import Dataset

_CHECKS = {
    "deletion_auc": "Area under the deletion curve",
    "insertion_auc": "Area under the insertion curve",
    "random_deletion_auc": "Area under the deletion curve, random order",
    "random_insertion_auc": "Area under the insertion curve, random order",
    "hidden_probability": "Probability with the marked region hidden",
    "in_lungs": "Share of the map in the lungs",
    "stability": "Stability of the map",
}
_GATE = {"ok": "Accepted", "refused": "Refused", "error": "Could not be read"}


def structured_report(
    sources: Sequence[Source], series_report: SeriesReport | None, instance: dict[str, Any]
) -> Dataset:
    """What was said of slices of one series, and of the series; `instance` holds its UIDs and numbers."""
    from highdicom.sr import Comprehensive3DSR, MeasurementReport
    from pydicom.sr.codedict import codes
    from pydicom.sr.coding import Code

    model = sources[0].model
    groups = [] if series_report is None else _series_groups(series_report, sources)
    groups += [_slice_group(source, f"Slice {number}") for number, source in enumerate(sources, 1)]
    content = MeasurementReport(
        observation_context=_observer(model),
        procedure_reported=Code("24627-2", "LN", "CT Chest"),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    return Comprehensive3DSR(
        evidence=list({one.header.SOPInstanceUID: one.header for one in sources}.values()),
        content=content[0],
        is_complete=True,
        is_final=False,
        is_verified=False,
        device_serial_number=model.sha256[:16],
        series_description="lungcnn report, research use only",
        **maker(model),
        **instance,
    )


def _observer(model: ModelInfo) -> ObservationContext:
    from highdicom import UID
    from highdicom.sr import DeviceObserverIdentifyingAttributes, ObservationContext, ObserverContext
    from pydicom.sr.codedict import codes

    device = DeviceObserverIdentifyingAttributes(
        uid=UID(), name="lungcnn", manufacturer_name=MANUFACTURER, model_name=model.name
    )
    observer = ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    return ObservationContext(observer_device_context=observer)


def _group(
    name: str,
    model: ModelInfo,
    numbers: list[Measurement],
    answers: list[QualitativeEvaluation],
    sentences: list[TextContentItem],
    images: list | None = None,
) -> MeasurementsAndQualitativeEvaluations:
    """A group of the report (TID 1501): numbers, answers and sentences about the lungs."""
    from highdicom import UID
    from highdicom.sr import (
        AlgorithmIdentification,
        FindingSite,
        MeasurementsAndQualitativeEvaluations,
        TrackingIdentifier,
    )
    from pydicom.sr.codedict import codes

    made = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=UID(), identifier=name),
        algorithm_id=AlgorithmIdentification(
            name=model.name, version=__version__, parameters=[f"model sha256 {model.sha256}", DISCLAIMER]
        ),
        finding_sites=[FindingSite(anatomic_location=codes.SCT.Lung)],
        measurements=numbers or None,
        qualitative_evaluations=answers,
        source_images=images,
    )
    made[0].ContentSequence.extend(sentences)
    return made


def _series_groups(report: SeriesReport, sources: Sequence[Source]) -> list[MeasurementsAndQualitativeEvaluations]:
    """The series, and each of its findings, with its slice where that is among the sources."""
    model = sources[0].model
    answers, sentences = _said("NOTE", "What to know of the series", [*report.reasons, *report.notes])
    judged = sum(one.status == "ok" for one in report.slices)
    numbers = [number("JUDGED", "Number of slices judged", judged)]
    if not report.reasons:
        numbers.append(number("FINDINGS", "Number of findings", len(report.findings)))
    groups = [_group("Series", model, numbers, answers, sentences)]
    images = {source.number: [_image(source)] for source in sources}
    return groups + [
        _finding_group(one, f"Finding {count}", model, images.get(one.peak_slice))
        for count, one in enumerate(report.findings, 1)
    ]


def _finding_group(
    finding: Finding, name: str, model: ModelInfo, images: list | None
) -> MeasurementsAndQualitativeEvaluations:
    numbers = [
        number("P_FINDING", f"Probability of {finding.class_name}", finding.malignant),
        number("SHARE", "Share of its slice's evidence", finding.evidence_share),
        number("PEAK_X", "Strongest at x, in pixels", finding.peak_xy[0]),
        number("PEAK_Y", "Strongest at y, in pixels", finding.peak_xy[1]),
    ]
    for title, value in zip(("across", "down", "along"), finding.extent_mm, strict=True):
        if value is not None:
            numbers.append(number(f"EXTENT_{title.upper()}", f"Extent {title}", value, in_mm=True))
    for title, value in zip(("lowest", "highest"), finding.position_mm or (), strict=False):
        numbers.append(number(f"POSITION_{title.upper()}", f"Position of the {title} slice", value, in_mm=True))
    answers = []
    if finding.above_operating_point is not None:
        reached = yes_or_no(finding.above_operating_point)
        answers.append(answer("ABOVE", "Is it at or above the operating point?", reached))
    words = _said("FINDING", "Finding", [Reason("finding", finding.sentence)])[1]
    return _group(name, model, numbers, answers, words, images)


def _slice_group(source: Source, name: str) -> MeasurementsAndQualitativeEvaluations:
    answers, sentences = _answers(source.report)
    return _group(name, source.model, _numbers(source.report), answers, sentences, [_image(source)])


def _image(source: Source) -> SourceImageForMeasurementGroup:
    from highdicom.sr import SourceImageForMeasurementGroup

    frames = [source.ct_slice.frame + 1] if source.ct_slice.frames > 1 else None
    return SourceImageForMeasurementGroup(source.header.SOPClassUID, source.header.SOPInstanceUID, frames)


def _numbers(report: SliceReport) -> list[Measurement]:
    made = [
        number(f"P_{name}", f"Probability of {name}", share) for name, share in (report.probabilities or {}).items()
    ]
    checks = report.explanation and report.explanation.faithfulness
    if checks:
        found = ((name, title, getattr(checks, name)) for name, title in _CHECKS.items())
        made += [number(name, title, value) for name, title, value in found if value is not None]
    return made


def _answers(report: SliceReport) -> tuple[list[QualitativeEvaluation], list[TextContentItem]]:
    gate = _GATE[report.status]
    if report.status == "ok" and report.warnings:
        gate = "Accepted with warnings"
    made = [answer("GATE", "May the model judge this slice?", code(gate, gate))]
    said = []
    if report.verdict:
        made.append(
            answer("VERDICT", "Is the slice flagged?", code(report.verdict.call, VERDICTS[report.verdict.call]))
        )
        said = [_in_words("VERDICT_TEXT", "Is the slice flagged, and why", report.verdict.sentence)]
    reasons, why = _said("REASON", "Why the slice was not judged", report.reasons)
    warnings, mind = _said("WARNING", "What to keep in mind", report.warnings)
    made += reasons + warnings
    if report.prediction:
        made.append(answer("PREDICTION", "Most probable class", class_code(report.prediction)))
    made += [
        answer("PREDICTION_SET", "Class in the prediction set", class_code(name))
        for name in report.prediction_set or ()
    ]
    checks = report.explanation and report.explanation.faithfulness
    if checks:
        better = yes_or_no(checks.better_than_random)
        made.append(answer("BETTER_THAN_RND", "Is the map better than random?", better))
    return made, said + why + mind


def _said(
    value: str, title: str, reasons: Iterable[Reason]
) -> tuple[list[QualitativeEvaluation], list[TextContentItem]]:
    """Each reason as a code for machines and as its sentence, which a code's meaning is too short for."""
    codes, sentences = [], []
    for reason in reasons:
        codes.append(answer(value, title, code(reason.code, reason.code.replace("_", " ").capitalize())))
        sentences.append(_in_words(f"{value}_TEXT", f"{title}, in words", reason.message))
    return codes, sentences


def _in_words(value: str, title: str, sentence: str) -> TextContentItem:
    from highdicom.sr import RelationshipTypeValues, TextContentItem

    return TextContentItem(code(value, title), sentence, RelationshipTypeValues.CONTAINS)
