"""A file becomes a `CTSlice`: DICOM decoded to Hounsfield units, pictures mapped to HU.

The kind of a file is read from its bytes, never from its name. Of a DICOM file only the attributes
listed in `_TAGS` are parsed, so nothing that names a patient is ever held in memory as a value.
"""

import io
import logging
import os
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungcnn.bounds import MAX_FRAMES, MAX_PIXELS, ElementCounter, check_deflated, check_items, codestream_size
from lungcnn.errors import NotCTError, Reason, UnreadableFileError, UnsupportedFileError
from lungcnn.facts import SliceFacts, read_facts
from lungcnn.windowing import Window, from_grey

ACCEPTED = (
    "Accepted are CT slices as DICOM files, and PNG, JPEG, TIFF, BMP or WebP pictures exported with a lung window"
)
AIR_HU = -1024.0
MAX_BYTES = 512 * 2**20
MIN_SIDE = 32


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
        hu.setflags(write=False)
        object.__setattr__(self, "hu", hu)

    @property
    def aspect(self) -> float:
        """Height over width of one pixel: 1.0 where the spacing is unknown."""
        return self.spacing[0] / self.spacing[1] if self.spacing else 1.0


def load_slice(path_or_bytes, frame: int = 0) -> CTSlice:
    """Read one slice from a path, bytes, or a binary file object.

    Raises:
        UnreadableFileError: missing, empty or damaged file, or pixels that no decoder here can read.
        UnsupportedFileError: another kind of file, not CT, or a frame index out of range.
    """
    return open_source(path_or_bytes).read(frame)


def iter_slices(path_or_bytes) -> Iterator[CTSlice]:
    """Yield every frame of a file in order, decoding each when it is asked for. Raises as `load_slice`."""
    source = open_source(path_or_bytes)
    for frame in range(source.frames):
        yield source.read(frame)


def open_source(path_or_bytes):
    """A file opened once for all its frames: has `frames` and `read(frame)`. Raises as `load_slice`."""
    data = _read_bytes(path_or_bytes)
    kind = sniff(data)
    if kind is None:
        raise UnsupportedFileError(f"This file is {_describe(data)}. {ACCEPTED}.")
    return _DicomFile(data) if kind == "dicom" else _Picture(data, kind)


def _read_bytes(source) -> bytes:
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
    elif hasattr(source, "read"):
        data = source.read()
        if not isinstance(data, bytes):
            raise UnsupportedFileError("The file object gives text; open it in binary mode ('rb').")
    elif isinstance(source, (str, os.PathLike)):
        data = _read_path(Path(source))
    else:
        raise UnsupportedFileError(
            f"load_slice takes a path, bytes or a binary file; received {type(source).__name__}."
        )
    if not data:
        raise UnreadableFileError(f"The file is empty (0 bytes). {ACCEPTED}.")
    if len(data) > MAX_BYTES:
        raise UnsupportedFileError(
            f"The file holds {len(data) >> 20} MiB; accepted are files up to {MAX_BYTES >> 20} MiB."
        )
    return data


def _read_path(path: Path) -> bytes:
    # Errors name no path: the demo's uploads carry patients' names in theirs.
    try:
        if path.is_dir():
            raise UnsupportedFileError("This is a folder; name the files in it. " + ACCEPTED + ".")
        if path.stat().st_size > MAX_BYTES:
            raise UnsupportedFileError(
                f"The file holds {path.stat().st_size >> 20} MiB; accepted are files up to {MAX_BYTES >> 20} MiB."
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise UnreadableFileError("There is no such file. Check the path.") from None
    except OSError as error:
        raise UnreadableFileError(f"The file could not be opened: {error.strerror}.") from None
    except ValueError:
        raise UnreadableFileError("This is not a valid file name. Check the path.") from None


# ---------------------------------------------------------------- what kind of file is it


_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpeg",
    b"II*\x00": "tiff",
    b"MM\x00*": "tiff",
    b"BM": "bmp",
}
_FOREIGN = {
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a zip archive (or an Office document)",
    b"\x1f\x8b": "a gzip archive (NIfTI volumes are often packed so)",
    b"GIF8": "a GIF picture",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
}


