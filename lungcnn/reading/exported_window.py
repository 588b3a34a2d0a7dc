"""Which grey levels stand for which HU, where a file doesn't say: the window and polarity of an export.

Read from the picture itself: around a body lies air (-1000 HU), inside it lung, and its soft tissue makes a peak
(muscle and blood near 50 HU) beside one of fat (-100 HU). Two of these fix the linear window; where lung is clipped
to black or soft tissue to white, no window brings it back.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from lungcnn.errors import Reason, RefusalError
from lungcnn.masks import joined_to_border
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.windowing import DATASET, Window, from_grey

AIR, FAT, TISSUE = -1000.0, -100.0, 50.0
# The dataset's own window is left alone as long as air and soft tissue lie within these distances in HU: the 903
# development slices do, and the nearest common window (-600, 1500) moves both by 100.
SAME_AIR, SAME_TISSUE, SAME_PEAK, SAME_PAIR = 60.0, 85.0, 40.0, 25.0
# Where air lies at exactly the level that the scanners' lowest value has under the dataset's window, noise may move
# soft tissue further.
SCANNERS_LOWEST, SAME_BESIDE_LOWEST = -1026.0, 110.0
# Windows worth reading: air and soft tissue lie in them or close to their ends.
LOWER, UPPER = (-1700.0, -900.0), (-40.0, 3300.0)
LARGEST_BLACK, LARGEST_WHITE = 0.04, 0.7
# Bone and contrast medium alone: on the development slices up to 0.27.
LEAST_CLIPPED_TISSUE = 0.35
DENSEST_LUNG = -600.0


class WrongWindowError(RefusalError):
    """The picture was exported under a window that clips lung to black or soft tissue to white."""

    code = "wrong_window"


@dataclass(frozen=True)
class Levels:
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

    def to_hu(self, levels: np.ndarray) -> np.ndarray:
        """Levels of any shape as float32 HU, by air and soft tissue."""
        scale = np.float32((TISSUE - AIR) / (self.tissues[0] - self.air))
        return (np.asarray(levels, np.float32) - np.float32(self.air)) * scale + np.float32(AIR)


def correct_levels(ct_slice: CTSlice) -> CTSlice:
    """The slice with its levels read as what they show, and a warning where that differs from what was assumed.

    Calibrated slices, and pictures in which nothing like a body is found, come back as they are.

    Raises:
        WrongWindowError: lung is clipped to black or soft tissue to white.
    """
    done = {"inverted_levels", "window_corrected"}
    if ct_slice.calibrated or done & {warning.code for warning in ct_slice.warnings}:
        return ct_slice
    found = read_levels(ct_slice.hu)
    if found is None:
        return ct_slice
    hu, notes = ct_slice.hu, []
    if found.inverted:
        top = float(hu.max() + hu.min()) if ct_slice.kind == "dicom" else DATASET.lower + DATASET.upper
        hu, found = np.float32(top) - hu, _turned(found, top)
        notes.append(Reason("inverted_levels", "The grey levels were inverted (air white) and were turned round."))
    if found.black > LARGEST_BLACK:
        raise _wrong_window("the lungs are clipped to black")
    clipped = found.white > LEAST_CLIPPED_TISSUE
    if found.white > LARGEST_WHITE or (clipped and found.to_hu(found.lung) > DENSEST_LUNG):
        raise _wrong_window("the soft tissue is clipped to white")
    if clipped or not _as_assumed(found):
        if ct_slice.kind == "dicom":
            return _with_offset(ct_slice, hu, found, notes)
        window = _window_of(found)
        if not (LOWER[0] <= window.lower <= LOWER[1] and UPPER[0] <= window.upper <= UPPER[1]):
            return ct_slice
        hu = from_grey(to_unit_unclipped(hu), 1.0, window)
        notes.append(
            Reason(
                "window_corrected",
                "Judging by its air and soft tissue the picture was exported under a window of about centre "
                f"{window.centre:.0f}, width {window.width:.0f} HU, and was read so.",
            )
        )
    if not notes:
        return ct_slice
    # What was assumed at first no longer holds.
    kept = tuple(w for w in ct_slice.warnings if w.code != "assumed_window" or notes[-1].code != "window_corrected")
    return replace(ct_slice, hu=hu, warnings=(*kept, *notes))


def _with_offset(ct_slice: CTSlice, stored: np.ndarray, found: Levels, notes: list[Reason]) -> CTSlice:
    """Stored values of a file without rescale as HU: as far apart as HU, but counted from another zero."""
    if not 0.8 < (TISSUE - AIR) / (found.tissues[0] - found.air) < 1.25:
        return ct_slice
    shift = round(AIR - found.air)
    guessed = f"The file has no usable rescale; judging by the air around the body, {shift:+d} was added to its values."
    kept = tuple(warning for warning in ct_slice.warnings if warning.code != "no_rescale")
    warnings = (*kept, *notes, Reason("window_corrected", guessed))
    return replace(ct_slice, hu=stored + np.float32(shift), warnings=warnings)


def to_unit_unclipped(hu: np.ndarray) -> np.ndarray:
    """Where HU lie between black (0) and white (1) of the dataset's window, beyond its ends too."""
    return (np.asarray(hu, np.float32) - np.float32(DATASET.lower)) / np.float32(DATASET.width)


