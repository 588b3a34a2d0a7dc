"""Parametric Map (PS3.3 A.75) of raw heatmaps, in the slices' frame of reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lungcnn.errors import Reason
from lungcnn.explaining.explanation import Explanation
from lungcnn.explaining.methods import METHODS
from lungcnn.results.dicom.coded import code
from lungcnn.results.dicom.provenance import maker, say_derived
from lungcnn.results.dicom.source import Place, Source

if TYPE_CHECKING:
    from highdicom.pm import RealWorldValueMapping
    from pydicom import Dataset


NO_PLACE = Reason(
    "no_place",
    "The file lacks position, orientation, spacing, thickness or frame of reference: there is no Parametric Map.",
)


def alike(placed: Sequence[tuple[Source, Place]]) -> list[list[tuple[Source, Place]]]:
    """Slices that one map can hold: of one size, spacing, orientation, method, class and kind of source."""
    groups: dict[tuple, list[tuple[Source, Place]]] = {}
    for source, place in placed:
        explanation = source.report.require_explanation()
        same_file = source.header.SOPInstanceUID if source.ct_slice.frames > 1 else None
        plane = (source.ct_slice.hu.shape, place.spacing, place.orientation, place.thickness)
        key = (*plane, explanation.method, explanation.class_name, same_file)
        groups.setdefault(key, []).append((source, place))
    return list(groups.values())


def parametric_map(placed: Sequence[tuple[Source, Place]], instance: dict[str, Any]) -> Dataset:
    """The raw maps of slices that are `alike`; `instance` holds its UIDs and numbers."""
    from highdicom import (
        PixelMeasuresSequence,
        PlaneOrientationSequence,
        PlanePositionSequence,
        VOILUTTransformation,
    )
    from highdicom.pm import ParametricMap

    first, place = placed[0]
    explanation = first.report.require_explanation()
    values = np.stack([one.report.require_explanation().heatmap() for one, _ in placed]).astype(np.float32)
    low, high = float(values.min()), float(max(values.max(), values.min() + 1e-6))
    made = ParametricMap(
        # Frames of one enhanced object have one source.
        source_images=list({one.header.SOPInstanceUID: one.header for one, _ in placed}.values()),
        pixel_array=values,
        real_world_value_mappings=[_meaning_of_values(explanation, low, high)],
        # LINEAR_EXACT, since the others take no window narrower than 1 (PS3.3 C.11.2.1.2).
        voi_lut_transformations=[VOILUTTransformation((low + high) / 2, high - low, voi_lut_function="LINEAR_EXACT")],
        device_serial_number=first.model.sha256[:16],
        contains_recognizable_visual_features=False,
        content_label="EVIDENCE",
        content_description=f"{explanation.method} for {explanation.class_name}"[:64],
        pixel_measures=PixelMeasuresSequence(place.spacing, place.thickness),
        plane_orientation=PlaneOrientationSequence("PATIENT", place.orientation),
        plane_positions=[PlanePositionSequence("PATIENT", one.position) for _, one in placed],
        series_description="lungcnn heatmap, research use only",
        **maker(first.model),
        **instance,
    )
    say_derived(made, first.header)
    return made


def _meaning_of_values(explanation: Explanation, low: float, high: float) -> RealWorldValueMapping:
    from highdicom.pm import RealWorldValueMapping
    from pydicom.sr.codedict import codes

    unit = METHODS[explanation.method].unit
    return RealWorldValueMapping(
        lut_label="EVIDENCE",
        lut_explanation=f"{explanation.method} for {explanation.class_name}, in {unit}"[:64],
        unit=codes.UCUM.NoUnits,
        value_range=(low, high),
        slope=1.0,
        intercept=0.0,
        quantity_definition=code("EVIDENCE", "Evidence for the class by the map's method"),
    )
