"""Results as DICOM objects of the patient's own study: Secondary Capture, structured report, Parametric Map.

Only here a patient's identity is read from a source file, and only to be copied into the objects made from it: a
result that a PACS can't file under its patient is none. Nothing is burned in that names a person. A heatmap is
no segmentation, so none is written.

The objects: Secondary Capture Image (PS3.3 A.8.1) of the overlay in colour; Comprehensive 3D SR (PS3.3 A.35.13) by
TID 1500, Measurement Report (PS3.16), unverified; Parametric Map (PS3.3 A.75) of the raw heatmap in the slice's frame
of reference.
"""

import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungcnn import __version__
from lungcnn.errors import LungCNNError, Reason, UsageError
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.dicom_headers import parse_identity
from lungcnn.results.series_report import SeriesReport
from lungcnn.results.slice_report import DISCLAIMER, SliceReport

KINDS = {"sc": "Secondary Capture", "sr": "Comprehensive 3D SR", "pm": "Parametric Map"}
MANUFACTURER, SCHEME = "lungcnn", "99LUNGCNN"
BURNED_IN = ("RESEARCH USE ONLY", "NOT FOR DIAGNOSIS")
# Numbers of the result series; a viewer sorts by them, so they come after a scanner's own.
SERIES_NUMBERS = {"sc": 9901, "sr": 9902, "pm": 9903}
_BAND = 0.06
_CHECKS = {
    "deletion_auc": "Area under the deletion curve",
    "insertion_auc": "Area under the insertion curve",
    "random_deletion_auc": "Area under the deletion curve, random order",
    "random_insertion_auc": "Area under the insertion curve, random order",
    "hidden_probability": "Probability with the marked region hidden",
    "in_lungs": "Share of the map in the lungs",
    "stability": "Stability of the map",
}


class NotDicomError(LungCNNError):
    """The result can't be written as DICOM: the slice is of a picture, or of a file whose header doesn't allow it."""

    code = "not_dicom"


@dataclass(frozen=True, eq=False)
class Judged:
    """A slice with its report and the DICOM file it came from (a path, or the file's bytes)."""

    source: Path | bytes
    report: SliceReport


def parse_kinds(text: str) -> tuple[str, ...]:
    """Kinds from a list such as "sc,sr,pm". Raises `UsageError` naming those there are."""
    kinds = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        accepted = ", ".join(f"{kind} ({name})" for kind, name in KINDS.items())
        raise UsageError(f"There is no DICOM result '{', '.join(unknown) or text}'. Accepted: {accepted}.")
    return kinds


