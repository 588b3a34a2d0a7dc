"""Hounsfield units (HU) to grey levels and back, and the named display windows.

A window (DICOM PS3.3 C.11.2.1.2, the linear form without its half-level offsets) maps
`centre - width / 2` to black and `centre + width / 2` to white.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lungcnn.errors import UsageError


@dataclass(frozen=True)
class Window:
    """A display window in HU, in words "centre -500, width 1500"; raises `UsageError` when `width` is not positive."""

    centre: float
    width: float

    def __post_init__(self):
        if not self.width > 0:
            raise UsageError(f"A window's width is a positive number of HU; received {self.width}.")

    def __str__(self) -> str:
        return f"centre {self.centre:g}, width {self.width:g}"

    @property
    def lower(self) -> float:
        """The HU shown black."""
        return self.centre - self.width / 2

    @property
    def upper(self) -> float:
        """The HU shown white."""
        return self.centre + self.width / 2


# Air by the definition of the Hounsfield unit, and about what fat and soft tissue (muscle, blood) measure.
AIR_HU, FAT_HU, SOFT_TISSUE_HU = -1000.0, -100.0, 50.0
# The lowest value that most scanners give: what lies outside their round field of view is stored as this or below.
LOWEST_HU = -1024.0
# The window the IQ-OTH/NCCD slices were exported with: air lies at grey 38-42, soft tissue near 219.
DATASET = Window(-500, 1500)
WINDOWS = {
    "lung": Window(-600, 1500),
    "dataset": DATASET,
    "mediastinum": Window(50, 350),
    "bone": Window(400, 1800),
}


def to_unit(hu: npt.ArrayLike, window: Window = DATASET) -> np.ndarray:
    """Map HU of any shape to float32 in [0, 1], clipped at the window's ends."""
    unit = np.asarray(hu, np.float32) - np.float32(window.lower)
    unit *= np.float32(1 / window.width)  # in place: pictures of a megabyte are slower to get than to compute
    return np.clip(unit, 0, 1, out=unit if unit.ndim else None)


def to_grey(hu: npt.ArrayLike, window: Window = DATASET) -> np.ndarray:
    """Map HU of any shape to uint8 grey levels 0-255, rounded to the nearest level."""
    unit = to_unit(hu, window)
    unit *= np.float32(255)
    unit += np.float32(0.5)
    return unit.astype(np.uint8)


def from_grey(grey: npt.ArrayLike, full_scale: float = 255, window: Window = DATASET) -> np.ndarray:
    """Map grey levels 0 to `full_scale` back to float32 HU: the inverse of `to_grey` up to rounding."""
    scale = np.float32(window.width / full_scale)
    return np.asarray(grey, np.float32) * scale + np.float32(window.lower)
