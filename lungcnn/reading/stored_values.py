"""Stored values of a CT image: where they lie in their bits, which are padding, and whether they are inverted."""

import cv2
import numpy as np

from lungcnn.errors import Reason
from lungcnn.masks import joined_to_border
from lungcnn.reading.dicom_values import finite_number
from lungcnn.windowing import AIR_HU

# Above lung's: a value that stands for more is met inside bodies.
DENSEST_PADDING_HU = -900.0
LOWEST_POSSIBLE_HU = -1500.0
# Metal on an extended scale.
HIGHEST_POSSIBLE_HU = 30_800.0
SIGN_READ = Reason(
    "sign_assumed", "The file calls its values unsigned, as which they stand for no density; they were read as signed."
)


def from_high_bits(pixels: np.ndarray, stored: int, high: int) -> np.ndarray:
    """Values of `stored` bits, of which the highest is bit `high` (PS3.5 8.1.1), from words of any integer type."""
    allocated = pixels.dtype.itemsize * 8
    return pixels << (allocated - 1 - high) >> (allocated - stored)


def as_signed(stored: np.ndarray, slope: float, intercept: float, notes: list[Reason]) -> np.ndarray:
    """16-bit values of a file that calls them unsigned, or doesn't say, but whose higher half stands for no HU."""
    highest = stored.max() if stored.dtype.kind == "u" else 0
    if highest <= 0x7FFF or 0x8000 * slope + intercept <= HIGHEST_POSSIBLE_HU:
        return stored
    if all(note.code != SIGN_READ.code for note in notes):
        notes.append(SIGN_READ)
    return stored.view(stored.dtype.str.replace("u", "i"))


def padding_mask(ds, stored: np.ndarray, slope: float, intercept: float, notes: list[Reason]) -> np.ndarray:
    """Pixels that the scanner padded: PixelPaddingValue up to PixelPaddingRangeLimit (PS3.3 C.7.5.1.1.2).

    Where the padding value stands for a density of tissue too, only what is joined to the image's border is padding.
    """
    values = [finite_number(ds.get(name)) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    bounds = [int(value) for value in values if value is not None]
    if not bounds:
        return np.zeros(stored.shape, bool)
    if stored.dtype.kind == "i":  # some writers store the value with the unsigned VR
        bits = int(ds.BitsAllocated)
        bounds = [value - (1 << bits) if value >= 1 << (bits - 1) else value for value in bounds]
    padding = (stored >= min(bounds)) & (stored <= max(bounds))
    in_hu = max(bound * slope + intercept for bound in bounds)
    if in_hu <= DENSEST_PADDING_HU or not padding.any():
        return padding
    notes.append(
        Reason(
            "padding_in_tissue",
            f"The file's padding value stands for {in_hu:.0f} HU, which tissue has too: only pixels of it that are "
            "joined to the border were taken as padding.",
        )
    )
    return joined_to_border(padding.astype(np.uint8)).astype(bool)


def upright_polarity(hu: np.ndarray, inverted: np.ndarray, padding: np.ndarray, notes: list[Reason]) -> np.ndarray:
    """HU of a MONOCHROME1 image: writers differ on whether the stored values themselves are inverted.

    Air surrounds a patient, so of the two readings the right one is that whose rim, padding left out, is nearer to air.
    """
    impossible = np.minimum(hu, inverted) < LOWEST_POSSIBLE_HU  # padding that isn't stated
    padding = padding | joined_to_border(impossible.astype(np.uint8)).astype(bool)
    rim = np.zeros(hu.shape, bool)
    rim[[0, -1]], rim[:, [0, -1]] = True, True
    rim = (rim | cv2.dilate(padding.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)) & ~padding
    if not rim.any() or _from_air(hu[rim]) <= _from_air(inverted[rim]):
        return hu
    notes.append(Reason("inverted_values", "The stored values are inverted (MONOCHROME1) and were turned round."))
    return inverted


def _from_air(hu: np.ndarray) -> float:
    return abs(float(np.median(hu)) - AIR_HU)
