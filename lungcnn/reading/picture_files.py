"""Picture files: pages and orientation from their headers, levels from OpenCV's decoders."""

import io
import re
import warnings
from dataclasses import dataclass

import numpy as np

from lungcnn.errors import UnreadableFileError, UnsupportedFileError
from lungcnn.reading.limits import MAX_PIXELS

MAX_PAGES = 2000
_EXIF_ORIENTATION = 0x0112
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


@dataclass(frozen=True)
class Layout:
    """What a picture file's header says of its pages.

    Attributes:
        pages: their places in the file, thumbnails left out.
        planes: how many planes lie one after another behind a single page, as ImageJ writes large stacks; else 1.
        orientation: EXIF's number for how the picture is to be turned, 1 for not at all.
        compression: of a TIFF, by Pillow's name; "" for others.
    """

    pages: tuple[int, ...] = (0,)
    planes: int = 1
    orientation: int = 1
    compression: str = ""

    @property
    def frames(self) -> int:
        """Number of pages or planes."""
        return len(self.pages) * self.planes


def read_layout(data: bytes, kind: str) -> Layout:
    """Raises `UnreadableFileError` for a damaged header, `UnsupportedFileError` for one that claims too much."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # our own limit speaks instead of Pillow's
            with Image.open(io.BytesIO(data), formats=[kind.upper()]) as image:
                _check_size(image)
                if kind == "tiff":
                    return _tiff_layout(image)
                frames = int(getattr(image, "n_frames", 1)) if kind in ("png", "webp") else 1
                if frames > MAX_PAGES:
                    raise _too_many_pages()
                return Layout(tuple(range(frames)), orientation=_orientation(image, data, kind))
    except UnsupportedFileError:
        raise
    except Image.DecompressionBombError:
        raise _too_large() from None
    except Exception as error:  # noqa: BLE001 - Pillow's parsers raise anything on damaged bytes
        if kind == "tiff" and isinstance(error, KeyError):
            raise _not_decoded(kind, Layout(compression="unknown")) from None
        raise _damaged(kind) from None


def _tiff_layout(image) -> Layout:
    """Not by `n_frames`, which walks through all the pages that a TIFF claims. OpenCV turns TIFF itself."""
    described = str(image.tag_v2.get(270, ""))
    compression = str(image.info.get("compression", ""))
    pages, page = [], 0
    while True:
        if page == 0 or not image.tag_v2.get(254, 0) & 1:  # NewSubfileType: a smaller copy of another page
            pages.append(page)
            _check_size(image)
        page += 1
        if page > MAX_PAGES:
            raise _too_many_pages()
        try:
            image.seek(page)
        except EOFError:
            break
    claimed = re.search(r"^images=(\d{1,9})\s*$", described, re.MULTILINE)
    planes = int(claimed[1]) if described.startswith("ImageJ=") and claimed and len(pages) == 1 else 1
    if planes > MAX_PAGES:
        raise _too_many_pages()
    return Layout(tuple(pages), max(1, planes), compression=compression)


def _orientation(image, data: bytes, kind: str) -> int:
    if kind == "png" and b"eXIf" not in data and b"Raw profile type" not in data:
        return 1  # Pillow would decode the picture to look for it
    found = image.getexif().get(_EXIF_ORIENTATION, 1)
    return found if found in _UPRIGHT else 1


def decode_picture(data: bytes, kind: str, layout: Layout, frame: int) -> np.ndarray:
    """Levels of a frame, uint8 or uint16 `[rows, columns]` or `[rows, columns, channels]` (BGR, BGRA), upright."""
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # our own errors speak
    if layout.planes > 1:
        return _plane(data, frame)
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
    if levels is None:
        raise _not_decoded(kind, layout)
    if levels.dtype not in (np.uint8, np.uint16):
        raise UnsupportedFileError(
            f"The picture holds {levels.dtype} values; accepted are 8- and 16-bit unsigned grey levels."
        )
    return np.ascontiguousarray(_UPRIGHT[layout.orientation](levels))


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
        raise _damaged("tiff")
    values = np.frombuffer(data, dtype, width * height, place).reshape(height, width)
    return values.astype(dtype.newbyteorder("="))


def _animation_frame(data: bytes, kind: str, frame: int) -> np.ndarray:
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=[kind.upper()]) as image:
        image.seek(frame)
        shown = image if image.mode in ("L", "RGB", "RGBA") else image.convert("RGBA")
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
            raise _damaged("png")
        if kind[:1].isupper() or kind == b"tRNS":
            kept.append(png[place : place + 12 + length])
        place += 12 + length
    return b"".join(kept)


def _check_size(image) -> None:
    if image.size[0] * image.size[1] > MAX_PIXELS:
        raise _too_large()


def _not_decoded(kind: str, layout: Layout) -> UnreadableFileError | UnsupportedFileError:
    if kind == "tiff" and layout.compression not in _TIFF_COMPRESSIONS:
        return UnsupportedFileError(
            f"The TIFF file's compression ({layout.compression}) is not supported. Export the slice "
            "again, for instance with LZW or none."
        )
    return _damaged(kind)


_TIFF_COMPRESSIONS = {"raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "jpeg", "group3", "group4"}


def _too_many_pages() -> UnsupportedFileError:
    return UnsupportedFileError(f"The picture holds more than {MAX_PAGES} pages. Send fewer at a time.")


def _too_large() -> UnsupportedFileError:
    return UnsupportedFileError(
        f"The picture claims more than {MAX_PIXELS >> 20} megapixels; a CT slice has up to about 4. Send one slice."
    )


def _damaged(kind: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"The file begins like {kind.upper()} but is damaged or cut short. Export the slice again."
    )
