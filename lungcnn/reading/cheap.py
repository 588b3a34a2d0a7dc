"""Which files can't cost much: these are read in this process, in milliseconds; all others in `reader_process`.

Told without parsing them, by walking from one DICOM element to the next, or from a picture's header.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from lungcnn.reading.codestreams import codestream_size, png_size, scans
from lungcnn.reading.sniffing import sniff

MAX_CHEAP_BYTES = 4 * 2**20
MAX_CHEAP_PIXELS = 4 * 2**20
# Of a DICOM file without its pixels.
HEADER_BYTES = 64 * 2**10
_MAX_STEPS = 2000
# Of a JPEG that isn't progressive.
_MAX_SCANS = 4
_LONG = {b"OB", b"OD", b"OF", b"OL", b"OW", b"OV", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_UNDEFINED = 0xFFFFFFFF
_IMPLICIT, _EXPLICIT = b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1"
PIXELS = 0x7FE00010


def is_cheap(data: bytes) -> bool:
    """Whether a file of an accepted kind is small, and neither compressed in a way that unfolds nor deeply nested."""
    if len(data) > MAX_CHEAP_BYTES:
        return False
    kind = sniff(data)
    if kind == "dicom":
        pixels = find_pixels(data)
        return pixels is not None and len(data) - pixels[1] <= HEADER_BYTES
    if kind == "png":
        rows, columns = png_size(data)
        return rows * columns <= MAX_CHEAP_PIXELS and b"acTL" not in data
    if kind == "jpeg":
        rows, columns = codestream_size(data) or (MAX_CHEAP_PIXELS, 2)
        return rows * columns <= MAX_CHEAP_PIXELS and scans(data) <= _MAX_SCANS
    return False


class Element(NamedTuple):
    """Where an element lies in a file: its tag, its VR (b"" where the file states none), its start, its value."""

    tag: int
    vr: bytes
    place: int
    start: int
    end: int


def find_pixels(data: bytes) -> tuple[int, int] | None:
    """Where the PixelData element of an uncompressed little-endian DICOM file, or of its beginning, starts and ends.

    None where it is not found behind a short header, or is in any way unusual.
    """
    for element in elements(data):
        if element.tag == PIXELS:
            return element.place, element.end
    return None


def elements(data: bytes) -> Iterator[Element]:
    """The elements of an uncompressed little-endian DICOM file, its sequences' own left out, as pydicom follows them.

    PixelData is the last of them, and isn't given where anything is in any way unusual, or the header isn't short.
    """
    place = 132 if data[128:132] == b"DICM" else 0
    explicit, syntax, depth, start = True, b"", 0, place
    for _ in range(_MAX_STEPS):
        if place + 12 > len(data) or place - start > HEADER_BYTES:
            return
        group, element = struct.unpack_from("<HH", data, place)
        vr = data[place + 4 : place + 6]
        if group != 2 and explicit and (syntax == _IMPLICIT or (not syntax and not _is_vr(vr))):
            explicit = False
            if _is_vr(vr):
                return
        if group == 0xFFFE or not explicit or not _is_vr(vr):
            vr, head, length = b"", 8, struct.unpack_from("<I", data, place + 4)[0]
        elif vr in _LONG:
            head, length = 12, struct.unpack_from("<I", data, place + 8)[0]
        else:
            head, length = 8, struct.unpack_from("<H", data, place + 6)[0]
        if group == 0x7FE0 and depth == 0:
            if element == 0x10 and length != _UNDEFINED:
                yield Element(PIXELS, vr, place, place + head, place + head + length)
            return
        if (group, element) == (2, 0x10):
            stated = data[place + head : place + head + length].rstrip(b"\0 ")
            if stated not in (_IMPLICIT, _EXPLICIT) or syntax not in (b"", stated):
                return
            syntax = stated
        if group == 0xFFFE and element != 0xE000:  # the end of an item, or of a sequence, that stated no length
            depth, length = depth - 1, 0
        elif length == _UNDEFINED:
            if vr == b"UN":  # holds elements of the other encoding
                return
            depth, length = depth + 1, 0
        elif depth == 0 and group != 0xFFFE:
            yield Element(group << 16 | element, vr, place, place + head, place + head + length)
        if depth < 0 or (group == 0xFFFE and depth == 0 and element == 0xE000):
            return
        place += head + length


def _is_vr(two: bytes) -> bool:
    return two.isalpha() and two.isupper()
