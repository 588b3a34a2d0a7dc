"""What a DICOM file's own words rule out and warn of: each rule once, for a single slice and for those of a series.

A new rule is a function here and an entry of `RULES`; a new warning an entry of `_CAUTIONS`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lungcnn.errors import Reason
from lungcnn.reading.acquisition import SliceFacts

# Gantries tilt by up to 30 degrees.
MAX_TILT_DEGREES = 30.0
# The dataset was scanned with 1 mm; 5 mm is what routine chest CT goes up to.
THICKEST = 5.5
SHARP_KERNELS = ("BONE", "EDGE", "ULTRA")
SHARPEST_SIEMENS = 75
_CHEST = "CHEST THORAX LUNG LUNGS MEDIASTINUM HEART BREAST RIB STERNUM TSPINE SPINE TRUNK BODY WHOLEBODY"
CHEST_PARTS = frozenset(_CHEST.split(" ")) | {"CHESTABDOMEN", "CHESTABDPELVIS"}
# Reformats are not ruled out: many archives hold thin axial ones, and others are found by their orientation.
_PROJECTIONS = {"PROJECTION", "MAX_IP", "MIP", "MIN_IP", "MINIP", "CSA 3D"}


@dataclass(frozen=True)
class FileRule:
    """What keeps a file from being judged.

    Attributes:
        code: for machines.
        holds: what the file says that it holds, in words; None where the rule doesn't speak.
        in_series: how such frames are called when they are set aside from a series; "" for a rule that leaves them
            in it: they are slices of it, though none that is judged.
    """

    code: str
    holds: Callable[[SliceFacts], str | None]
    in_series: str = ""

    def reason(self, facts: SliceFacts) -> Reason | None:
        """Why the slice is ruled out, or None."""
        what = self.holds(facts)
        sentence = f"The DICOM file says that it holds {what}. Accepted are axial CT slices of the chest."
        return Reason(self.code, sentence) if what else None


def _of_type(kinds: set[str], what: str) -> Callable[[SliceFacts], str | None]:
    return lambda facts: what if kinds & set(facts.image_type) else None


def _secondary_capture(facts: SliceFacts) -> str | None:
    captured = "Secondary Capture" in facts.sop_class or "SCREEN SAVE" in facts.image_type
    return "a secondary capture (a picture of a screen), not the CT image" if captured else None


def _burned_in(facts: SliceFacts) -> str | None:
    return "a picture with annotation burned in" if facts.burned_in else None


def _not_axial(facts: SliceFacts) -> str | None:
    normal = facts.normal
    if normal is None or (tilt := _degrees(normal[2])) <= MAX_TILT_DEGREES:
        return None
    plane = ("sagittal", "coronal")[int(abs(normal[1]) > abs(normal[0]))]
    return f"a {plane} or oblique plane, tilted by {tilt:.0f} degrees from axial"


def _degrees(cosine: float) -> float:
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


# In the order in which they are told: the first one that speaks gives the reason.
RULES = (
    FileRule("secondary_capture", _secondary_capture, "secondary capture(s)"),
    FileRule(
        "localizer",
        _of_type({"LOCALIZER", "SCOUT"}, "a localizer, the overview picture that a scan is planned on"),
        "localizer(s)",
    ),
    FileRule("projection", _of_type(_PROJECTIONS, "a projection through many slices"), "projection(s)"),
    FileRule("burned_in", _burned_in),
    FileRule("not_axial", _not_axial, "image(s) in other than axial planes"),
)


def ruled_out(facts: SliceFacts) -> Reason | None:
    """Why a slice is not to be judged by what its file says, or None."""
    return next(filter(None, (rule.reason(facts) for rule in RULES)), None)


def no_slice_of_a_series(facts: SliceFacts) -> Reason | None:
    """Why a frame is none of the slices of its series, or None."""
    return next(filter(None, (rule.reason(facts) for rule in RULES if rule.in_series)), None)


def _thick(facts: SliceFacts) -> Reason | None:
    if not facts.thickness or facts.thickness <= THICKEST:
        return None
    return Reason(
        "thick_slice",
        f"The slice is {facts.thickness:g} mm thick; the model learnt from thin slices (1 mm), and small findings fade "
        "in thick ones.",
    )


def _sharp(facts: SliceFacts) -> Reason | None:
    kernel = facts.kernel or ""
    digits = "".join(letter for letter in kernel if letter.isdigit())
    siemens = kernel[:1] in set("BHIQ") and len(digits) == 2 and int(digits) >= SHARPEST_SIEMENS
    if not siemens and not any(name in kernel.upper() for name in SHARP_KERNELS):
        return None
    return Reason(
        "sharp_kernel",
        f"The slice was reconstructed with a sharp kernel ({kernel}), noisier than what the model learnt from.",
    )


def _other_body_part(facts: SliceFacts) -> Reason | None:
    """A hint, no more: lungs are met on slices of the abdomen, the pancreas, the breast."""
    if not facts.body_part or facts.body_part in CHEST_PARTS:
        return None
    return Reason(
        "body_part",
        f"The DICOM file calls this a slice of another part of the body ({facts.body_part}). Lungs are seen on it, so "
        "it was judged.",
    )


_CAUTIONS = (_thick, _sharp, _other_body_part)


def file_cautions(facts: SliceFacts) -> tuple[Reason, ...]:
    """Warnings from what the file says of a slice that is not ruled out."""
    return tuple(filter(None, (caution(facts) for caution in _CAUTIONS)))
