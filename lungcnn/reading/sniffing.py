"""What kind of file is it? Told from its first bytes, never from its name."""

import struct

_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpeg",
    b"II*\x00": "tiff",
    b"MM\x00*": "tiff",
    b"II+\x00": "tiff",  # BigTIFF
    b"MM\x00+": "tiff",
    b"BM": "bmp",
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
