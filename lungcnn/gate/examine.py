"""May the model judge this slice at all? What is refused gets no probability.

Asked in this order: what the file says (`reading.file_rules`), the window and polarity of a picture
(`reading.exported_window`), the anatomy and which way it lies (`upright`), what the picture measures (`measures` within
`bounds`), and how like a chest all that is (`likeness`). How familiar the network finds it comes after that
(`familiarity`). What is refused is what is no chest CT; how sick a chest is, or how noisy, is no reason.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np

from lungcnn.errors import LungCNNError, Reason, RefusalError
from lungcnn.gate.bounds import LEAST_AFTER_CHANGES, LEAST_LIKE_A_CHEST, UNLIKE, cautions, first_broken
from lungcnn.gate.likeness import Likeness, shipped_likeness
from lungcnn.gate.lookalikes import what_it_looks_like
from lungcnn.gate.measures import Measures, measure
from lungcnn.gate.upright import find_upright
from lungcnn.preprocessing.anatomy import Anatomy
from lungcnn.reading.acquisition import SliceFacts
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.damage import told_as_damage
from lungcnn.reading.exported_window import correct_levels
from lungcnn.reading.file_rules import file_cautions, ruled_out
from lungcnn.windowing import DATASET

LARGEST_COLOURED = 0.004
# Codes of refusals that pictures of something else get.
UNLIKE_A_CHEST = frozenset(
    {"no_body", "no_lungs", "not_chest_ct", "not_axial", "wrong_window", "several_pictures", "blurred"}
)
_ACCEPTED = (
    f"Accepted are axial CT slices of the chest, as DICOM or as pictures exported under a lung window ({DATASET} HU)."
)


class NotFiniteError(RefusalError):
    """The slice holds NaN or infinite values: a network would answer them with a plausible number."""

    code = "not_finite"


class NotChestCTError(RefusalError):
    """Something like a body and lungs was found, but it is no slice of a chest that can be judged; `code` tells why."""

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


def examine(ct_slice: CTSlice, likeness: Likeness | None = None) -> Examination:
    """Admit a slice, corrected where its levels were read wrongly, or refuse it.

    Args:
        likeness: the models that tell a chest and which way it lies; None for those that ship.

    Refusals are:
        FileFactsError: the file says localizer, secondary capture, projection, not axial, burned-in annotation.
        NotFiniteError: NaN or infinite pixels.
        ColourError: a picture in colour.
        WrongWindowError: a window that clips lung to black or soft tissue to white.
        NoBodyError, NoLungsError: as `find_anatomy`.
        NotChestCTError: not the measures of an axial slice of the chest.
        UnreadableFileError: whatever else is raised on the way.
    """
    shown = ct_slice
    try:
        with told_as_damage("The slice could not be judged: something in it was not expected. The others go on."):
            from_file = check_facts(ct_slice.facts) if ct_slice.facts else ()
            _check_values(ct_slice)
            shown = correct_levels(ct_slice)
            anatomy, measures, turned = _admitted(shown, likeness or shipped_likeness())
    except LungCNNError as refusal:
        return Examination(shown, _in_words(refusal, ct_slice), warnings=shown.warnings)
    warnings = (*shown.warnings, *from_file, *turned, *cautions(measures))
    return Examination(shown, anatomy=anatomy, measures=measures, warnings=warnings)


def _in_words(refusal: LungCNNError, ct_slice: CTSlice) -> LungCNNError:
    """The refusal of a picture that looks like something else says so, instead of what a CT slice would lack."""
    if ct_slice.kind == "dicom" or ct_slice.calibrated or refusal.code not in UNLIKE_A_CHEST:
        return refusal
    looks = what_it_looks_like(ct_slice.hu)
    return NotChestCTError(f"{looks}. {_ACCEPTED}", refusal.code) if looks else refusal


def _check_values(ct_slice: CTSlice) -> None:
    if not np.isfinite(ct_slice.hu).all():
        raise NotFiniteError("The slice holds values that are not finite numbers. Export it again.")
    if ct_slice.coloured > LARGEST_COLOURED:
        raise ColourError(
            "The picture is in colour, as photographs, screenshots and slices with graphics drawn over them are. "
            "Accepted are grey-scale chest-CT slices."
        )


def _admitted(ct_slice: CTSlice, likeness: Likeness) -> tuple[Anatomy, Measures, tuple[Reason, ...]]:
    """Anatomy and measures of a slice that is a chest's, and the warning that it was turned."""
    anatomy, views, turned = find_upright(ct_slice, likeness)
    measures = measure(ct_slice, anatomy, views)
    corrected = any(warning.code == "window_corrected" for warning in ct_slice.warnings)
    broken = first_broken(measures, not ct_slice.calibrated, corrected)
    if broken:
        raise NotChestCTError(f"{broken.says}. {_ACCEPTED}", broken.code)
    least = LEAST_AFTER_CHANGES if corrected and turned else LEAST_LIKE_A_CHEST
    if likeness.chest_score(views, measures) < least:
        raise NotChestCTError(f"{UNLIKE}. {_ACCEPTED}")
    return anatomy, measures, turned


def check_facts(facts: SliceFacts) -> tuple[Reason, ...]:
    """Warnings from what a DICOM file says of a slice; raises `FileFactsError` where it rules a chest slice out."""
    reason = ruled_out(facts)
    if reason:
        raise FileFactsError(reason.message, reason.code)
    return file_cautions(facts)
