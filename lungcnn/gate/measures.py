"""What is measured on a picture, to tell whether it is an axial chest-CT slice."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from lungcnn.gate.lettering import count_letters
from lungcnn.gate.supine import supine_evidence
from lungcnn.preprocessing.anatomy import Anatomy
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.windowing import AIR_HU

INF = math.inf


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
        outside: median around the body, that of air where there is nothing around it.
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
    written, line, lettering = (0, 0, 0) if ct_slice.calibrated else count_letters(ct_slice.hu, anatomy)
    air = float(np.median(outside)) if outside.size > 0.02 * hu.size else AIR_HU
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
        supine=supine_evidence(hu, body, (top, bottom, left, right)),
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
    return _share(band, max(air, AIR_HU) + 80, -400) if band.size else 0.0


def _detail(anatomy: Anatomy) -> float:
    second = np.abs(cv2.Laplacian(anatomy.crop, cv2.CV_32F))[anatomy.crop_lungs]
    return _percentiles(second, 95)[0]
