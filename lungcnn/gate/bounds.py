"""What a picture must look like to be an axial chest-CT slice: each measure with its bounds.

The bounds follow from how such slices are made (a body in air, cut across, with lung of low density between muscle,
fat and bone) and are wide: they rule out what is impossible. What is merely unlike a chest is told by `likeness`.
"""

from dataclasses import dataclass

from lungcnn.errors import Reason
from lungcnn.gate.measures import INF, Measures


@dataclass(frozen=True)
class Bound:
    """Limits of one measure, the code for what lies outside, and what to say of it."""

    measure: str
    low: float
    high: float
    code: str
    says: str


UNLIKE = "This does not look like a CT slice of the chest"
_LOST = "The picture does not show the densities of a CT slice under a lung window"
_CUT = "The border of the picture cuts through a lung: too much of it is missing to be judged"

# In the order in which they are told: the first one broken gives the reason.
BOUNDS = (
    Bound("crop_pixels", 64, INF, "too_small", "The picture is too coarse: the lungs are hardly larger than a stamp"),
    Bound("cut", 0, 0.6, "clipped", _CUT),
    Bound("opened", 0, 0.02, "clipped", _CUT),
    Bound("others", 0, 0.6, "several_pictures", "This looks like several pictures in one; send one slice at a time"),
    Bound("aspect", 0.8, 3.2, "not_axial", "This does not look like a slice cut across the body"),
    Bound("body", 0.03, INF, "not_chest_ct", UNLIKE),
    Bound("gas", 0, 0.6, "not_chest_ct", "This looks like air in the stomach or bowel, not like lung"),
    Bound("lung_share", 0.015, 0.7, "not_chest_ct", UNLIKE),
    Bound("lung", -985, -400, "not_chest_ct", UNLIKE),
    Bound("lung_spread", 15, 600, "not_chest_ct", UNLIKE),
    Bound("vessels", 100, 1300, "not_chest_ct", UNLIKE),
    Bound("tissue", -210, 230, "not_chest_ct", _LOST),
    Bound("tissue_spread", 0, 750, "not_chest_ct", _LOST),
    Bound("soft", 0.22, 1, "not_chest_ct", _LOST),
    Bound("dense", 0, 0.55, "not_chest_ct", _LOST),
    Bound("solidity", 0.75, 1, "not_chest_ct", UNLIKE),
    Bound("detail", 0.055, INF, "blurred", "The picture is blurred: the edges of the lungs are not sharp"),
    Bound("written", 0, 10, "burned_in", "Lettering or graphics lie over the lungs"),
    Bound("line", 0, 7, "burned_in", "Lettering lies over the body"),
)
# These hold for pictures, whose air was found to be at -1000 HU or read so; scanners pad DICOM images otherwise.
PICTURE_BOUNDS = (Bound("outside", -1130, -700, "not_chest_ct", _LOST),)
# Where the window was worked out: under a narrow one, fat looks like lung and abdomens like chests.
CORRECTED_BOUNDS = (Bound("rind", 0, 0.75, "not_chest_ct", _LOST),)
# Log-odds of a chest below which a slice is refused.
LEAST_LIKE_A_CHEST = 0.0
# What looks like a chest only after its levels were changed and it was turned has to do so plainly.
LEAST_AFTER_CHANGES = 2.0
# Share of the body's area that lung has on either side: less than this is one lung.
ONE_LUNG = 0.02
# Lung over body: a tenth of the training slices has less, on LIDC-0001 the lowest and highest 4 to 5 cm of lung.
LITTLE_LUNG = 0.17
WARNINGS = (
    Bound(
        "least_side",
        ONE_LUNG,
        INF,
        "one_lung",
        "Air-filled lung was found on one side of the body only, as with effusion, collapse, a large mass, after "
        "surgery or at the lungs' ends. What holds no air can't be judged.",
    ),
    Bound(
        "lung_share",
        LITTLE_LUNG,
        INF,
        "lung_ends",
        "There is little lung on this slice, as near the diaphragm and at the apices, where the model errs most.",
    ),
    Bound(
        "cut",
        0,
        0.05,
        "clipped",
        "The border of the picture cuts off part of a lung: what lies beyond it was not judged.",
    ),
    Bound(
        "crop_pixels",
        128,
        INF,
        "low_resolution",
        "The lungs are only {:.0f} pixels across, fewer than the network looks at: small findings are lost.",
    ),
    Bound(
        "lettering",
        0,
        30,
        "lettering",
        "There seems to be lettering beside the body: it was ignored. Check that it names no patient.",
    ),
)


def first_broken(measures: Measures, picture: bool, corrected: bool) -> Bound | None:
    """The first bound that a slice breaks; for a picture (not calibrated) and a corrected window."""
    for bound in (*BOUNDS, *(PICTURE_BOUNDS if picture else ()), *(CORRECTED_BOUNDS if corrected else ())):
        if not bound.low <= getattr(measures, bound.measure) <= bound.high:  # a NaN breaks it too
            return bound
    return None


def cautions(measures: Measures) -> tuple[Reason, ...]:
    """Warnings of an admitted slice."""
    values = [(bound, getattr(measures, bound.measure)) for bound in WARNINGS]
    return tuple(Reason(b.code, b.says.format(value)) for b, value in values if not b.low <= value <= b.high)
