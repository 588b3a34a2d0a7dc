"""The levels of a picture's pages, upright, from OpenCV's decoders."""

import io

import numpy as np

from lungcnn.errors import UnsupportedFileError
from lungcnn.reading.picture_layout import Layout, damaged, undecodable, unsupported_compression, unsupported_levels

# Where the first pixel lies on the upright picture, by EXIF's number (CIPA DC-008 4.6.4): flipped, then turned.
_UPRIGHT = {
    1: lambda levels: levels,
    2: lambda levels: levels[:, ::-1],
    3: lambda levels: levels[::-1, ::-1],
    4: lambda levels: levels[::-1],
    5: lambda levels: levels.swapaxes(0, 1),
    6: lambda levels: np.rot90(levels, -1),
    7: lambda levels: levels[::-1, ::-1].swapaxes(0, 1),
    8: lambda levels: np.rot90(levels, 1),
}
_TIFF_COMPRESSIONS = {"raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "jpeg", "group3", "group4"}


def decode_picture(data: bytes, kind: str, layout: Layout, frame: int) -> np.ndarray:
    """Levels of a frame, uint8 or uint16 `[rows, columns]` or `[rows, columns, channels]` (BGR, BGRA), upright."""
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # our own errors speak
    if layout.planes > 1:
        plane = _plane(data, frame)
        return _positive(plane) if layout.negative else plane
    levels: np.ndarray | None
    raw = np.frombuffer(without_notes(data) if kind == "png" and layout.frames == 1 else data, np.uint8)
    try:
        if layout.frames == 1:
            levels = cv2.imdecode(raw, cv2.IMREAD_UNCHANGED)
        elif kind == "tiff":
            page = layout.pages[frame]
            levels = cv2.imdecodemulti(raw, cv2.IMREAD_UNCHANGED, range=(page, page + 1))[1][0]
        else:
            levels = _animation_frame(data, kind, frame)
    except (cv2.error, IndexError):
        levels = None
    if levels is None and kind == "tiff" and layout.compression not in _TIFF_COMPRESSIONS:
        raise unsupported_compression(layout.compression)
    if levels is None:
        raise undecodable(data, kind)
    if levels.dtype not in (np.uint8, np.uint16):
        raise unsupported_levels(str(levels.dtype))
    # OpenCV turns round pages of 8 bits alone.
    negative = layout.pages[frame] in layout.negative and levels.dtype == np.uint16 and levels.ndim == 2
    levels = _positive(levels) if negative else levels
    return np.ascontiguousarray(_UPRIGHT[layout.orientation](levels))


def _positive(levels: np.ndarray) -> np.ndarray:
    """Levels of which 0 was white."""
    return np.iinfo(levels.dtype).max - levels


def _plane(data: bytes, plane: int) -> np.ndarray:
    """A plane of an ImageJ stack: uncompressed, one after another from where the only page lies."""
    from PIL.TiffImagePlugin import TiffImageFile

    image = TiffImageFile(io.BytesIO(data))
    bits, offset = image.tag_v2[258], image.tag_v2[273][0]
    width, height = image.size
    order = ">" if data[:2] == b"MM" else "<"
    if bits not in ((8,), (16,)) or image.tag_v2.get(259, 1) != 1:
        raise UnsupportedFileError("The ImageJ stack is not of 8- or 16-bit grey levels. Send single slices.")
    dtype = np.dtype(f"{order}u{bits[0] // 8}")
    place = offset + plane * width * height * dtype.itemsize
    if place + width * height * dtype.itemsize > len(data):
        raise damaged("tiff")
    values = np.frombuffer(data, dtype, width * height, place).reshape(height, width)
    return values.astype(dtype.newbyteorder("="))


def _animation_frame(data: bytes, kind: str, frame: int) -> np.ndarray:
    """A frame of an animated picture, as it is shown."""
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=[kind.upper()]) as image:
        image.seek(frame)
        shown = image if image.mode in ("L", "I;16", "RGB", "RGBA") else image.convert("RGBA")
        levels = np.asarray(shown)
    return levels if levels.ndim == 2 else levels[..., [2, 1, 0, 3][: levels.shape[2]]]


def without_notes(png: bytes) -> bytes:
    """A PNG without its ancillary chunks (ISO/IEC 15948 5.4) but transparency: libpng's warnings repeat their text.

    Raises `UnreadableFileError` for a chunk that claims to go on beyond the file, for which OpenCV takes up to 4 GB.
    """
    kept, place = [png[:8]], 8
    while place + 12 <= len(png):
        length = int.from_bytes(png[place : place + 4])
        kind = png[place + 4 : place + 8]
        if place + 12 + length > len(png):
            raise damaged("png")
        if kind[:1].isupper() or kind == b"tRNS":
            kept.append(png[place : place + 12 + length])
        place += 12 + length
    return b"".join(kept)
