"""Secondary Capture Image (PS3.3 A.8.1) of the overlay in colour, with a notice burned in that names nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lungcnn.reading.ct_slice import CTSlice
from lungcnn.results.dicom.provenance import maker, say_derived, source_reference
from lungcnn.results.dicom.source import Source
from lungcnn.results.rendering import render_overlay
from lungcnn.results.slice_report import SliceReport

if TYPE_CHECKING:
    from pydicom import Dataset

BURNED_IN = ("RESEARCH USE ONLY", "NOT FOR DIAGNOSIS")
_BAND = 0.06
_EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"


def secondary_capture(source: Source, instance: dict[str, Any]) -> Dataset:
    """The overlay of an explained slice; `instance` holds its UIDs and numbers."""
    from highdicom.sc import SCImage

    explanation = source.report.require_explanation()
    made = SCImage.from_ref_dataset(
        source.header,
        pixel_array=with_notice(source.report),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "P"),  # highdicom takes no planes but those along the body
        transfer_syntax_uid=_EXPLICIT_LITTLE_ENDIAN,
        series_description="lungcnn overlay, research use only",
        **maker(source.model),
        **instance,
    )
    made.PatientOrientation = list(_patient_orientation(source.ct_slice))
    made.BurnedInAnnotation = "NO"  # nothing burned in names a patient
    made.DerivationDescription = (
        f"{explanation.method} map for {explanation.class_name} of layer {explanation.layer} over the source image"
    )
    made.SourceImageSequence = [source_reference(source)]
    say_derived(made, source.header)
    return made


def with_notice(report: SliceReport) -> np.ndarray:
    """The overlay with the notice and the result burned in, in bands above and below: uint8 RGB `[rows, columns, 3]`.

    Raises `UsageError` for a report without slice or explanation.
    """
    import cv2

    picture, explanation = render_overlay(report), report.require_explanation()
    height = picture.shape[0]
    band = max(16, round(_BAND * height))
    framed = cv2.copyMakeBorder(picture, band, band, 0, 0, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    chances = ", ".join(f"{name} {share:.2f}" for name, share in (report.probabilities or {}).items())
    _write_line(framed, ", ".join(BURNED_IN), 0, band)
    _write_line(framed, f"{explanation.method}, {explanation.class_name}: {chances}", band + height, band)
    return np.ascontiguousarray(framed)


def _write_line(picture: np.ndarray, text: str, top: int, height: int) -> None:
    """Write white text into a band of a picture, as large as the band takes."""
    import cv2

    width, font = picture.shape[1], cv2.FONT_HERSHEY_SIMPLEX
    size, _ = cv2.getTextSize(text, font, 1.0, 1)
    scale = min(0.6 * height / size[1], 0.98 * width / size[0])
    corner = (round(0.01 * width), top + round(0.7 * height))
    cv2.putText(picture, text, corner, font, scale, (255, 255, 255), max(1, round(scale)), cv2.LINE_AA)


def _patient_orientation(ct_slice: CTSlice) -> tuple[str, str]:
    """Directions of rows and columns as letters (PS3.3 C.7.6.1.1.1); those of an axial slice where unknown."""
    facts = ct_slice.facts
    if not facts or not facts.orientation:
        return ("L", "P")
    return _direction(facts.orientation[:3]), _direction(facts.orientation[3:])


def _direction(cosines: tuple[float, ...]) -> str:
    order = sorted(range(3), key=lambda axis: -abs(cosines[axis]))
    names = (("R", "L"), ("A", "P"), ("F", "H"))
    return "".join(names[axis][cosines[axis] > 0] for axis in order if abs(cosines[axis]) > 0.1)
