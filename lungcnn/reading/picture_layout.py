"""What a picture file's header says: its size, its pages, and how it is to be turned."""

import io
import re
import warnings
from dataclasses import dataclass
from math import prod

from lungcnn.errors import LungCNNError, UnreadableFileError, UnsupportedFileError
from lungcnn.reading.codestreams import MAX_SCANS, png_size, scans, unusual_jpeg
from lungcnn.reading.limits import MAX_PIXELS

MAX_PAGES = 2000
# Tags of TIFF 6.0 and EXIF.
_ORIENTATION, _NEW_SUBFILE_TYPE, _DESCRIPTION, _PHOTOMETRIC, _BITS, _SAMPLE_FORMAT = 274, 254, 270, 262, 258, 339
_NUMBERS = {1: "unsigned", 2: "signed", 3: "floating-point"}


@dataclass(frozen=True)
class Layout:
    """What a picture file's header says of its pages.

    Attributes:
        pages: their places in the file, thumbnails left out.
        planes: how many planes lie one after another behind a single page, as ImageJ writes large stacks; else 1.
        orientation: EXIF's number for how the picture is to be turned, 1 for not at all.
        compression: of a TIFF, by Pillow's name; "" for others.
        negative: pages of a TIFF whose level 0 is white.
    """

    pages: tuple[int, ...] = (0,)
    planes: int = 1
    orientation: int = 1
    compression: str = ""
    negative: frozenset[int] = frozenset()

    @property
    def frames(self) -> int:
        """Number of pages or planes."""
        return len(self.pages) * self.planes


def read_layout(data: bytes, kind: str) -> Layout:
    """Raises `UnreadableFileError` for a damaged header, `UnsupportedFileError` for one that claims too much."""
    from PIL import Image

    if kind == "png" and prod(png_size(data)) > MAX_PIXELS:  # Pillow sets memory aside when it opens an animated one
        raise _too_large()
    if scans(data) > MAX_SCANS:
        raise UnsupportedFileError(f"The JPEG goes over its picture more than {MAX_SCANS} times. Export it again.")
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
            raise unsupported_compression("unknown to us") from None
        raise undecodable(data, kind) from None


def _tiff_layout(image) -> Layout:
    """Not by `n_frames`, which walks through all the pages that a TIFF claims. OpenCV turns TIFF itself."""
    described = str(image.tag_v2.get(_DESCRIPTION, ""))
    compression = str(image.info.get("compression", ""))
    pages, page, negative = [], 0, set()
    while True:
        if page == 0 or not image.tag_v2.get(_NEW_SUBFILE_TYPE, 0) & 1:  # a smaller copy of another page
            pages.append(page)
            _check_size(image)
            if image.tag_v2.get(_PHOTOMETRIC) == 0:
                negative.add(page)
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
    return Layout(tuple(pages), max(1, planes), compression=compression, negative=frozenset(negative))


def _orientation(image, data: bytes, kind: str) -> int:
    if kind == "png" and b"eXIf" not in data and b"Raw profile type" not in data:
        return 1  # Pillow would decode the picture to look for it
    found = image.getexif().get(_ORIENTATION, 1)
    return found if found in range(1, 9) else 1


def _check_size(image) -> None:
    if image.size[0] * image.size[1] > MAX_PIXELS:
        raise _too_large()


def unsupported_compression(name: str) -> UnsupportedFileError:
    """The error for a TIFF file whose compression no decoder here knows."""
    return UnsupportedFileError(
        f"The TIFF file's compression ({name}) is not supported. Export the slice again, for instance with LZW or none."
    )


def _too_many_pages() -> UnsupportedFileError:
    return UnsupportedFileError(f"The picture holds more than {MAX_PAGES} pages. Send fewer at a time.")


def _too_large() -> UnsupportedFileError:
    return UnsupportedFileError(
        f"The picture claims more than {MAX_PIXELS >> 20} megapixels; a CT slice has up to about 4. Send one slice."
    )


def undecodable(data: bytes, kind: str) -> LungCNNError:
    """The error for a picture that no decoder here reads: what is unusual in it, or else that it is damaged."""
    unusual = unusual_jpeg(data) if kind == "jpeg" else ""
    if unusual:
        return UnsupportedFileError(f"The JPEG is {unusual}, which is not read here. Export the slice again, as PNG.")
    numbers = _unusual_numbers(data) if kind == "tiff" else ""
    return unsupported_levels(numbers) if numbers else damaged(kind)


def unsupported_levels(numbers: str) -> UnsupportedFileError:
    """The error for a picture of such numbers ("float32")."""
    return UnsupportedFileError(
        f"The picture holds {numbers} values; accepted are 8- and 16-bit unsigned grey levels. Export the slice again, "
        "as PNG or DICOM."
    )


def _unusual_numbers(data: bytes) -> str:
    """Of a TIFF's first page, such as "64-bit floating-point"; "" for those that can be read, or can't be told."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    try:
        tags = ImageFileDirectory_v2(data[: 16 if 43 in data[2:4] else 8])  # a BigTIFF's header is longer
        stream = io.BytesIO(data)
        stream.seek(tags.next)
        tags.load(stream)
        bits, numbers = tags.get(_BITS, (1,))[0], tags.get(_SAMPLE_FORMAT, (1,))[0]
    except Exception:  # noqa: BLE001 - Pillow's parsers raise anything on damaged bytes
        return ""
    return "" if numbers == 1 and bits in (1, 8, 16) else f"{bits}-bit {_NUMBERS.get(numbers, 'undefined')}"


def damaged(kind: str) -> UnreadableFileError:
    """The error for a picture that can't be decoded."""
    return UnreadableFileError(
        f"The file begins like {kind.upper()} but is damaged or cut short. Export the slice again."
    )