def read_levels(levels: np.ndarray) -> Levels | None:
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
    outside, inside, dark, bright = (m.astype(bool) for m in (outside, inside, inside & (1 - bright), inside & bright))
    if min(outside.sum(), bright.sum()) < 0.02 * small.size:
        return None
    air = _air_peak(exact[outside])
    tissues = _peaks(small[bright], air)
    if not tissues or tissues[-1] <= air:
        return None
    scale = (high - low) / 255

    def unit(level):
        return low + scale * (255 - level if inverted else level)

    return Levels(
        air=unit(air),
        lung=unit(float(np.median(small[dark]))) if dark.any() else float("nan"),
        tissues=tuple(unit(level) for level in tissues),
        black=_enclosed_black(small, exact, inside, dark),
        white=float((exact[bright] >= exact.max()).mean()),
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
    """Levels that stand out among the body's, the one that is soft tissue first: the upper one of the lowest pair that
    lies as fat and muscle do, else the highest peak."""
    counts = np.bincount(grey, minlength=256).astype(float)
    white = int(grey.max())
    if counts[white] < 0.5 * grey.size:  # bone and contrast medium, clipped
        counts[white] = 0
    smooth = cv2.GaussianBlur(counts[None], (0, 0), max(0.7, 0.012 * (np.median(grey) - air)))[0]
    peak = (np.diff(smooth, prepend=0) > 0) & (np.diff(smooth, append=0) <= 0) & (smooth > 0.1 * smooth.max())
    peaks = sorted(np.flatnonzero(peak).tolist(), key=lambda p: -smooth[p])
    if not peaks:
        return []
    ratio = (FAT - AIR) / (TISSUE - AIR)
    pairs = [(p, q) for p in peaks for q in peaks if air < p < q and abs((p - air) / (q - air) - ratio) < 0.04]
    # Muscle and contrast medium can look like such a pair too: the lowest it is.
    return [float(p) for p in dict.fromkeys([*(q for _, q in sorted(pairs)[:1]), *peaks])]


def _turned(found: Levels, total: float) -> Levels:
    tissues = tuple(total - level for level in found.tissues)
    return replace(found, air=total - found.air, lung=total - found.lung, tissues=tissues)


def _as_assumed(found: Levels) -> bool:
    """Whether the levels, read as HU under the dataset's window, are those of air and tissue."""

    def nearest(hu):
        return min(abs(level - hu) for level in found.tissues)

    if abs(found.air - SCANNERS_LOWEST) <= 5:
        return nearest(TISSUE) <= SAME_BESIDE_LOWEST
    if abs(found.air - AIR) <= SAME_AIR:
        only_fat = abs(found.tissues[0] - FAT) <= SAME_PAIR
        return only_fat or abs(found.tissues[0] - TISSUE) <= SAME_TISSUE or nearest(TISSUE) <= SAME_PEAK
    # Noise clipped at the scanner's lowest value lifts the air, but not fat and muscle.
    return nearest(FAT) <= SAME_PAIR and nearest(TISSUE) <= SAME_PAIR


def _window_of(found: Levels) -> Window:
    """The window, in steps of 10 HU, under which the levels (HU of the dataset's window) show air and tissue."""
    lower, upper = (round(float(found.to_hu(end)) / 10) * 10 for end in (DATASET.lower, DATASET.upper))
    return Window((lower + upper) / 2, upper - lower)


def _wrong_window(found: str) -> WrongWindowError:
    return WrongWindowError(
        f"The picture was exported under a window that loses what is to be judged: {found}. Export the slice under a "
        "lung window (centre -500, width 1500 HU) or send the DICOM file."
    )
