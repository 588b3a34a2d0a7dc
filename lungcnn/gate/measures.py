"""What is measured on a picture, to tell whether it is an axial chest-CT slice."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from lungcnn.gate.lettering import count_letters
from lungcnn.gate.views import Views
from lungcnn.masks import at_the_border, filled, hull, pieces
from lungcnn.preprocessing.anatomy import TISSUE_HU, Anatomy
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.windowing import AIR_HU

INF = math.inf
# Below it lies air alone, noise smoothed; lung that emphysema has emptied lies above it but for bullae.
GAS_HU = -960.0


@dataclass(frozen=True)
class Measures:
    """What was measured on a slice; densities in HU, lengths and areas as shares.

    Attributes:
        body: the body's share of the picture. aspect: its width over its height, upright, in mm.
        cut: how long a stretch of the body's rim is lung, over the side of the lung crop: the field of view cuts it.
        opened: the largest region of lung's density between the body's parts that reaches a border of the picture, but
            no corner, over the body: lung that the border cuts off.
        solidity: the body's area over that of its convex hull.
        others: the largest piece of anything beside the body, its holes filled, over the body.
        lung, lung_darkest: median and tenth percentile of lung. lung_spread: quartile distance of lung.
            vessels: how far the brightest 3 % of lung lie above its median.
        gas: share of what would be lung that is as empty as air: stomach, bowel.
        lung_share: lung over body. least_side: lung left or right of the body's middle, whichever is less, over body.
        tissue: median of the rest of the body. tissue_spread: its quartile distance. soft: share of it from -200 to
            150 HU. dense: share above 180 HU, bone and contrast medium. bone: the same where the window ends below.
            fat: share from -160 to -40 HU.
        outside: median around the body, that of air where there is nothing around it.
        rind: share of the band around the body that is neither air nor solid: fat that was taken for air.
        detail: third quartile of the second difference at the edges of lung, on the crop: small where it is blurred.
        crop_pixels: the shorter side of the lung crop in pixels of the slice.
        written: white islands in the lungs with the edges of lettering.
        line: the most white islands in the body that stand in one line and are of one height, as letters do.
        lettering: islands of lettering's size outside the body.
    """

    body: float
    aspect: float
    cut: float
    opened: float
    solidity: float
    others: float
    lung: float
    lung_darkest: float
    lung_spread: float
    vessels: float
    gas: float
    lung_share: float
    least_side: float
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
    written: int
    line: int
    lettering: int


def measure(ct_slice: CTSlice, anatomy: Anatomy, views: Views) -> Measures:
    """Measure a slice on some 192 pixels a side, noise smoothed; lettering on all pixels, in pictures only."""
    step = max(1, round(max(ct_slice.hu.shape) / 192))
    body, lungs = (np.ascontiguousarray(mask[::step, ::step]) for mask in (anatomy.body, anatomy.lungs))
    # Densities are those of tissues, whatever the noise.
    hu = cv2.blur(cv2.resize(ct_slice.hu, body.shape[::-1], interpolation=cv2.INTER_AREA), (3, 3))
    lung, tissue, outside = hu[lungs], hu[body & ~lungs], hu[~body]
    darkest, low, middle, high, brightest = _percentiles(lung, 10, 25, 50, 75, 97)
    tissue_low, tissue_middle, tissue_high = _percentiles(tissue, 25, 50, 75)
    around = hull(body) > 0
    written, line, lettering = (0, 0, 0) if ct_slice.calibrated else count_letters(ct_slice.hu, anatomy)
    air = _median(outside) if outside.size > 0.02 * hu.size else AIR_HU
    crop_pixels = min(anatomy.box.width, anatomy.box.height)
    return Measures(
        body=float(body.mean()),
        aspect=math.exp(views.log_aspect),
        cut=float((hu[_rim(body)] < TISSUE_HU).sum() * step / crop_pixels),
        opened=_opened(hu, around, body) / max(1, body.sum()),
        solidity=float(body.sum() / around.sum()),
        others=_others(hu, body),
        lung=middle,
        lung_darkest=darkest,
        lung_spread=high - low,
        vessels=brightest - middle,
        gas=_share(lung, -INF, GAS_HU),
        lung_share=lung.size / max(1, body.sum()),
        least_side=min(anatomy.lung_sides()),
        tissue=tissue_middle,
        tissue_spread=tissue_high - tissue_low,
        soft=_share(tissue, -200, 150),
        dense=_share(tissue, 180, INF),
        bone=_share(tissue, min(180, float(hu.max()) - 15), INF),
        fat=_share(tissue, -160, -40),
        outside=air,
        rind=_rind(hu, body, air),
        detail=_detail(anatomy),
        crop_pixels=float(crop_pixels),
        written=written,
        line=line,
        lettering=lettering,
    )


def _percentiles(values: np.ndarray, *percents: float) -> list[float]:
    if not values.size:
        return [math.nan] * len(percents)
    ordered = np.sort(values)  # twice as fast as `np.partition` for several places
    return [float(ordered[round(percent / 100 * (values.size - 1))]) for percent in percents]


def _median(values: np.ndarray) -> float:
    ordered = np.sort(values)
    return float(ordered[(values.size - 1) // 2] + ordered[values.size // 2]) / 2


def _share(values: np.ndarray, low: float, high: float) -> float:
    return float(((values > low) & (values < high)).mean()) if values.size else math.nan


def _rim(body: np.ndarray) -> np.ndarray:
    """A line around the body, a little inside its skin; along the border of the picture where that cuts it."""
    outer, inner = (
        cv2.erode(body.astype(np.uint8), np.ones((side, side), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
        for side in (5, 7)
    )
    return outer > inner


def _opened(hu: np.ndarray, around: np.ndarray, body: np.ndarray) -> int:
    """Pixels of the largest region of lung's density at a border, between parts of the body but none of it."""
    labels, areas = pieces(((hu < -400) & ~body).view(np.uint8))
    at_border = at_the_border(labels, len(areas))
    at_border[labels[[0, 0, -1, -1], [0, -1, 0, -1]]] = False
    sizes = [
        areas[label]
        for label in np.flatnonzero(at_border)
        if -950 < np.median(hu[labels == label]) < -600 and around[labels == label].mean() > 0.9
    ]
    return int(max(sizes, default=0))


def _others(hu: np.ndarray, body: np.ndarray) -> float:
    beside = filled(((hu > TISSUE_HU) & ~body).view(np.uint8)) & ~body
    _, areas = pieces(beside)
    return float(areas.max() / max(1, body.sum()))


def _rind(hu: np.ndarray, body: np.ndarray, air: float) -> float:
    near, far = (cv2.dilate(body.astype(np.uint8), np.ones((side, side), np.uint8)) for side in (5, 11))
    band = hu[far > near]
    return _share(band, max(air, AIR_HU) + 80, -400) if band.size else 0.0


def _detail(anatomy: Anatomy) -> float:
    lungs = anatomy.crop_lungs.astype(np.uint8)
    edges = cv2.dilate(lungs, np.ones((5, 5), np.uint8)) > cv2.erode(lungs, np.ones((3, 3), np.uint8))
    return _percentiles(np.abs(cv2.Laplacian(anatomy.crop, cv2.CV_32F))[edges], 75)[0]
