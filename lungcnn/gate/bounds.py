"""What a picture must look like to be an axial chest-CT slice: each measure with its bounds.

The bounds follow from how such slices are made (a body lying on a couch in air, cut across, with two lungs of low
density between muscle, fat and bone), and each leaves room beyond the extremes of the 903 development slices and of
LIDC-IDRI-0001.
"""

from dataclasses import dataclass

from lungcnn.errors import Reason
from lungcnn.gate.measures import INF, Measures


@dataclass(frozen=True)
class Bound:
    """Limits of one measure, the code for what lies outside, and how to say it (`{}` holds the value)."""

    measure: str
    low: float
    high: float
    code: str
    says: str


def _chest(measure: str, low: float, high: float, says: str) -> Bound:
    return Bound(measure, low, high, "not_chest_ct", says)


# In the order in which they are told: the first one broken gives the reason.
BOUNDS = (
    Bound("crop_pixels", 80, INF, "too_small", "the lungs are only {:.0f} pixels across"),
    Bound("lung_border", 0, 0.02, "clipped", "the border of the picture cuts through a lung"),
    Bound("opened", 0, 0.012, "clipped", "the border of the picture cuts through a lung"),
    Bound("top", 0, 0.3, "clipped", "the body reaches beyond the upper border over {:.0%} of its length"),
    Bound("bottom", 0, 0.66, "clipped", "the body reaches beyond the lower border over {:.0%} of its length"),
    Bound("sides", 0, 0.66, "clipped", "the body reaches beyond a side border over {:.0%} of its length"),
    Bound("aspect", 1.06, 2.8, "not_axial", "the body is {:.2f} times as wide as high, so not cut across or turned"),
    Bound("supine", -0.6, INF, "upside_down", "couch or spine lie above the chest, so it is upside down or prone"),
    Bound("body", 0.12, INF, "not_chest_ct", "the body fills only {:.0%} of the picture"),
    _chest("lung_share", 0.04, 0.6, "{:.0%} of the outline would be lung"),
    _chest("lung", -950, -550, "what would be lung measures {:.0f} HU"),
    _chest("lung_darkest", -1060, INF, "a tenth of what would be lung measures {:.0f} HU or less"),
    _chest("lung_spread", 25, 450, "what would be lung varies by {:.0f} HU"),
    _chest("vessels", 150, 1150, "no vessels are seen in what would be lung"),
    _chest("tissue", -150, 100, "what would be soft tissue measures {:.0f} HU"),
    _chest("tissue_spread", 25, 560, "what would be soft tissue varies by {:.0f} HU"),
    _chest("soft", 0.3, 1, "only {:.0%} of the tissue has the density of fat and muscle"),
    _chest("dense", 0, 0.42, "{:.0%} of the tissue is as dense as bone"),
    _chest("bone", 0.004, 1, "no bone is seen"),
    _chest("fat", 0.02, 0.8, "{:.0%} of the tissue has the density of fat"),
    _chest("solidity", 0.92, 1, "the outline is not that of a body in cross-section"),
    Bound("detail", 0.1, INF, "blurred", "the lungs show no fine detail"),
    Bound("written", 0, 10, "burned_in", "lettering or graphics lie over the lungs"),
    Bound("line", 0, 7, "burned_in", "lettering lies over the body"),
)
# These hold for pictures, whose air was found to be at -1000 HU or read so; scanners pad DICOM images otherwise.
PICTURE_BOUNDS = (_chest("outside", -1110, -780, "what surrounds the body measures {:.0f} HU, which is not air"),)
# Where the window was worked out: under a narrow one, fat looks like lung and abdomens like chests.
CORRECTED_BOUNDS = (_chest("rind", 0, 0.4, "what surrounds the body is not air but has the levels of fat"),)
WARNINGS = (
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


def first_broken(measures: Measures, picture: bool, corrected: bool) -> tuple[Bound, str] | None:
    """The first bound that a slice breaks, and how to say it; for a picture (not calibrated) and a corrected window."""
    for bound in (*BOUNDS, *(PICTURE_BOUNDS if picture else ()), *(CORRECTED_BOUNDS if corrected else ())):
        value = getattr(measures, bound.measure)
        if not bound.low <= value <= bound.high:  # a NaN breaks it too
            return bound, bound.says.format(value)
    return None


def cautions(measures: Measures) -> tuple[Reason, ...]:
    """Warnings of an admitted slice."""
    values = [(bound, getattr(measures, bound.measure)) for bound in WARNINGS]
    return tuple(Reason(b.code, b.says.format(value)) for b, value in values if not b.low <= value <= b.high)