def sniff(data: bytes) -> str | None:
    """Tell "dicom", "png", "jpeg", "tiff", "bmp" or "webp" from the first bytes; None for anything else."""
    if data[128:132] == b"DICM":
        return "dicom"
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return "dicom" if _starts_like_dicom(data) else None


def _starts_like_dicom(data: bytes) -> bool:
    """True for a data set without the 128-byte preamble: a first element of group 0002 or 0008 (PS3.10 7.1)."""
    if len(data) < 16:
        return False
    for order in "<>":
        group, element = struct.unpack_from(order + "HH", data)
        if group in (0x0002, 0x0008) and element <= 0x0100:
            explicit = data[4:6].isalpha() and data[4:6].isupper()
            implicit = struct.unpack_from(order + "I", data, 4)[0] <= 1024
            if explicit or implicit:
                return True
    return False


def _describe(data: bytes) -> str:
    for magic, name in _FOREIGN.items():
        if data.startswith(magic):
            return name
    head = data[:1024]
    printable = sum(byte in b"\t\r\n" or 32 <= byte < 127 for byte in head)
    if printable == len(head):
        return "a text file"
    return "of a kind not known here"


# ---------------------------------------------------------------- pictures


class _Picture:
    """A picture whose grey levels stand for HU under the dataset's window."""

    def __init__(self, data: bytes, kind: str):
        from PIL import Image

        self._data, self._kind = data, kind
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # our own limit below speaks instead of Pillow's
                with Image.open(io.BytesIO(data), formats=[kind.upper()]) as image:
                    self._width, self._height = image.size
                    self._mode = image.mode
                    self._several = _has_second_page(image)
        except Image.DecompressionBombError:
            raise _too_large() from None
        except Exception:  # noqa: BLE001 - Pillow's parsers raise anything on damaged bytes
            raise _damaged(kind) from None
        if self._width * self._height > MAX_PIXELS:
            raise _too_large()

    frames = 1

    def read(self, frame: int) -> CTSlice:
        _check_frame(frame, self.frames)
        levels = self._decode()
        notes = [
            Reason(
                "assumed_window", "Grey levels were read as HU under the window centre -500, width 1500, uncalibrated."
            )
        ]
        if self._several:
            notes.append(Reason("several_pages", "The file holds several pages; the first was read."))
        grey, coloured = _to_single_channel(levels)
        if coloured:
            notes.append(Reason("colour", "The picture is in colour; its brightness was used."))
        return CTSlice(
            hu=from_grey(grey, _full_scale(grey, levels.dtype, notes)),
            kind=self._kind,
            coloured=coloured,
            warnings=tuple(notes),
        )

    def _decode(self) -> np.ndarray:
        import cv2

        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # our own errors speak
        data = without_notes(self._data) if self._kind == "png" else self._data
        try:
            levels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:
            levels = None
        if levels is None:
            raise _damaged(self._kind)
        if levels.dtype not in (np.uint8, np.uint16):
            raise UnsupportedFileError(
                f"The picture holds {levels.dtype} values; accepted are 8- and 16-bit unsigned grey levels."
            )
        return levels


def without_notes(png: bytes) -> bytes:
    """A PNG without its ancillary chunks (ISO/IEC 15948 5.4) but transparency: libpng's warnings repeat their text.

    Raises `UnreadableFileError` for a chunk that claims to go on beyond the file, for which OpenCV takes up to 4 GB.
    """
    kept, place = [png[:8]], 8
    while place + 12 <= len(png):
        length = int.from_bytes(png[place : place + 4])
        kind = png[place + 4 : place + 8]
        if place + 12 + length > len(png):
            raise _damaged("png")
        if kind[:1].isupper() or kind == b"tRNS":
            kept.append(png[place : place + 12 + length])
        place += 12 + length
    return b"".join(kept)


def _has_second_page(image) -> bool:
    """Not `n_frames`, which walks through all the pages that a TIFF claims."""
    try:
        image.seek(1)
    except EOFError:
        return False
    return True


