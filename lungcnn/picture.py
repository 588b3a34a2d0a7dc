"""What a picture must look like to be an axial chest-CT slice: measured on it, each measure with its bounds.

The bounds follow from how such slices are made (a body lying on a couch in air, cut across, with two lungs of low
density between muscle, fat and bone), and each leaves room beyond the extremes of the 903 development slices and of
LIDC-IDRI-0001.
"""

import base64
import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from lungcnn.anatomy import Anatomy
from lungcnn.errors import Reason
from lungcnn.loading import CTSlice

INF = math.inf
# HU above soft tissue, so that small letters with soft edges are seen, too.
WHITE = 180
# Mean of phantoms at all levels, the body's bounding box at 16 x 24 cells: the shape of a chest lying on its back.
_SUPINE_SHAPE = (16, 24)
_SUPINE = (
    "KSkpKSk8Z4umtdDi48+4qIliNCkpKSkpKSkpSpbB0de5nr3U1b2mw9PKv4g8KSkpKSp2w9bNqYltZXfHx4Npa32hy9S8XykpKXfI"
    "3sOXgX51b3a/voyJhodsgbndxGMpR8TXupJ/gHBphKvT0KOOf4h9aHyv174+idLMm4N/dW+DltbY2tKjh4OAam2CyNGCsd+5lH2B"
    "bHiPs9rJ0Nq3jIl4a2h9rt6vwuCwj32AbH2fxcefr9DAm4hzgnR8ot7Cwt6xkn+Cc32fq8C/wb2lkIRyg3+Ord3DseHAioCHdH58"
    "icnJ0siOe3VxhYCZyuKzjNnXjXd7e3FyY7rQ1s+NbnB7gYmk3tmNRMzdxIhwdWJfVsfz881jWW2FhJvO381EKWnI39WWdHBlg9Lx"
    "8dB/Ym95ndjeyWspKSpkutLZvJeE0Ovg4evMgJK41tG9ZiopKSkpP4i9ytfj3N/p6N3Z29bLvog+KSkpKSkpKSk2YYejtsHV0r6z"
    "n4NeMikpKSkp"
)


@dataclass(frozen=True)
class Measures:
    """What was measured on a slice; densities in HU, lengths and areas as shares.

    Attributes:
        body: the body's share of the picture. aspect: its width over its height.
        top, bottom, sides: the longest stretch of body along the upper, the lower and either side border.
        lung_border: the longest stretch of lung along a border.
        solidity: the body's area over that of its convex hull.
        opened: the largest region of lung's density that reaches a border of the picture, but no corner, over the body:
            lung that the border cuts through.
        lung, lung_darkest: median and tenth percentile of lung. lung_spread: quartile distance of lung.
            vessels: how far the brightest 3 % of lung lie above its median.
        lung_share: lung over body.
        tissue: median of the rest of the body. tissue_spread: its quartile distance. soft: share of it from -200 to
            150 HU. dense: share above 180 HU, bone and contrast medium. bone: the same where the window ends below.
            fat: share from -160 to -40 HU.
        outside: median around the body, -1000 where there is none.
        rind: share of the band around the body that is neither air nor solid: fat that was taken for air.
        detail: 95th percentile of the second difference in lung, on the crop: small where the picture is blurred.
        crop_pixels: the shorter side of the lung crop in pixels of the slice.
        supine: positive where couch and spine lie below, negative where they lie above.
        written: white islands in the lungs with the edges of lettering.
        line: the most white islands in the body that stand in one line and are of one height, as letters do.
        lettering: islands of lettering's size outside the body.
    """

    body: float
    aspect: float
    top: float
    bottom: float
    sides: float
    lung_border: float
    solidity: float
    opened: float
    lung: float
    lung_darkest: float
    lung_spread: float
    vessels: float
    lung_share: float
    tissue: float
    tissue_spread: float
    soft: float
    dense: float
    bone: float
    fat: float
    outside: float
    rind: float
    detail: float
    crop_pixels: float
    supine: float
    written: int
    line: int
    lettering: int


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
# These hold for pictures, whose air was found to be -1000 HU or read so; scanners pad DICOM images with other values.
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


