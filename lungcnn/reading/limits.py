"""What a file may cost before it is decoded: hostile ones claim or unfold to far more than they hold."""

import stat
import struct
import zlib
from collections.abc import Collection
from pathlib import Path

from lungcnn.errors import UnreadableFileError, UnsupportedFileError

# A CT slice has 0.25 to 4 million pixels; this many in 16 bits and as HU fit in 300 MB.
MAX_PIXELS = 16 * 2**20
MAX_FRAMES = 10_000
MAX_ELEMENTS = 20_000
# Enhanced CT holds some twenty items a frame.
MAX_ITEMS = 50_000
# Numbers and texts in a header: positions, kernels, windows.
MAX_VALUE = 16 * 2**10
MAX_BYTES = 512 * 2**20
# Without the pixels: thousands of frames take some 10 kB each at most.
MAX_HEADER = 64 * 2**20
MAX_INFLATED = 64 * 2**20
DEFLATED = b"1.2.840.10008.1.2.1.99"
_UNDEFINED = 0xFFFFFFFF
_CHARACTER_SET = 0x00080005
_PIXELS = {0x7FE00008, 0x7FE00009, 0x7FE00010}
# Pixels and the tables of where they lie; the table of a Modality LUT; the functional groups.
_BULK = _PIXELS | {0x7FE00001, 0x7FE00002, 0x00283000, 0x52009229, 0x52009230}


class ElementCounter:
    """For pydicom's `stop_when`: ends the parsing of a data set that no CT image has, element by element.

    Args:
        tags: of the elements whose values are kept.
        stop_before_pixels: leave off where the pixels begin.
    """

    def __init__(self, tags: Collection[int] = (), stop_before_pixels: bool = False):
        self._seen, self._kept, self._stop_before_pixels = 0, tags, stop_before_pixels

    def __call__(self, tag: int, vr: str | None, length: int) -> bool:
        self._seen += 1
        if self._seen > MAX_ELEMENTS:
            raise UnsupportedFileError(
                f"The DICOM object holds more than {MAX_ELEMENTS} elements; send a CT image object."
            )
        if tag in self._kept or tag == _CHARACTER_SET:
            check_value(tag, vr, length)
        return self._stop_before_pixels and tag in _PIXELS


def check_value(tag: int, vr: str | None, length: int) -> None:
    """Raises `UnsupportedFileError` for a number or text that takes long to convert: one of millions of values."""
    bulk = tag in _BULK and vr in (None, "OB", "OD", "OF", "OW", "OV", "UN", "SQ")
    if MAX_VALUE < length < _UNDEFINED and not bulk:
        raise UnsupportedFileError(
            f"The DICOM header holds a value of {length} bytes where a few numbers or a text belong; send a CT image "
            "object."
        )


def check_items(items: int) -> None:
    """Raises `UnsupportedFileError` for more sequence items than any CT image has."""
    if items > MAX_ITEMS:
        raise UnsupportedFileError(
            f"The DICOM object holds more than {MAX_ITEMS} sequence items; send a CT image object."
        )


def count_items(data: bytes) -> int:
    """At least as many sequence items as a DICOM file has."""
    return max(data.count(b"\xfe\xff\x00\xe0"), data.count(b"\xff\xfe\xe0\x00"))


def check_deflated(data: bytes) -> None:
    """Raises `UnsupportedFileError` for a deflated DICOM file (PS3.5 A.5) that unfolds beyond 128 MiB."""
    if DEFLATED not in data[:1024]:
        return
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    unfolded, chunk = 0, data[_end_of_file_meta(data) :]
    try:
        while chunk and unfolded <= MAX_INFLATED:
            unfolded += len(inflate.decompress(chunk, 2**20))
            chunk = inflate.unconsumed_tail
    except zlib.error:
        raise UnreadableFileError("The deflated DICOM file is damaged or cut short. Export it again.") from None
    if unfolded > MAX_INFLATED:
        raise UnsupportedFileError(f"The DICOM file unfolds to more than {MAX_INFLATED >> 20} MiB; send single slices.")


def _end_of_file_meta(data: bytes) -> int:
    """Where the elements of group 0002 end; they are in explicit VR little endian (PS3.10 7.1)."""
    place = 132 if data[128:132] == b"DICM" else 0
    while data[place : place + 2] == b"\x02\x00" and place + 12 <= len(data):
        long = data[place + 4 : place + 6] in (b"OB", b"OW", b"UN", b"SQ", b"UT")
        head, length = (12, "<I") if long else (8, "<H")
        place += head + struct.unpack_from(length, data, place + (8 if long else 6))[0]
    return place


def check_regular(path: Path) -> None:
    """Raises `UnsupportedFileError` for a pipe or a device, which may have no end; `OSError` for what isn't there."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise UnsupportedFileError("This is a pipe or a device. Save what comes from it as a file first.")


def check_frame(frame: int, frames: int) -> None:
    if not 0 <= frame < frames:
        raise UnsupportedFileError(f"The file holds {frames} frame(s), counted from 0; received frame {frame}.")