def _too_large() -> UnsupportedFileError:
    return UnsupportedFileError(
        f"The picture claims more than {MAX_PIXELS >> 20} megapixels; a CT slice has up to about 4. Send one slice."
    )


def _damaged(kind: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"The file begins like {kind.upper()} but is damaged or cut short. Export the slice again."
    )


def _to_single_channel(levels: np.ndarray) -> tuple[np.ndarray, float]:
    """Reduce decoded levels (grey, BGR or BGRA) to one channel, and the share of pixels in colour.

    Transparent pixels become black.
    """
    if levels.ndim == 2:
        return levels, 0.0
    white, channels = np.iinfo(levels.dtype).max, levels.shape[2]
    colours = [levels[..., i] for i in range(3 if channels >= 3 else 1)]
    uneven = np.maximum.reduce(colours) - np.minimum.reduce(colours) > 0.04 * white
    coloured = float(uneven.mean())
    if coloured:
        weights = (0.114, 0.587, 0.299)  # ITU-R BT.601, channels are BGR
        grey = sum(colour * np.float32(weight) for colour, weight in zip(colours, weights, strict=True))
    else:  # JPEG's chroma rounding makes grey pictures a level or two uneven: not colour
        grey = colours[min(1, len(colours) - 1)]
    if channels in (2, 4):
        grey = grey * (levels[..., -1] * np.float32(1 / white))
    return grey, coloured


def _full_scale(grey: np.ndarray, dtype: np.dtype, notes: list[Reason]) -> int:
    """White level of the picture: 12-bit data is often stored unscaled in 16-bit files."""
    if dtype == np.uint8:
        return 255
    if 255 < grey.max() <= 4095:
        notes.append(Reason("twelve_bits", "The 16-bit picture uses 12 bits; level 4095 was read as white."))
        return 4095
    return 65535


# ---------------------------------------------------------------- DICOM


_TAGS = [
    "SOPClassUID",
    "ImageType",
    "Modality",
    "BodyPartExamined",
    "BurnedInAnnotation",
    "ConvolutionKernel",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "SliceThickness",
    "PixelSpacing",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "WindowCenter",
    "WindowWidth",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "PixelData",
]


_PLACE_TAGS = ["SeriesInstanceUID", "SOPInstanceUID", "InstanceNumber", "AcquisitionNumber"]


@dataclass(frozen=True)
class Headers:
    """What places the frames of a DICOM file in a series.

    Attributes:
        series, instance: UIDs, to group files by and then to be forgotten: they lead to a patient.
        number: InstanceNumber, infinite where there is none. acquisition: AcquisitionNumber.
        facts: of each frame.
    """

    series: str
    instance: str
    number: float
    acquisition: str
    facts: tuple[SliceFacts, ...]

    @property
    def frames(self) -> int:
        """Number of frames in the file."""
        return len(self.facts)


def read_headers(path_or_bytes) -> Headers:
    """The headers of a DICOM file (a path or bytes), its pixels left unread. Raises as `load_slice`."""
    if isinstance(path_or_bytes, bytes):
        ds = _parse_dicom(io.BytesIO(path_or_bytes), _TAGS + _PLACE_TAGS, stop_before_pixels=True)
    else:
        try:
            with open(path_or_bytes, "rb") as stream:
                ds = _parse_dicom(stream, _TAGS + _PLACE_TAGS, stop_before_pixels=True)
        except OSError as error:
            raise UnreadableFileError(f"The file could not be opened: {error.strerror}.") from None
    frames = _check_ct(ds)
    facts = [
        read_facts(lambda keyword, sequence="", frame=frame: _functional(ds, frame, sequence, keyword))
        for frame in range(frames)
    ]
    number = _number(ds.get("InstanceNumber"))
    return Headers(
        series=str(ds.get("SeriesInstanceUID", "")),
        instance=str(ds.get("SOPInstanceUID", "")),
        number=float("inf") if number is None else number,
        acquisition=str(ds.get("AcquisitionNumber", "")),
        facts=tuple(facts),
    )


