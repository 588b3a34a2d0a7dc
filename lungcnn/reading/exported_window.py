"""Which grey levels stand for which HU, where a file doesn't say: the window and polarity of an export.

Two levels that are known, air and soft tissue, fix the linear window; where lung is clipped to black or soft tissue to
white, no window brings it back.
"""

from dataclasses import replace

import numpy as np

from lungcnn.errors import Reason, RefusalError
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.tissue_levels import TissueLevels, fill_padding, find_tissue_levels
from lungcnn.windowing import AIR_HU, DATASET, FAT_HU, LOWEST_HU, SOFT_TISSUE_HU, Window, from_grey, to_grey

# The dataset's own window is left alone as long as air and soft tissue lie within these distances in HU: the 903
# development slices do, and the nearest common window (-600, 1500) moves both by 100.
SAME_AIR, SAME_TISSUE, SAME_PEAK, SAME_PAIR = 60.0, 85.0, 40.0, 25.0
# Where air lies at exactly the level that the scanners' lowest value has under the dataset's window, noise may move
# soft tissue further.
SCANNERS_LOWEST, SAME_BESIDE_LOWEST = float(from_grey(to_grey(LOWEST_HU))), 110.0
# Windows worth reading: air and soft tissue lie in them or close to their ends.
LOWER, UPPER = (-1700.0, -900.0), (-40.0, 3300.0)
# From the padding's value to the brightest: scanners pad with -2000 to -3024.
LOWEST_OF_PADDED = -3200.0
LARGEST_BLACK, LARGEST_WHITE = 0.04, 0.7
# Bone and contrast medium alone: on the development slices up to 0.27.
LEAST_CLIPPED_TISSUE = 0.35
DENSEST_LUNG = -600.0
# Lung windows in use under which soft tissue is white; and how well air and lung must fit one of them, HU.
NARROW = (Window(-700, 1000), Window(-600, 1200), Window(-600, 1000), Window(-650, 1300), Window(-500, 1000))
FARTHEST_AIR, DENSEST_BESIDE_WHITE = 35.0, -720.0


class WrongWindowError(RefusalError):
    """The picture was exported under a window that clips lung to black or soft tissue to white."""

    code = "wrong_window"


def correct_levels(ct_slice: CTSlice) -> CTSlice:
    """The slice with its levels read as what they show, and a warning where that differs from what was assumed.

    Calibrated slices, and pictures in which nothing like a body is found, come back as they are.

    Raises:
        WrongWindowError: lung is clipped to black or soft tissue to white.
    """
    done = {"inverted_levels", "window_corrected"}
    if ct_slice.calibrated or done & {warning.code for warning in ct_slice.warnings}:
        return ct_slice
    hu, notes, least = ct_slice.hu, [], LOWER[0]
    filled = fill_padding(hu)
    found = None if filled is None else find_tissue_levels(filled)
    if filled is not None and found is not None and not _as_assumed(found):
        hu, least = filled, LOWEST_OF_PADDED
    else:
        found = find_tissue_levels(hu)
    if found is None:
        return ct_slice
    if found.inverted:
        top = float(hu.max() + hu.min()) if ct_slice.kind == "dicom" else DATASET.lower + DATASET.upper
        hu, found = np.float32(top) - hu, _turned(found, top)
        notes.append(Reason("inverted_levels", "The grey levels were inverted (air white) and were turned round."))
    if found.black > LARGEST_BLACK:
        raise _wrong_window("the lungs are clipped to black")
    clipped = found.white > LEAST_CLIPPED_TISSUE
    if found.white > LARGEST_WHITE or (clipped and found.to_hu(found.lung) > DENSEST_LUNG):
        return _under_a_narrow_window(ct_slice, hu, found, notes)
    if clipped or not _as_assumed(found):
        if ct_slice.kind == "dicom":
            return _with_offset(ct_slice, hu, found, notes)
        lower, upper = _ends_of(found)
        if not (least <= lower <= LOWER[1] and UPPER[0] <= upper <= UPPER[1]):
            return ct_slice
        window = Window((lower + upper) / 2, upper - lower)
        hu = from_grey(to_unit_unclipped(hu), 1.0, window)
        notes.append(
            Reason(
                "window_corrected",
                "Judging by its air and soft tissue the picture was exported under a window of about "
                f"{window} HU, and was read so.",
            )
        )
    if not notes:
        return ct_slice
    # What was assumed at first no longer holds.
    kept = tuple(w for w in ct_slice.warnings if w.code != "assumed_window" or notes[-1].code != "window_corrected")
    return replace(ct_slice, hu=hu, warnings=(*kept, *notes))