def measure(ct_slice: CTSlice, anatomy: Anatomy) -> Measures:
    """Measure a slice on some 192 pixels a side; lettering on all of them, in pictures only."""
    step = max(1, round(max(ct_slice.hu.shape) / 192))
    hu, body, lungs = (
        np.ascontiguousarray(image[::step, ::step]) for image in (ct_slice.hu, anatomy.body, anatomy.lungs)
    )
    rows, columns = np.flatnonzero(body.any(axis=1)), np.flatnonzero(body.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    lung, tissue, outside = hu[lungs], hu[body & ~lungs], hu[~body]
    low, middle, high = _percentiles(lung, 25, 50, 75)
    darkest, brightest = _percentiles(lung, 10, 97)
    tissue_low, tissue_middle, tissue_high = _percentiles(tissue, 25, 50, 75)
    hull = _hull(body)
    smooth = cv2.blur(hu, (3, 3))
    written, line, lettering = (0, 0, 0) if ct_slice.calibrated else _lettering(ct_slice.hu, anatomy)
    air = float(np.median(outside)) if outside.size > 0.02 * hu.size else -1000.0
    return Measures(
        body=float(body.mean()),
        aspect=(right - left) / ((bottom - top) * ct_slice.aspect),
        top=float(body[0].mean()),
        bottom=float(body[-1].mean()),
        sides=float(max(body[:, 0].mean(), body[:, -1].mean())),
        lung_border=float(max(line.mean() for line in (lungs[0], lungs[-1], lungs[:, 0], lungs[:, -1]))),
        solidity=float(body.sum() / hull.sum()),
        opened=_opened(hu, smooth) / max(1, body.sum()),
        lung=middle,
        lung_darkest=darkest,
        lung_spread=high - low,
        vessels=brightest - middle,
        lung_share=lung.size / max(1, body.sum()),
        tissue=tissue_middle,
        tissue_spread=tissue_high - tissue_low,
        soft=_share(tissue, -200, 150),
        dense=_share(tissue, 180, INF),
        bone=_share(tissue, min(180, float(hu.max()) - 15), INF),
        fat=_share(tissue, -160, -40),
        outside=air,
        rind=_rind(smooth, body, air),
        detail=_detail(anatomy),
        crop_pixels=float(min(anatomy.box.width, anatomy.box.height)),
        supine=_supine(hu, body, (top, bottom, left, right)),
        written=written,
        line=line,
        lettering=lettering,
    )


def _percentiles(values: np.ndarray, *percents: float) -> list[float]:
    if not values.size:
        return [math.nan] * len(percents)
    places = [min(values.size - 1, round(percent / 100 * (values.size - 1))) for percent in percents]
    ordered = np.partition(values, sorted(set(places)))
    return [float(ordered[place]) for place in places]


def _share(values: np.ndarray, low: float, high: float) -> float:
    return float(((values > low) & (values < high)).mean()) if values.size else math.nan


def _hull(body: np.ndarray) -> np.ndarray:
    outlines, _ = cv2.findContours(body.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = np.zeros(body.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(np.concatenate(outlines)), 1)
    return hull.astype(bool)


def _opened(hu: np.ndarray, smooth: np.ndarray) -> int:
    """Pixels of the largest region of lung's density at a border; air around the body holds a corner or is darker."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((smooth < -400).astype(np.uint8), connectivity=4)
    borders = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    corners = labels[[0, 0, -1, -1], [0, -1, 0, -1]]
    sizes = [
        stats[label, cv2.CC_STAT_AREA]
        for label in np.setdiff1d(borders, [0, *corners])
        if -950 < np.median(hu[labels == label]) < -600
    ]
    return int(max(sizes, default=0))


def _rind(smooth: np.ndarray, body: np.ndarray, air: float) -> float:
    near, far = (cv2.dilate(body.astype(np.uint8), np.ones((side, side), np.uint8)) for side in (5, 11))
    band = smooth[(far > near)]
    return _share(band, max(air, -1000) + 80, -400) if band.size else 0.0


def _detail(anatomy: Anatomy) -> float:
    second = np.abs(cv2.Laplacian(anatomy.crop, cv2.CV_32F))[anatomy.crop_lungs]
    return _percentiles(second, 95)[0]


def _supine(hu: np.ndarray, body: np.ndarray, box: tuple[int, int, int, int]) -> float:
    """Evidence that the patient lies on the back, as the picture shows it: the couch's place and the body's shape."""
    top, bottom, left, right = box
    height, width = bottom - top, right - left
    solid = (hu > -500) & ~body
    above, below = solid[: top + height // 10].sum() / width, solid[bottom - height // 10 :].sum() / width
    unit = np.where(body, np.clip((hu + 1250) / 1500, 0, 1), 0.16)[top:bottom, left:right].astype(np.float32)
    shape = cv2.resize(unit, _SUPINE_SHAPE[::-1], interpolation=cv2.INTER_AREA)
    template = _normal(np.frombuffer(base64.b64decode(_SUPINE), np.uint8).reshape(_SUPINE_SHAPE))
    upright, turned = (float((_normal(view) * template).sum()) for view in (shape, shape[::-1]))
    # The weight and the bound were chosen so that no development slice comes near, and 98 % are found when turned.
    return 45 * (upright - turned) + math.log((below + 0.3) / (above + 0.3))


def _normal(picture: np.ndarray) -> np.ndarray:
    centred = picture.astype(np.float32) - picture.mean()
    return centred / max(float(np.linalg.norm(centred)), 1e-6)


def supine_template(pictures: Callable) -> str:
    """How `_SUPINE` was made: `pictures()` yields `(hu, body)` of phantoms at each level."""
    shapes = []
    for hu, body in pictures():
        rows, columns = np.flatnonzero(body.any(axis=1)), np.flatnonzero(body.any(axis=0))
        unit = np.where(body, np.clip((hu + 1250) / 1500, 0, 1), 0.16).astype(np.float32)
        box = unit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        shapes.append(cv2.resize(box, _SUPINE_SHAPE[::-1], interpolation=cv2.INTER_AREA))
    return base64.b64encode(np.round(255 * np.mean(shapes, axis=0)).astype(np.uint8).tobytes()).decode()


def _lettering(hu: np.ndarray, anatomy: Anatomy) -> tuple[int, int, int]:
    """White islands of lettering's size in the lungs, those in one line anywhere in the body, and those around it."""
    box = anatomy.box
    where = np.s_[max(0, box.top) : box.top + box.height, max(0, box.left) : box.left + box.width]
    inside = cv2.erode(anatomy.lungs[where].astype(np.uint8), np.ones((9, 9), np.uint8))
    # Beside the body half the resolution will do: it is only warned of.
    half = np.s_[::2, ::2]
    outside = 1 - cv2.dilate(anatomy.body[half].astype(np.uint8), np.ones((3, 3), np.uint8))
    return (
        len(_islands((hu[where] > 200) & inside.astype(bool), 1)),
        _in_line(_islands((hu > WHITE) & anatomy.body, 1)),
        len(_islands((hu[half] > 200) & outside.astype(bool), 2)),
    )


def _islands(white: np.ndarray, step: int) -> np.ndarray:
    """`[n, 5]`: left, top, width, height and area of each white island as large as a letter."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(white.astype(np.uint8), connectivity=8)
    width, height, area = (stats[1:, i] for i in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
    letters = (area >= 12 // step) & (height >= 4) & (height <= 48 // step) & (width <= 48 // step)
    return stats[1:][letters]


def _in_line(islands: np.ndarray) -> int:
    """The most islands that share a base line and a height and follow each other; five at most on chest slices."""
    # Noise has thousands of islands, of which a few hundred tell as much.
    left, top, width, height, area = islands[:512].T
    letters = (width <= 1.6 * height) & (area < 0.9 * width * height)
    left, base, height = left[letters], (top + height)[letters], height[letters]
    if not left.size:
        return 0
    near = np.abs(left[:, None] - left) < 12 * height[:, None]
    alike = (base[:, None] == base) & (height[:, None] == height)
    return int((near & alike).sum(axis=1).max())
