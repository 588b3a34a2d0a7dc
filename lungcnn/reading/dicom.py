"""A CT image object's frames as Hounsfield units."""

import io
from functools import partial

import numpy as np

from lungcnn.errors import Reason, UnreadableFileError, UnsupportedFileError
from lungcnn.reading.acquisition import read_facts
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.dicom_headers import check_ct, functional, parse_dicom
from lungcnn.reading.dicom_values import finite_number, finite_numbers, positive_int
from lungcnn.reading.limits import check_deflated, check_frame, check_items, codestream_size
from lungcnn.windowing import AIR_HU, LOWEST_HU, Window


class DicomFile:
    """A CT image object; frames are decoded one at a time."""

    def __init__(self, data: bytes):
        check_items(data)
        check_deflated(data)
        self._dataset = ds = parse_dicom(io.BytesIO(data))
        if "PixelData" not in ds:
            raise UnsupportedFileError("The DICOM object holds no image. Send a CT image object.")
        self.frames = check_ct(ds)
        self._check_length()

    def _check_length(self) -> None:
        """Uncompressed pixel data is as long as its header says, before memory is set aside for it."""
        ds = self._dataset
        claimed = self.frames * int(ds.Rows) * int(ds.Columns) * positive_int(ds, "BitsAllocated") // 8
        compressed = ds.file_meta.TransferSyntaxUID.is_transfer_syntax and ds.file_meta.TransferSyntaxUID.is_compressed
        if not compressed and len(ds.PixelData) < claimed:
            raise UnreadableFileError(
                f"The DICOM object claims {self.frames} frame(s) of {ds.Rows} x {ds.Columns} pixels, more than it "
                "holds: damaged, cut short. Export the slice again."
            )

    def _check_codestream(self, frame: int) -> None:
        """A compressed frame is as large as the header says: its own claim is what a decoder sets memory aside for."""
        from pydicom.encaps import get_frame

        ds = self._dataset
        syntax = ds.file_meta.TransferSyntaxUID
        if not syntax.is_compressed or syntax.is_deflated:
            return
        size = codestream_size(get_frame(ds.PixelData, frame, number_of_frames=self.frames))
        if size and tuple(size) != (int(ds.Rows), int(ds.Columns)):
            raise ValueError("the codestream's size is not the header's")

    def read(self, frame: int) -> CTSlice:
        check_frame(frame, self.frames)
        ds = self._dataset
        stored = self._decode(frame)
        notes: list[Reason] = []
        slope, intercept, calibrated = self._rescale(frame, notes)
        padding = _padding_mask(ds, stored)
        with np.errstate(over="ignore", invalid="ignore"):  # told below, by the check for finite values
            hu = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
        if str(ds.get("PhotometricInterpretation", "")).strip() == "MONOCHROME1":
            hu = _upright_polarity(ds, stored, hu, slope, intercept, notes)
        hu[padding] = LOWEST_HU
        if not np.isfinite(hu).all():
            raise UnreadableFileError("The rescaled pixel values are not finite: the file's rescale is damaged.")
        if self.frames > 1:
            notes.append(Reason("one_of_many_frames", f"Frame {frame + 1} of {self.frames}."))
        return CTSlice(
            hu=hu,
            spacing=self._spacing(frame, notes),
            calibrated=calibrated,
            kind="dicom",
            frame=frame,
            frames=self.frames,
            window=self._window(frame),
            warnings=tuple(notes),
            facts=read_facts(partial(functional, ds, frame)),
        )

    def _decode(self, frame: int) -> np.ndarray:
        from pydicom.pixels.utils import pixel_array

        syntax = self._dataset.file_meta.TransferSyntaxUID
        try:
            self._check_codestream(frame)
            # `raw` is left off: palette and YBR never pass the one-sample check above.
            pixels = pixel_array(self._dataset, index=frame)
        except Exception:  # noqa: BLE001 - decoders raise anything on damaged bytes
            name = syntax.name if syntax.is_transfer_syntax else "an unknown transfer syntax"
            raise UnreadableFileError(
                f"The DICOM pixel data ({name}) could not be decoded: damaged, cut short, or of an unusual "
                "encoding. Export the slice again, for instance uncompressed."
            ) from None
        if pixels.ndim != 2:
            raise UnsupportedFileError("The DICOM image is not a single grey-scale plane; send a CT image object.")
        return pixels

    def _rescale(self, frame: int, notes: list[Reason]) -> tuple[float, float, bool]:
        slope, intercept = (
            finite_number(functional(self._dataset, frame, keyword, "PixelValueTransformationSequence"))
            for keyword in ("RescaleSlope", "RescaleIntercept")
        )
        if slope is None or intercept is None or slope == 0:
            notes.append(Reason("no_rescale", "The file has no usable rescale; stored values were read as HU."))
            return 1.0, 0.0, False
        unit = str(self._dataset.get("RescaleType", "") or "HU").strip().upper()
        if unit != "HU":
            notes.append(Reason("not_hu", "The file's rescale type is not HU; the values may not be calibrated."))
        return slope, intercept, unit == "HU"

    def _spacing(self, frame: int, notes: list[Reason]) -> tuple[float, float] | None:
        values = finite_numbers(functional(self._dataset, frame, "PixelSpacing", "PixelMeasuresSequence"))
        if len(values) == 2 and all(0.01 <= value <= 20 for value in values):
            if not 0.1 <= values[0] / values[1] <= 10:
                notes.append(Reason("implausible_spacing", "The pixel spacing is implausible and was ignored."))
                return None
            return values[0], values[1]
        notes.append(Reason("no_spacing", "The file states no usable pixel spacing; sizes in mm are unknown."))
        return None

    def _window(self, frame: int) -> Window | None:
        centres, widths = (
            finite_numbers(functional(self._dataset, frame, keyword, "FrameVOILUTSequence"))
            for keyword in ("WindowCenter", "WindowWidth")
        )
        return Window(centres[0], widths[0]) if centres and widths and widths[0] > 0 else None


def _padding_mask(ds, stored: np.ndarray) -> np.ndarray:
    """Pixels that the scanner padded: PixelPaddingValue up to PixelPaddingRangeLimit (PS3.3 C.7.5.1.1.2)."""
    values = [finite_number(ds.get(name)) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    bounds = [int(value) for value in values if value is not None]
    if not bounds:
        return np.zeros(stored.shape, bool)
    if stored.dtype.kind == "i":  # some writers store the value with the unsigned VR
        bits = int(ds.BitsAllocated)
        bounds = [value - (1 << bits) if value >= 1 << (bits - 1) else value for value in bounds]
    return (stored >= min(bounds)) & (stored <= max(bounds))


def _upright_polarity(ds, stored, hu, slope, intercept, notes: list[Reason]) -> np.ndarray:
    """HU of a MONOCHROME1 image: writers differ on whether the stored values themselves are inverted.

    Air surrounds a patient, so the reading whose border lies nearer to air is the right one.
    """
    bits = int(ds.BitsStored)
    top = (1 << bits) - 1 if stored.dtype.kind == "u" else -1
    inverted = (top - stored.astype(np.int64)).astype(np.float32) * np.float32(slope) + np.float32(intercept)

    def distance_to_air(values):
        border = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
        return abs(float(np.median(border)) - AIR_HU)

    if distance_to_air(inverted) < distance_to_air(hu):
        notes.append(Reason("inverted_values", "The stored values are inverted (MONOCHROME1) and were turned round."))
        return inverted
    return hu
