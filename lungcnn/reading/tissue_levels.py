"""Which levels of a picture are air, lung and soft tissue, in whatever linear unit it is.

Around a body lies air, inside it lung, and its soft tissue (muscle and blood) makes a peak beside one of fat.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from lungcnn.masks import joined_to_border
from lungcnn.windowing import AIR_HU, FAT_HU, SOFT_TISSUE_HU

# Shares of the picture and of its range of levels. Padding of -2000 below air, and bone of 3000: a fifth of the range.
LEAST_PADDING, LEAST_STEP_TO_AIR = 0.02, 0.15


@dataclass(frozen=True)
class TissueLevels:
    """What the levels of a picture stand for, by their own units.

    Attributes:
        air, lung: level of the air around the body, and of the lungs (their median).
        tissues: levels that stand out in the rest of the body, the likeliest to be soft tissue first.
        black, white: share of the body at the darkest level, and of its tissue at the brightest.
        inverted: air is brighter than the body.
    """

    air: float
    lung: float
    tissues: tuple[float, ...]
    black: float
    white: float
    inverted: bool = False

    def to_hu(self, levels: npt.ArrayLike) -> np.ndarray:
        """Levels of any shape as float32 HU, by air and soft tissue."""
        scale = np.float32((SOFT_TISSUE_HU - AIR_HU) / (self.tissues[0] - self.air))
        return (np.asarray(levels, np.float32) - np.float32(self.air)) * scale + np.float32(AIR_HU)


def fill_padding(levels: np.ndarray) -> np.ndarray | None:
    """A picture `[rows, columns]` with what was padded around it filled with air's level; None without padding.

    Padding is flat, the darkest of all, joined to the border, and a good deal darker than the air beside it.
    """
    lowest, highest = float(levels.min()), float(levels.max())
    darkest = levels <= lowest + 0.002 * (highest - lowest)
    if darkest.mean() < LEAST_PADDING:
        return None
    padding = joined_to_border(darkest.astype(np.uint8))
    beside = cv2.dilate(padding, np.ones((5, 5), np.uint8)) > padding
    if padding.mean() < LEAST_PADDING or not beside.any():
        return None
    air = float(np.median(levels[beside]))
    if air - lowest < LEAST_STEP_TO_AIR * (highest - lowest):
        return None
    return np.where(padding > 0, np.float32(air), levels)


def find_tissue_levels(levels: np.ndarray) -> TissueLevels | None:
    """Air, lung and soft tissue of a picture `[rows, columns]` in any linear unit; None where no body is found."""
    step = max(1, round(max(levels.shape) / 256))
    exact = np.ascontiguousarray(levels[::step, ::step], np.float32)
    low, high = float(exact.min()), float(exact.max())
    if not high - low > 0:
        return None
    size = exact.shape[::-1]
    small = cv2.resize(levels, size, interpolation=cv2.INTER_AREA) if step > 1 else exact
    # Peaks are sought without the noise, clipping with it.
    exact, small = (_as_bytes(picture, low, high) for picture in (exact, small))
    small = cv2.medianBlur(small, 5)
    _, bright = cv2.threshold(small, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    border = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
    inverted = bool(border.mean() > 0.6)
    if inverted:
        exact, small, bright = 255 - exact, 255 - small, 1 - bright
    outside = joined_to_border(1 - bright)
    body = cv2.morphologyEx(1 - outside, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
    inside = cv2.erode(body, np.ones((5, 5), np.uint8))
    around, within, light = outside > 0, inside > 0, bright > 0
    dark, tissue = within & ~light, within & light
    if min(around.sum(), tissue.sum()) < 0.02 * small.size:
        return None
    air = _air_peak(exact[around])
    tissues = _peaks(small[tissue], air)
    if not tissues or tissues[-1] <= air:
        return None
    scale = (high - low) / 255

    def unit(level):
        return low + scale * (255 - level if inverted else level)

    return TissueLevels(
        air=unit(air),
        lung=unit(float(np.median(small[dark]))) if dark.any() else float("nan"),
        tissues=tuple(unit(level) for level in tissues),
        black=_enclosed_black(small, exact, within, dark),
        white=float((exact[tissue] >= exact.max()).mean()),
        inverted=inverted,
    )


def _enclosed_black(small, exact, inside, dark) -> float:
    """Share of the body that lies at the darkest level; 1 where nearly all that could be lung does."""
    black = (small <= small.min()).astype(np.uint8)
    around = joined_to_border(black)
    enclosed = (black & (1 - around)).sum() / max(1, (1 - around).sum())
    clipped = exact <= exact.min()
    if clipped.mean() < 0.15:  # nothing is clipped: noise leaves islands of the darkest level in the air
        enclosed = 0.0
    if dark.mean() > 0.01 and clipped[dark].mean() > 0.5:
        return 1.0
    return float(max(enclosed, clipped[inside].mean()))


def _as_bytes(picture, low: float, high: float) -> np.ndarray:
    return (
        ((picture - np.float32(low)) * np.float32(255 / (high - low)) + np.float32(0.5)).clip(0, 255).astype(np.uint8)
    )


def _air_peak(grey: np.ndarray) -> float:
    """The air around the body: the most frequent level, but not the padding below it that fills a round image."""
    counts = np.bincount(grey, minlength=256).astype(float)
    darkest = int(grey.min())
    if counts[darkest + 1 :].sum() > 0.3 * grey.size:
        counts[darkest] = 0
    top = int(np.argmax(np.convolve(counts, np.ones(3), "same")))
    near = np.arange(max(0, top - 2), min(256, top + 3))
    return float(np.average(near, weights=counts[near] + 1e-9))


def _peaks(grey: np.ndarray, air: float) -> list[float]:
    """Levels that stand out among the body's, the one that is soft tissue first.

    That is the upper one of the lowest pair that lies as fat and muscle do, else the highest peak.
    """
    counts = np.bincount(grey, minlength=256).astype(float)
    white = int(grey.max())
    if counts[white] < 0.5 * grey.size:  # bone and contrast medium, clipped
        counts[white] = 0
    smooth = cv2.GaussianBlur(counts[None], (0, 0), max(0.7, 0.012 * (np.median(grey) - air)))[0]
    peak = (np.diff(smooth, prepend=0) > 0) & (np.diff(smooth, append=0) <= 0) & (smooth > 0.1 * smooth.max())
    peaks = sorted(np.flatnonzero(peak).tolist(), key=lambda p: -smooth[p])
    if not peaks:
        return []
    ratio = (FAT_HU - AIR_HU) / (SOFT_TISSUE_HU - AIR_HU)
    pairs = [(p, q) for p in peaks for q in peaks if air < p < q and abs((p - air) / (q - air) - ratio) < 0.04]
    # Muscle and contrast medium can look like such a pair too: the lowest it is.
    return [float(p) for p in dict.fromkeys([*(q for _, q in sorted(pairs)[:1]), *peaks])]