def parse_identity(path_or_bytes):
    """Every element of a DICOM file's header but private ones, patient and study included, as a pydicom Dataset.

    For results that must be filed under the patient they are of, and for nothing else. Raises as `load_slice`.
    """
    pydicom = _import_pydicom()
    stream = io.BytesIO(path_or_bytes) if isinstance(path_or_bytes, bytes) else path_or_bytes
    try:
        ds = pydicom.dcmread(stream, force=True, stop_before_pixels=True)
        ds.remove_private_tags()
        return ds
    except Exception:  # noqa: BLE001 - pydicom raises anything on damaged bytes
        raise UnreadableFileError("The DICOM header could not be read again; was the file moved?") from None


def _check_ct(ds) -> int:
    """The number of frames of an object that is a CT image; raises what `load_slice` does for any other."""
    modality = str(ds.get("Modality", "") or "").strip()
    if "Rows" not in ds and "NumberOfFrames" not in ds:
        raise UnsupportedFileError("The DICOM object holds no image. Send a CT image object.")
    if modality != "CT":
        # Two letters (PS3.3 C.7.3.1.1.1: MR, US, PT ...) name no person; anything longer may, in a wrong place.
        shown = modality if modality.isalpha() and len(modality) == 2 else "not stated"
        raise NotCTError(f"The DICOM object's modality is {shown}; accepted is CT.")
    rows, columns = (_positive_int(ds, name) for name in ("Rows", "Columns"))
    frames = _positive_int(ds, "NumberOfFrames", 1)
    if rows * columns > MAX_PIXELS or frames > MAX_FRAMES:
        raise UnsupportedFileError(
            f"The DICOM object claims {frames} frames of {rows} x {columns} pixels; "
            f"accepted are up to {MAX_PIXELS >> 20} megapixels a frame and {MAX_FRAMES} frames."
        )
    if _positive_int(ds, "SamplesPerPixel", 1) != 1:
        raise UnsupportedFileError("The DICOM image is in colour; accepted are CT images with one sample a pixel.")
    return frames


class _DicomFile:
    """A CT image object; frames are decoded one at a time."""

    def __init__(self, data: bytes):
        check_items(data)
        check_deflated(data)
        self._dataset = ds = _parse_dicom(io.BytesIO(data))
        if "PixelData" not in ds:
            raise UnsupportedFileError("The DICOM object holds no image. Send a CT image object.")
        self.frames = _check_ct(ds)
        self._check_length()

    def _check_length(self) -> None:
        """Uncompressed pixel data is as long as its header says, before memory is set aside for it."""
        ds = self._dataset
        claimed = self.frames * int(ds.Rows) * int(ds.Columns) * _positive_int(ds, "BitsAllocated") // 8
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
        _check_frame(frame, self.frames)
        ds = self._dataset
        stored = self._decode(frame)
        notes: list[Reason] = []
        slope, intercept, calibrated = self._rescale(frame, notes)
        padding = _padding_mask(ds, stored)
        with np.errstate(over="ignore", invalid="ignore"):  # told below, by the check for finite values
            hu = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
        if str(ds.get("PhotometricInterpretation", "")).strip() == "MONOCHROME1":
            hu = _upright_polarity(ds, stored, hu, slope, intercept, notes)
        hu[padding] = AIR_HU
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
            facts=read_facts(lambda keyword, sequence="": _functional(ds, frame, sequence, keyword)),
        )

    def _decode(self, frame: int) -> np.ndarray:
        from pydicom.pixels import pixel_array

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
        values = [
            _number(_functional(self._dataset, frame, "PixelValueTransformationSequence", keyword))
            for keyword in ("RescaleSlope", "RescaleIntercept")
        ]
        if None in values or values[0] == 0:
            notes.append(Reason("no_rescale", "The file has no usable rescale; stored values were read as HU."))
            return 1.0, 0.0, False
        unit = str(self._dataset.get("RescaleType", "") or "HU").strip().upper()
        if unit != "HU":
            notes.append(Reason("not_hu", "The file's rescale type is not HU; the values may not be calibrated."))
        return values[0], values[1], unit == "HU"

    def _spacing(self, frame: int, notes: list[Reason]) -> tuple[float, float] | None:
        raw = _functional(self._dataset, frame, "PixelMeasuresSequence", "PixelSpacing")
        values = [_number(value) for value in raw] if raw is not None and not isinstance(raw, str) else []
        if len(values) == 2 and all(value is not None and 0.01 <= value <= 20 for value in values):
            if not 0.1 <= values[0] / values[1] <= 10:
                notes.append(Reason("implausible_spacing", "The pixel spacing is implausible and was ignored."))
                return None
            return values[0], values[1]
        notes.append(Reason("no_spacing", "The file states no usable pixel spacing; sizes in mm are unknown."))
        return None

    def _window(self, frame: int) -> Window | None:
        centre, width = (
            _first_number(_functional(self._dataset, frame, "FrameVOILUTSequence", keyword))
            for keyword in ("WindowCenter", "WindowWidth")
        )
        return Window(centre, width) if centre is not None and width is not None and width > 0 else None


