"""What a file may cost before it is decoded: hostile ones claim or unfold to far more than they hold."""

import stat
import struct
import zlib
from pathlib import Path

from lungcnn.errors import UnreadableFileError, UnsupportedFileError

# A CT slice has 0.25 to 4 million pixels; this many in 16 bits and as HU fit in 300 MB.
MAX_PIXELS = 16 * 2**20
MAX_FRAMES = 10_000
MAX_ELEMENTS = 20_000
# Enhanced CT holds some twenty items a frame.
MAX_ITEMS = 100_000
MAX_BYTES = 512 * 2**20
MAX_INFLATED = 128 * 2**20
DEFLATED = b"1.2.840.10008.1.2.1.99"


class ElementCounter:
    """For pydicom's `stop_when`: ends the parsing of a data set with more elements than any real one has."""

    def __init__(self, stop_before_pixels: bool = False):
        self._seen, self._stop_before_pixels = 0, stop_before_pixels

    def __call__(self, tag, vr, length) -> bool:
        self._seen += 1
        if self._seen > MAX_ELEMENTS:
            raise UnsupportedFileError(
                f"The DICOM object holds more than {MAX_ELEMENTS} elements; send a CT image object."
            )
        return self._stop_before_pixels and tag in (0x7FE00008, 0x7FE00009, 0x7FE00010)


def check_items(data: bytes) -> None:
    """Raises `UnsupportedFileError` for a DICOM file with more sequence items than any CT image has."""
    if max(data.count(b"\xfe\xff\x00\xe0"), data.count(b"\xff\xfe\xe0\x00")) > MAX_ITEMS:
        raise UnsupportedFileError(
            f"The DICOM object holds more than {MAX_ITEMS} sequence items; send a CT image object."
        )


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


def codestream_size(stream: bytes) -> tuple[int, int] | None:
    """`(rows, columns)` that a JPEG, JPEG-LS or JPEG 2000 codestream claims; None where it can't be read."""
    if stream[:4] == b"\xff\x4f\xff\x51" and len(stream) >= 24:  # ISO/IEC 15444-1 A.5.1
        right, lower, left, top = struct.unpack_from(">IIII", stream, 8)
        return lower - top, right - left
    if stream[:2] != b"\xff\xd8":
        return None
    place = 2
    while place + 9 <= len(stream):  # ITU-T T.81 B.1.1
        if stream[place] != 0xFF:
            return None
        marker = stream[place + 1]
        if marker == 0xF7 or (marker in range(0xC0, 0xD0) and marker not in (0xC4, 0xC8, 0xCC)):
            return struct.unpack_from(">HH", stream, place + 5)
        place += (
            2 if marker == 0xFF or marker in range(0xD0, 0xD8) else 2 + struct.unpack_from(">H", stream, place + 2)[0]
        )
    return None


def check_regular(path: Path) -> None:
    """Raises `UnsupportedFileError` for a pipe or a device, which may have no end; `OSError` for what isn't there."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise UnsupportedFileError("This is a pipe or a device. Save what comes from it as a file first.")


def check_frame(frame: int, frames: int) -> None:
    if not 0 <= frame < frames:
        raise UnsupportedFileError(f"The file holds {frames} frame(s), counted from 0; received frame {frame}.")