def _under_a_narrow_window(ct_slice: CTSlice, hu: np.ndarray, found: TissueLevels, notes: list[Reason]) -> CTSlice:
    """A picture on which soft tissue is white, under the one of the lung windows in use that fits air and lung.

    Raises `WrongWindowError` where none does: then lung is clipped too.
    """
    if ct_slice.kind != "dicom":
        air, lung = to_unit_unclipped(np.array([found.air, found.lung])).tolist()
        window = min(NARROW, key=lambda one: abs(one.lower + air * one.width - AIR_HU))
        off, lung = abs(window.lower + air * window.width - AIR_HU), window.lower + lung * window.width
        if off <= FARTHEST_AIR and lung <= DENSEST_BESIDE_WHITE:
            unit = to_unit_unclipped(hu)
            read = np.where(unit >= 1, np.float32(SOFT_TISSUE_HU), from_grey(unit, 1.0, window))
            told = Reason(
                "window_corrected",
                "Judging by its air and lung the picture was exported under a window of about "
                f"{window} HU, and was read so. Soft tissue is white under it: densities in and beside it are lost.",
            )
            kept = tuple(warning for warning in ct_slice.warnings if warning.code != "assumed_window")
            return replace(ct_slice, hu=read, warnings=(*kept, *notes, told))
    raise _wrong_window("the soft tissue is clipped to white")


def _with_offset(ct_slice: CTSlice, stored: np.ndarray, found: TissueLevels, notes: list[Reason]) -> CTSlice:
    """Stored values of a file without rescale as HU: as far apart as HU, but counted from another zero."""
    if not 0.8 < (SOFT_TISSUE_HU - AIR_HU) / (found.tissues[0] - found.air) < 1.25:
        return ct_slice
    shift = round(AIR_HU - found.air)
    guessed = f"The file has no usable rescale; judging by the air around the body, {shift:+d} was added to its values."
    kept = tuple(warning for warning in ct_slice.warnings if warning.code != "no_rescale")
    warnings = (*kept, *notes, Reason("window_corrected", guessed))
    return replace(ct_slice, hu=stored + np.float32(shift), warnings=warnings)


def to_unit_unclipped(hu: np.ndarray) -> np.ndarray:
    """Where HU lie between black (0) and white (1) of the dataset's window, beyond its ends too."""
    return (np.asarray(hu, np.float32) - np.float32(DATASET.lower)) / np.float32(DATASET.width)


def _turned(found: TissueLevels, total: float) -> TissueLevels:
    tissues = tuple(total - level for level in found.tissues)
    return replace(found, air=total - found.air, lung=total - found.lung, tissues=tissues)


def _as_assumed(found: TissueLevels) -> bool:
    """Whether the levels, read as HU under the dataset's window, are those of air and tissue."""

    def nearest(hu):
        return min(abs(level - hu) for level in found.tissues)

    if abs(found.air - SCANNERS_LOWEST) <= 5:
        return nearest(SOFT_TISSUE_HU) <= SAME_BESIDE_LOWEST
    if abs(found.air - AIR_HU) <= SAME_AIR:
        only_fat = abs(found.tissues[0] - FAT_HU) <= SAME_PAIR
        return only_fat or abs(found.tissues[0] - SOFT_TISSUE_HU) <= SAME_TISSUE or nearest(SOFT_TISSUE_HU) <= SAME_PEAK
    # Noise clipped at the scanner's lowest value lifts the air, but not fat and muscle.
    return found.air < DENSEST_LUNG and nearest(FAT_HU) <= SAME_PAIR and nearest(SOFT_TISSUE_HU) <= SAME_PAIR


def _ends_of(found: TissueLevels) -> tuple[int, int]:
    """Of the window, in steps of 10 HU, under which the levels (HU of the dataset's window) show air and tissue.

    The first is the higher one where what was taken for tissue is darker than the air.
    """
    lower, upper = (round(float(found.to_hu(end)) / 10) * 10 for end in (DATASET.lower, DATASET.upper))
    return lower, upper


def _wrong_window(found: str) -> WrongWindowError:
    return WrongWindowError(
        f"The picture was exported under a window that loses what is to be judged: {found}. Export the slice under a "
        f"lung window ({DATASET} HU) or send the DICOM file."
    )