class DicomResults:
    """Makes result objects; those of one kind from one source series form one new series.

    Args:
        kinds: of `KINDS`.

    Attributes:
        notes: why objects that were asked for are missing.
    """

    def __init__(self, kinds: Sequence[str] = tuple(KINDS)):
        self.kinds = tuple(kinds)
        self.notes: list[Reason] = []
        self._series: dict[tuple[str, str], tuple[str, int]] = {}

    def of_slice(self, judged: Judged) -> list[tuple[str, object]]:
        """`(kind, pydicom Dataset)` of one slice; a slice without a heatmap or a position gives fewer.

        Raises `NotDicomError` for a picture, and for a header that breaks the standard.
        """
        return self.of_series([judged])

    def of_series(
        self, judged: Sequence[Judged], series_report: SeriesReport | None = None
    ) -> list[tuple[str, object]]:
        """The objects of slices of one series: a Secondary Capture each, one report, one Parametric Map.

        Args:
            judged: slices of one series, at least one. series_report: adds the result of the whole to the report.

        Raises `NotDicomError` for a picture and for a header that breaks the standard, and `UsageError` for slices of
        more than one series.
        """
        with _errors_for_people():
            return self._of_series(judged, series_report)

    def _of_series(self, judged, series_report):
        sources = [_identity(one) for one in judged]
        if len({(ds.StudyInstanceUID, ds.SeriesInstanceUID) for ds in sources}) > 1:
            raise UsageError("The slices are of more than one series; write the results of each series on its own.")
        pairs = list(zip(sources, judged, strict=True))
        explained = [(ds, one) for ds, one in pairs if one.report.explanation is not None]
        made: list[tuple[str, object]] = []
        if "sc" in self.kinds:
            made += [("sc", self._secondary_capture(ds, one)) for ds, one in explained]
        if "sr" in self.kinds:
            made.append(("sr", self._structured_report(pairs, series_report)))
        if "pm" in self.kinds:
            placed = [(ds, one) for ds, one in explained if not lacks_place(ds, one)]
            self.notes += {lacks_place(ds, one) for ds, one in explained} - {None}
            for same in _alike(placed):
                made.append(("pm", self._parametric_map(same)))
        return made

    def _new_instance(self, ds, kind: str) -> dict:
        """UIDs and numbers of the next object of a kind from a source series."""
        import highdicom

        key = (ds.SeriesInstanceUID, kind)
        uid, count = self._series.get(key, (str(highdicom.UID()), 0))
        self._series[key] = (uid, count + 1)
        return {
            "series_instance_uid": uid,
            "series_number": SERIES_NUMBERS[kind],
            "sop_instance_uid": str(highdicom.UID()),
            "instance_number": count + 1,
            "manufacturer": MANUFACTURER,
        }

    def _secondary_capture(self, ds, judged: Judged):
        from highdicom.sc import SCImage
        from pydicom.sr.codedict import codes

        picture = with_notice(judged)
        made = SCImage.from_ref_dataset(
            ds,
            pixel_array=picture,
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            patient_orientation=_patient_orientation(judged.report.ct_slice),
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            contributing_equipment=[_equipment(judged.report)],
            manufacturer_model_name="lungcnn",
            software_versions=__version__,
            series_description="lungcnn overlay, research use only",
            **self._new_instance(ds, "sc"),
        )
        made.BurnedInAnnotation = "NO"  # nothing burned in names a patient
        explanation = judged.report.explanation
        made.DerivationDescription = (
            f"{explanation.method} map for {explanation.class_name} of layer {explanation.layer} over the source image"
        )
        made.SourceImageSequence = [_reference(ds, judged, codes.DCM.SourceImageForImageProcessingOperation)]
        return _derived_from(ds, made)

    def _structured_report(self, pairs, series_report: SeriesReport | None):
        from highdicom import UID
        from highdicom.sr import (
            AlgorithmIdentification,
            Comprehensive3DSR,
            DeviceObserverIdentifyingAttributes,
            FindingSite,
            MeasurementReport,
            MeasurementsAndQualitativeEvaluations,
            ObservationContext,
            ObserverContext,
            SourceImageForMeasurementGroup,
            TrackingIdentifier,
        )
        from pydicom.sr.codedict import codes
        from pydicom.sr.coding import Code

        model = pairs[0][1].report.model
        algorithm = AlgorithmIdentification(
            name=model.name, version=__version__, parameters=[f"model sha256 {model.sha256}", DISCLAIMER]
        )
        groups = []
        if series_report is not None:
            groups.append(
                MeasurementsAndQualitativeEvaluations(
                    tracking_identifier=TrackingIdentifier(uid=UID(), identifier="Series"),
                    algorithm_id=algorithm,
                    finding_sites=[FindingSite(anatomic_location=codes.SCT.Lung)],
                    measurements=_series_measurements(series_report) or None,
                    qualitative_evaluations=_series_evaluations(series_report),
                )
            )
        for number, (ds, judged) in enumerate(pairs, 1):
            frames = [judged.report.ct_slice.frame + 1] if judged.report.ct_slice.frames > 1 else None
            groups.append(
                MeasurementsAndQualitativeEvaluations(
                    tracking_identifier=TrackingIdentifier(uid=UID(), identifier=f"Slice {number}"),
                    algorithm_id=algorithm,
                    finding_sites=[FindingSite(anatomic_location=codes.SCT.Lung)],
                    measurements=_measurements(judged.report) or None,
                    qualitative_evaluations=_evaluations(judged.report),
                    source_images=[SourceImageForMeasurementGroup(ds.SOPClassUID, ds.SOPInstanceUID, frames)],
                )
            )
        observer = ObserverContext(
            observer_type=codes.DCM.Device,
            observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
                uid=UID(), name="lungcnn", manufacturer_name=MANUFACTURER, model_name=model.name
            ),
        )
        content = MeasurementReport(
            observation_context=ObservationContext(observer_device_context=observer),
            procedure_reported=Code("24627-2", "LN", "CT Chest"),
            imaging_measurements=groups,
            title=codes.DCM.ImagingMeasurementReport,
        )
        evidence = list({ds.SOPInstanceUID: ds for ds, _ in pairs}.values())
        made = Comprehensive3DSR(
            evidence=evidence,
            content=content[0],
            is_complete=True,
            is_final=False,
            is_verified=False,
            contributing_equipment=[_equipment(pairs[0][1].report)],
            manufacturer_model_name="lungcnn",
            software_versions=__version__,
            device_serial_number=model.sha256[:16],
            series_description="lungcnn report, research use only",
            **self._new_instance(pairs[0][0], "sr"),
        )
        return made

    def _parametric_map(self, pairs):
        from highdicom import (
            PixelMeasuresSequence,
            PlaneOrientationSequence,
            PlanePositionSequence,
            VOILUTTransformation,
        )
        from highdicom.pm import ParametricMap, RealWorldValueMapping
        from pydicom.sr.codedict import codes

        slices = [judged.report.ct_slice for _, judged in pairs]
        report = pairs[0][1].report
        explanation, facts = report.explanation, slices[0].facts
        values = np.stack([judged.report.explanation.heatmap() for _, judged in pairs]).astype(np.float32)
        low, high = float(values.min()), float(max(values.max(), values.min() + 1e-6))
        mapping = RealWorldValueMapping(
            lut_label="EVIDENCE",
            lut_explanation=f"{explanation.method} for {explanation.class_name}, in logits"[:64],
            unit=codes.UCUM.NoUnits,
            value_range=(low, high),
            slope=1.0,
            intercept=0.0,
            quantity_definition=_code("EVIDENCE", "Evidence for the class by the map's method"),
        )
        # LINEAR_EXACT, since the others take no window narrower than 1 (PS3.3 C.11.2.1.2).
        window = VOILUTTransformation((low + high) / 2, high - low, voi_lut_function="LINEAR_EXACT")
        made = ParametricMap(
            # Frames of one enhanced object have one source.
            source_images=list({ds.SOPInstanceUID: ds for ds, _ in pairs}.values()),
            pixel_array=values,
            real_world_value_mappings=[mapping],
            voi_lut_transformations=[window],
            manufacturer_model_name="lungcnn",
            software_versions=__version__,
            device_serial_number=report.model.sha256[:16],
            contains_recognizable_visual_features=False,
            content_label="EVIDENCE",
            content_description=f"{explanation.method} for {explanation.class_name}"[:64],
            pixel_measures=PixelMeasuresSequence(slices[0].spacing, facts.thickness),
            plane_orientation=PlaneOrientationSequence("PATIENT", facts.orientation),
            plane_positions=[PlanePositionSequence("PATIENT", one.facts.position) for one in slices],
            contributing_equipment=[_equipment(report)],
            series_description="lungcnn heatmap, research use only",
            **self._new_instance(pairs[0][0], "pm"),
        )
        return _derived_from(pairs[0][0], made)


