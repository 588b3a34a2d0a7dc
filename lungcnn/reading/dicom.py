"""A CT image object's frames as Hounsfield units."""

from functools import partial
from typing import Any

import numpy as np

from lungcnn.errors import Reason, UnreadableFileError, UnsupportedFileError
from lungcnn.reading.acquisition import read_facts
from lungcnn.reading.codestreams import claims_ill
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.dicom_frames import decode_alone
from lungcnn.reading.dicom_headers import check_ct, functional
from lungcnn.reading.dicom_repairs import assume_missing, parse_image, use_own_offsets
from lungcnn.reading.dicom_values import finite_number, finite_numbers, positive_int
from lungcnn.reading.limits import MAX_HEADER, check_deflated, check_frame, check_items, count_items
from lungcnn.reading.plain_dicom import PlainDataset, read_plain, unpack
from lungcnn.reading.stored_values import as_signed, from_high_bits, padding_mask, upright_polarity
from lungcnn.windowing import LOWEST_HU, Window


class DicomFile:
    """A CT image object; frames are decoded one at a time."""

    def __init__(self, data: bytes):
        plain = read_plain(data)
        if plain is None:
            check_items(count_items(data[:MAX_HEADER]))
            check_deflated(data)
        self._dataset: Any = plain or parse_image(data)
        ds = self._dataset
        self.frames = check_ct(ds)
        self._bits = positive_int(ds, "BitsAllocated"), positive_int(ds, "BitsStored")
        self._notes = tuple(assume_missing(ds))
        syntax = None if plain else ds.file_meta.TransferSyntaxUID
        self._compressed = syntax is not None and syntax.is_transfer_syntax and syntax.is_encapsulated
        self._check_length()
        if self._compressed:
            use_own_offsets(ds, self.frames)

    def _check_length(self) -> None:
        """Pixel data is as long as its header says, before memory is set aside for it; compressed, not longer."""
        ds = self._dataset
        claimed = self.frames * int(ds.Rows) * int(ds.Columns) * self._bits[0] // 8
        if self._compressed and len(ds.PixelData) > 1.1 * claimed + self.frames * 2**16:
            raise UnreadableFileError(
                f"The DICOM object holds more pixel data than {self.frames} frame(s) of {ds.Rows} x {ds.Columns} "
                "pixels take: damaged. Export the slice again."
            )
        if not self._compressed and len(ds.PixelData) < claimed:
            raise UnreadableFileError(
                f"The DICOM object claims {self.frames} frame(s) of {ds.Rows} x {ds.Columns} pixels, more than it "
                "holds: damaged, cut short. Export the slice again."
            )

    def read(self, frame: int) -> CTSlice:
        check_frame(frame, self.frames)
        ds = self._dataset
        stored = self._decode(frame)
        notes = [*self._notes]
        slope, intercept, calibrated = self._rescale(frame, notes)
        if self._bits == (16, 16):
            stored = as_signed(stored, slope, intercept, notes)
        padding = padding_mask(ds, stored, slope, intercept, notes)
        hu = _rescaled(stored, slope, intercept)
        if str(ds.PhotometricInterpretation).strip() == "MONOCHROME1":
            top = (1 << self._bits[1]) - 1 if stored.dtype.kind == "u" else -1
            hu = upright_polarity(hu, _rescaled(top - stored.astype(np.int64), slope, intercept), padding, notes)
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
        ds = self._dataset
        try:
            pixels = self._decompress(frame) if self._compressed else self._unpack(frame)
        except Exception:  # noqa: BLE001 - decoders raise anything on damaged bytes
            syntax = ds.file_meta.TransferSyntaxUID
            name = syntax.name if syntax.is_transfer_syntax else "an unknown transfer syntax"
            instead = ", for instance uncompressed" if self._compressed else ""
            raise UnreadableFileError(
                f"The DICOM pixel data ({name}) could not be decoded: damaged, cut short, or of an unusual "
                f"encoding. Export the slice again{instead}."
            ) from None
        if pixels.ndim != 2:
            raise UnsupportedFileError("The DICOM image is not a single grey-scale plane; send a CT image object.")
        return pixels

    def _unpack(self, frame: int) -> np.ndarray:
        if isinstance(self._dataset, PlainDataset):
            pixels = unpack(self._dataset, frame)
        else:
            from pydicom.pixels.utils import pixel_array

            # `raw` is left off: palette and YBR never pass the check for grey levels.
            pixels = pixel_array(self._dataset, index=frame, correct_unused_bits=False)
        allocated, stored = self._bits
        return from_high_bits(pixels, stored, self._high_bit) if stored < allocated else pixels

    @property
    def _high_bit(self) -> int:
        allocated, stored = self._bits
        high = finite_number(self._dataset.get("HighBit"))
        return int(high) if high is not None and stored - 1 <= high < allocated else stored - 1

    def _decompress(self, frame: int) -> np.ndarray:
        from pydicom.encaps import get_frame
        from pydicom.uid import RLELossless

        ds = self._dataset
        codestream = get_frame(ds.PixelData, frame, number_of_frames=self.frames)
        rows, columns = int(ds.Rows), int(ds.Columns)
        if ds.file_meta.TransferSyntaxUID == RLELossless:
            # PackBits at its worst adds a byte to 128; a short code may stand for 64 times as much.
            if len(codestream) > rows * columns * self._bits[0] // 8 * 1.02 + 1024:
                raise ValueError("more than runs of such a size take")
            return self._unpack(frame)
        if claims_ill(codestream, rows, columns):
            raise ValueError("the codestream's size is not the header's")
        return decode_alone(ds, codestream)

    def _rescale(self, frame: int, notes: list[Reason]) -> tuple[float, float, bool]:
        stated = partial(functional, self._dataset, frame, sequence="PixelValueTransformationSequence")
        slope, intercept = (finite_number(stated(keyword)) for keyword in ("RescaleSlope", "RescaleIntercept"))
        if slope is None or intercept is None or slope == 0:
            notes.append(Reason("no_rescale", "The file has no usable rescale; stored values were read as HU."))
            return 1.0, 0.0, False
        unit = str(stated("RescaleType") or "HU").strip().upper()
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


def _rescaled(stored: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):  # told by the check for finite values
        return stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
