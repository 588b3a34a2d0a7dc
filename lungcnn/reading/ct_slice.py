"""One slice as the rest of the library knows it: Hounsfield units, free of anything that identifies a patient."""

from dataclasses import dataclass

import numpy as np

from lungcnn.errors import Reason, UnsupportedFileError
from lungcnn.reading.acquisition import SliceFacts
from lungcnn.reading.dicom_values import finite_numbers
from lungcnn.windowing import Window

ACCEPTED = (
    "Accepted are CT slices as DICOM files, and PNG, JPEG, TIFF, BMP or WebP pictures exported with a lung window"
)
MIN_SIDE = 32


def _is_spacing(spacing) -> bool:
    values = finite_numbers(spacing)
    return len(values) == 2 and min(values) > 0


@dataclass(frozen=True, eq=False)
class CTSlice:
    """One axial CT slice, free of anything that identifies a patient.

    Attributes:
        hu: float32 `[rows, columns]`, read-only, Hounsfield units, pixels as stored in the file.
        spacing: `(row, column)` distance of pixel centres in mm, or None where the file has none.
        calibrated: True for rescaled DICOM; False where HU were estimated from grey levels.
        kind: "dicom" or the picture format ("png", "jpeg", ...).
        frame: index of this frame in its file, from 0.
        frames: number of frames in the file.
        window: the display window stored in the file, or None.
        coloured: share of a picture's pixels that are in colour.
        warnings: what had to be assumed, as codes and sentences.
        facts: what a DICOM file says of how the slice was made; None for pictures and arrays.
    """

    hu: np.ndarray
    spacing: tuple[float, float] | None = None
    calibrated: bool = False
    kind: str = "array"
    frame: int = 0
    frames: int = 1
    window: Window | None = None
    coloured: float = 0.0
    warnings: tuple[Reason, ...] = ()
    facts: SliceFacts | None = None

    def __post_init__(self):
        hu = np.array(self.hu, np.float32)
        if hu.ndim != 2 or min(hu.shape) < MIN_SIDE:
            shape = " x ".join(map(str, hu.shape))
            raise UnsupportedFileError(
                f"The image is {shape} pixels; accepted are slices of at least {MIN_SIDE} x {MIN_SIDE}."
            )
        if self.spacing is not None and not _is_spacing(self.spacing):
            raise UnsupportedFileError(
                "The spacing of a slice is two positive numbers, the distances of rows and of columns in mm, or None."
            )
        hu.setflags(write=False)
        object.__setattr__(self, "hu", hu)

    @property
    def aspect(self) -> float:
        """Height over width of one pixel: 1.0 where the spacing is unknown."""
        return self.spacing[0] / self.spacing[1] if self.spacing else 1.0