def write_objects(made: Iterable[tuple[str, object]], folder: Path, stem: str) -> list[Path]:
    """Write objects as `<stem>-<kind>.dcm`, numbered where a kind repeats or the name is taken; returns their paths.

    Raises `UsageError` when that fails.
    """
    paths = []
    for kind, ds in made:
        path, number = folder / f"{stem}-{kind}.dcm", 1
        while path.exists():
            number += 1
            path = folder / f"{stem}-{kind}-{number}.dcm"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            ds.save_as(path, enforce_file_format=True)
        except OSError as error:
            raise UsageError(f"The DICOM result could not be written to {folder}: {error.strerror}.") from None
        paths.append(path)
    return paths


def to_bytes(ds) -> bytes:
    """An object as the bytes of its file."""
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def dicom_files(source: Path | bytes, report: SliceReport, kinds: Sequence[str] = tuple(KINDS)) -> dict[str, bytes]:
    """Results of one slice as files by name ("result-sc.dcm"), to be handed over; names name nobody.

    Args:
        source: the DICOM file that the slice was read from.

    Raises `NotDicomError` for a picture, and for a header that breaks the standard.
    """
    made = DicomResults(kinds).of_slice(Judged(source, report))
    with _errors_for_people():
        return {f"result-{kind}.dcm": to_bytes(ds) for kind, ds in made}


