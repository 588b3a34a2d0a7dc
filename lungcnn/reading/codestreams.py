"""What compressed pictures claim of themselves: decoders set memory and time aside for it."""

import struct

MAX_SCANS = 100
# Markers of a frame's header (ITU-T T.81 table B.1, T.87 C.1.1).
_JPEG_LS, _LOSSLESS = 0xF7, (0xC3, 0xC7, 0xCB, 0xCF)


def claims_ill(stream: bytes, rows: int, columns: int) -> bool:
    """Whether a codestream claims another size than that, several components, or more scans than any picture has."""
    size = codestream_size(stream)
    place = stream.find(_SIZ)
    components = struct.unpack_from(">H", stream, place + 40)[0] if 0 <= place <= len(stream) - 42 else 1
    return (size is not None and tuple(size) != (rows, columns)) or components != 1 or scans(stream) > MAX_SCANS


def codestream_size(stream: bytes) -> tuple[int, int] | None:
    """`(rows, columns)` that a JPEG, JPEG-LS or JPEG 2000 codestream claims; None where it can't be read.

    JPEG 2000 may lie in a box of the JP2 format, against PS3.5 A.4.4.
    """
    if stream[:2] != b"\xff\xd8":
        place = stream.find(_SIZ)
        if not 0 <= place <= len(stream) - 24:
            return None
        right, lower, left, top = struct.unpack_from(">IIII", stream, place + 8)  # ISO/IEC 15444-1 A.5.1
        return lower - top, right - left
    header = _frame_header(stream)
    return None if header is None else struct.unpack_from(">HH", stream, header + 5)


def unusual_jpeg(stream: bytes) -> str:
    """What sets a JPEG apart from those that browsers show: "JPEG-LS", "lossless", "of 12 bits"; "" for nothing."""
    place = _frame_header(stream)
    if place is None:
        return ""
    marker, bits = stream[place + 1], stream[place + 4]
    if marker == _JPEG_LS:
        return "JPEG-LS"
    return "lossless" if marker in _LOSSLESS else "" if bits == 8 else f"of {bits} bits"


def _frame_header(stream: bytes) -> int | None:
    """Where a JPEG or JPEG-LS states its size (ITU-T T.81 B.2.2); None where that can't be found."""
    place = 2
    while place + 9 <= len(stream):  # ITU-T T.81 B.1.1
        if stream[place] != 0xFF:
            return None
        marker = stream[place + 1]
        if marker == _JPEG_LS or (marker in range(0xC0, 0xD0) and marker not in (0xC4, 0xC8, 0xCC)):
            return place
        place += (
            2 if marker == 0xFF or marker in range(0xD0, 0xD8) else 2 + struct.unpack_from(">H", stream, place + 2)[0]
        )
    return None


def scans(stream: bytes) -> int:
    """How often a JPEG goes over its picture: once, some ten times if it is progressive; 0 for another codestream."""
    return stream.count(b"\xff\xda") if stream[:2] == b"\xff\xd8" else 0


def png_size(data: bytes) -> tuple[int, int]:
    """`(rows, columns)` that a PNG claims, whose header comes first (ISO/IEC 15948 11.2.2)."""
    columns, rows = struct.unpack_from(">II", data.ljust(24, b"\0"), 16)
    return rows, columns


_SIZ = b"\xff\x4f\xff\x51"