def _functional(ds, frame: int, sequence: str, keyword: str):
    """An attribute of the frame: own functional group, shared one, or the top level (PS3.3 C.7.6.16)."""
    per_frame, shared = ds.get("PerFrameFunctionalGroupsSequence"), ds.get("SharedFunctionalGroupsSequence")
    groups = []
    if per_frame and frame < len(per_frame):
        groups.append(per_frame[frame])
    if shared:
        groups.append(shared[0])
    for group in groups if sequence else ():
        macro = group.get(sequence)
        if macro and keyword in macro[0]:
            return macro[0].get(keyword)
    return ds.get(keyword)


def _import_pydicom():
    """pydicom, kept from repeating header values, which may name a patient, in warnings and logs."""
    import pydicom

    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module="pydicom")
    return pydicom


def _parse_dicom(stream, tags: list[str] = _TAGS, stop_before_pixels: bool = False):
    _import_pydicom()
    from pydicom.filereader import read_partial
    from pydicom.tag import Tag
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    try:
        counter = ElementCounter(stop_before_pixels)
        ds = read_partial(stream, counter, force=True, specific_tags=[Tag(tag) for tag in tags])
        if "TransferSyntaxUID" not in ds.file_meta:
            implicit, little = ds.original_encoding
            explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
            ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
        for element in ds:  # parse every value now: damage shows here, not halfway through a batch
            element.value  # noqa: B018
        return ds
    except UnsupportedFileError:
        raise
    except Exception:  # noqa: BLE001 - pydicom raises anything on damaged bytes
        raise UnreadableFileError(
            "The file begins like DICOM but is damaged or cut short. Export the slice again."
        ) from None


def _padding_mask(ds, stored: np.ndarray) -> np.ndarray:
    """Pixels that the scanner padded: PixelPaddingValue up to PixelPaddingRangeLimit (PS3.3 C.7.5.1.1.2)."""
    bounds = [_number(ds.get(name)) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    bounds = [int(value) for value in bounds if value is not None]
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
        return abs(float(np.median(border)) + 1000)

    if distance_to_air(inverted) < distance_to_air(hu):
        notes.append(Reason("inverted_values", "The stored values are inverted (MONOCHROME1) and were turned round."))
        return inverted
    return hu


def _check_frame(frame: int, frames: int) -> None:
    if not 0 <= frame < frames:
        raise UnsupportedFileError(f"The file holds {frames} frame(s), counted from 0; received frame {frame}.")


def _positive_int(ds, keyword: str, default: int | None = None) -> int:
    value = _number(ds.get(keyword, default))
    if value is None or value < 1 or value != int(value):
        raise UnreadableFileError(f"The DICOM attribute {keyword} is missing or not a positive number: damaged file.")
    return int(value)


def _number(value) -> float | None:
    """A finite float from a DICOM value, None for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _first_number(value) -> float | None:
    if value is None or isinstance(value, str):
        return _number(value)
    try:
        return _number(value[0])
    except (TypeError, IndexError):
        return _number(value)