def with_notice(judged: Judged) -> np.ndarray:
    """The overlay with the notice and the result burned in, in bands above and below: uint8 RGB."""
    import cv2

    from lungcnn.results.rendering import render_overlay

    picture, report = render_overlay(judged.report), judged.report
    height, width = picture.shape[:2]
    band = max(16, round(_BAND * height))
    framed = cv2.copyMakeBorder(picture, band, band, 0, 0, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    chances = ", ".join(f"{name} {share:.2f}" for name, share in report.probabilities.items())
    explanation = report.explanation
    lines = [(", ".join(BURNED_IN), 0), (f"{explanation.method}, {explanation.class_name}: {chances}", band + height)]
    for text, top in lines:
        size, _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1.0, 1)
        scale = min(0.6 * band / size[1], 0.98 * width / size[0])
        thick = max(1, round(scale))
        cv2.putText(
            framed,
            text,
            (round(0.01 * width), top + round(0.7 * band)),
            cv2.FONT_HERSHEY_SIMPLEX,
            scale,
            (255, 255, 255),
            thick,
            cv2.LINE_AA,
        )
    return np.ascontiguousarray(framed)


def lacks_place(ds, judged: Judged) -> Reason | None:
    """Why a slice has no place in its frame of reference, where a Parametric Map would have to lie; None if it has."""
    facts = judged.report.ct_slice.facts
    known = facts and facts.position and facts.orientation and facts.thickness and judged.report.ct_slice.spacing
    if known and ds.get("FrameOfReferenceUID"):
        return None
    text = "The file lacks position, orientation, spacing, thickness or frame of reference: there is no Parametric Map."
    return Reason("no_place", text)


def _alike(pairs: list) -> list[list]:
    """Slices that one Parametric Map can hold: of one size, spacing, orientation, method, class and kind of source."""
    groups: dict[tuple, list] = {}
    for ds, judged in pairs:
        one, explanation = judged.report.ct_slice, judged.report.explanation
        same_file = ds.SOPInstanceUID if one.frames > 1 else None
        plane = (one.hu.shape, one.spacing, one.facts.orientation, one.facts.thickness)
        key = (*plane, explanation.method, explanation.class_name, same_file)
        groups.setdefault(key, []).append((ds, judged))
    return list(groups.values())


@contextmanager
def _errors_for_people() -> Iterator[None]:
    """What highdicom and pydicom raise or warn of quotes the header, which names a patient."""
    warnings.filterwarnings("ignore", module="highdicom")
    try:
        yield
    except LungCNNError:
        raise
    except Exception as error:  # noqa: BLE001 - anything, on values that break the standard
        raise NotDicomError(
            "The DICOM header holds a value that breaks the standard and that a result would have to repeat "
            f"({type(error).__name__}). Correct the file, or do without DICOM results."
        ) from None


def _identity(judged: Judged):
    """The source's header with what a result must repeat of it; what is missing of type 2 is empty."""
    if judged.report.ct_slice.kind != "dicom":
        raise NotDicomError(
            "DICOM results need a slice that was read from a DICOM file: a picture names no patient and no study."
        )
    ds = parse_identity(judged.source)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"):
        if not ds.get(keyword):
            raise NotDicomError(f"The DICOM file states no {keyword}; a result could not be filed with its study.")
    for keyword in (
        "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
        "StudyTime", "ReferringPhysicianName",
    ):  # fmt: skip
        if keyword not in ds or ds[keyword].value is None:
            setattr(ds, keyword, "")
    return ds


def _patient_orientation(ct_slice: CTSlice) -> tuple[str, str]:
    """Directions of rows and columns as letters (PS3.3 C.7.6.1.1.1); those of an axial slice where unknown."""
    facts = ct_slice.facts
    if not facts or not facts.orientation:
        return ("L", "P")
    letters = []
    for cosines in (facts.orientation[:3], facts.orientation[3:]):
        order = sorted(range(3), key=lambda axis: -abs(cosines[axis]))
        names = (("R", "L"), ("A", "P"), ("F", "H"))
        letters.append("".join(names[axis][cosines[axis] > 0] for axis in order if abs(cosines[axis]) > 0.1))
    return letters[0], letters[1]


def _derived_from(ds, made):
    """What a derived image says of its source: the body part, and that lossy compression can't be undone."""
    made.BodyPartExamined = ds.get("BodyPartExamined") or "CHEST"
    made.ImageComments = DISCLAIMER
    if ds.get("LossyImageCompression") == "01":
        for keyword in ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            if keyword in ds:
                made[keyword] = ds[keyword]
    return made


