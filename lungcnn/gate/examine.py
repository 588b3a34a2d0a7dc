"""May the model judge this slice at all? What is refused gets no probability.

Asked in this order: what the file says (`reading.file_rules`), the window and polarity of a picture
(`reading.exported_window`), the anatomy, and what the picture measures (`measures` within `bounds`). How familiar the
network finds it comes after that (`familiarity`).
"""

from dataclasses import dataclass
from typing import cast

import numpy as np

from lungcnn.errors import LungCNNError, Reason, RefusalError
from lungcnn.gate.bounds import cautions, first_broken
from lungcnn.gate.measures import Measures, measure
from lungcnn.preprocessing.anatomy import Anatomy, find_anatomy
from lungcnn.reading.acquisition import SliceFacts
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.damage import told_as_damage
from lungcnn.reading.exported_window import correct_levels
from lungcnn.reading.file_rules import file_cautions, ruled_out
from lungcnn.windowing import DATASET

# Share of the body's area that lung has on either side: less on 1 % of the development slices (large masses, collapse).
LEAST_LUNG_ON_A_SIDE = 0.02
LARGEST_COLOURED = 0.004


class NotFiniteError(RefusalError):
    """The slice holds NaN or infinite values: a network would answer them with a plausible number."""

    code = "not_finite"


class OneLungError(RefusalError):
    """Lung on one side of the body only, or next to none on the other."""

    code = "one_lung"


class NotChestCTError(RefusalError):
    """Something like a body and lungs was found, but it does not measure as a chest CT; `code` tells what is off."""

    code = "not_chest_ct"

    def __init__(self, message: str, code: str = "not_chest_ct"):
        super().__init__(message)
        self.code = code


class FileFactsError(RefusalError):
    """The DICOM file itself says that it holds no axial chest-CT slice; `code` tells what it says."""

    def __init__(self, message: str, code: str):
        super().__init__(message)
        self.code = code


class ColourError(RefusalError):
    """A picture in colour: a photograph, a screenshot, or a slice with graphics drawn over it."""

    code = "in_colour"


@dataclass(frozen=True, eq=False)
class Examination:
    """What the gate made of a slice.

    Attributes:
        ct_slice: the slice that is judged and shown: window and polarity corrected where that was needed and possible.
        refusal: why it may not or can't be judged, a `RefusalError` but for damage; None for a slice that is admitted.
        anatomy: what was found on it, None where it was refused.
        measures: what was measured on it, None where it was refused.
        warnings: the slice's own and those of the gate.
    """

    ct_slice: CTSlice
    refusal: LungCNNError | None = None
    anatomy: Anatomy | None = None
    measures: Measures | None = None
    warnings: tuple[Reason, ...] = ()


def admit(ct_slice: CTSlice) -> Anatomy:
    """The anatomy of a slice that may be judged; raises the refusal of one that may not (as `examine` lists them)."""
    found = examine(ct_slice)
    if found.refusal is not None:
        raise found.refusal
    return cast(Anatomy, found.anatomy)


def examine(ct_slice: CTSlice) -> Examination:
    """Admit a slice, corrected where its levels were read wrongly, or refuse it.

    Refusals are:
        FileFactsError: the file says localizer, secondary capture, not axial, another body part, burned-in annotation.
        NotFiniteError: NaN or infinite pixels.
        ColourError: a picture in colour.
        WrongWindowError: a window that clips lung to black or soft tissue to white.
        NoBodyError, NoLungsError: as `find_anatomy`.
        OneLungError: no two lungs, as above the apices, below the bases and after the loss of a lung.
        NotChestCTError: not the measures of a whole, upright, axial slice of the chest.
        UnreadableFileError: whatever else is raised on the way.
    """
    shown = ct_slice
    try:
        with told_as_damage("The slice could not be judged: something in it was not expected. The others go on."):
            from_file = check_facts(ct_slice.facts) if ct_slice.facts else ()
            _check_values(ct_slice)
            shown = correct_levels(ct_slice)
            anatomy = find_anatomy(shown)
            measures = _measured(shown, anatomy)
    except LungCNNError as refusal:
        return Examination(shown, refusal, warnings=shown.warnings)
    return Examination(
        shown, anatomy=anatomy, measures=measures, warnings=(*shown.warnings, *from_file, *cautions(measures))
    )


def _check_values(ct_slice: CTSlice) -> None:
    if not np.isfinite(ct_slice.hu).all():
        raise NotFiniteError("The slice holds values that are not finite numbers. Export it again.")
    if ct_slice.coloured > LARGEST_COLOURED:
        raise ColourError(
            f"The picture is in colour ({ct_slice.coloured:.1%} of it). Accepted are grey-scale chest-CT slices "
            "without graphics drawn over them."
        )


def _measured(ct_slice: CTSlice, anatomy: Anatomy) -> Measures:
    """The measures of a slice that keeps within their bounds."""
    if min(anatomy.lung_sides()) < LEAST_LUNG_ON_A_SIDE:
        raise OneLungError(
            "Lung was found on one side of the body only: the slice may lie above the apices or below the bases, or "
            "one lung holds no air. Accepted are axial slices that show both lungs."
        )
    measures = measure(ct_slice, anatomy)
    corrected = any(warning.code == "window_corrected" for warning in ct_slice.warnings)
    broken = first_broken(measures, not ct_slice.calibrated, corrected)
    if broken:
        bound, says = broken
        raise NotChestCTError(
            f"This does not look like a whole axial chest-CT slice that can be judged: {says}. Accepted are axial "
            "slices that show both lungs whole, the back down, as DICOM or exported under a lung window "
            f"({DATASET} HU).",
            bound.code,
        )
    return measures


def check_facts(facts: SliceFacts) -> tuple[Reason, ...]:
    """Warnings from what a DICOM file says of a slice; raises `FileFactsError` where it rules a chest slice out."""
    reason = ruled_out(facts)
    if reason:
        raise FileFactsError(reason.message, reason.code)
    return file_cautions(facts)