def _equipment(report: SliceReport):
    """What made the result, with the model's hash (PS3.3 C.12.1.1)."""
    from highdicom import ContributingEquipment
    from pydicom.sr.codedict import codes

    return ContributingEquipment(
        manufacturer=MANUFACTURER,
        purpose_of_reference=codes.DCM.ProcessingEquipment,
        manufacturer_model_name=report.model.name[:64],
        software_versions=[f"lungcnn {__version__}", report.model.sha256],
        contribution_description="Explainable classification of a chest-CT slice; software version 2 is the model's "
        "sha256. Research use only.",
    )


def _reference(ds, judged: Judged, purpose):
    from highdicom.sr import CodedConcept
    from pydicom.dataset import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    if judged.report.ct_slice.frames > 1:
        item.ReferencedFrameNumber = judged.report.ct_slice.frame + 1
    item.PurposeOfReferenceCodeSequence = [CodedConcept.from_code(purpose)]
    return item


def _code(value: str, meaning: str):
    from highdicom.sr import CodedConcept

    # CodeValue holds up to 16 characters, CodeMeaning up to 64 (PS3.3 8.1, 8.3).
    return CodedConcept(value.upper().replace("-", "_")[:16], SCHEME, meaning[:64])


def _class_code(name: str):
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    if name == "normal":
        return CodedConcept("17621005", "SCT", "Normal")
    return CodedConcept.from_code(codes.SCT.Benign if name == "benign" else codes.SCT.Malignant)


def _number(code: str, meaning: str, value: float):
    from highdicom.sr import Measurement
    from pydicom.sr.codedict import codes

    return Measurement(name=_code(code, meaning), value=round(float(value), 6), unit=codes.UCUM.NoUnits)


def _measurements(report: SliceReport) -> list:
    made = [
        _number(f"P_{name}", f"Probability of {name}", share) for name, share in (report.probabilities or {}).items()
    ]
    checks = report.explanation and report.explanation.faithfulness
    if checks:
        made += [
            _number(name, title, getattr(checks, name))
            for name, title in _CHECKS.items()
            if getattr(checks, name) is not None
        ]
    return made


def _evaluations(report: SliceReport) -> list:
    from highdicom.sr import QualitativeEvaluation
    from pydicom.sr.codedict import codes

    verdict = {"ok": "Accepted", "refused": "Refused", "error": "Could not be read"}[report.status]
    if report.status == "ok" and report.warnings:
        verdict = "Accepted with warnings"
    made = [
        QualitativeEvaluation(
            _code("GATE", "May the model judge this slice?"), _code(verdict.replace(" ", "_"), verdict)
        )
    ]
    for name, title, reasons in (
        ("REASON", "Why the slice was not judged", report.reasons),
        ("WARNING", "What to keep in mind", report.warnings),
    ):
        made += [QualitativeEvaluation(_code(name, title), _code(one.code, one.message)) for one in reasons]
    if report.prediction:
        made.append(QualitativeEvaluation(_code("PREDICTION", "Most probable class"), _class_code(report.prediction)))
    made += [
        QualitativeEvaluation(_code("PREDICTION_SET", "Class that can't be ruled out"), _class_code(name))
        for name in report.prediction_set or ()
    ]
    checks = report.explanation and report.explanation.faithfulness
    if checks:
        answer = codes.SCT.Yes if checks.better_than_random else codes.SCT.No
        made.append(QualitativeEvaluation(_code("BETTER_THAN_RND", "Is the map better than random?"), answer))
    return made


def _series_measurements(report: SeriesReport) -> list:
    if report.result is None:
        return []
    return [
        _number("P_SERIES", "Probability that the series is malignant", report.result.malignant),
        _number("THRESHOLD", "Operating point of the series", report.result.threshold),
        _number("JUDGED", "Number of slices judged", report.result.judged),
    ]


def _series_evaluations(report: SeriesReport) -> list:
    from highdicom.sr import QualitativeEvaluation
    from pydicom.sr.codedict import codes

    notes = [*report.reasons, *report.notes]
    made = [
        QualitativeEvaluation(_code("NOTE", "What to know of the series"), _code(one.code, one.message))
        for one in notes
    ]
    if report.result is not None:
        answer = codes.SCT.Yes if report.result.called_malignant else codes.SCT.No
        made.append(QualitativeEvaluation(_code("CALLED", "Is the series called malignant?"), answer))
    return made
