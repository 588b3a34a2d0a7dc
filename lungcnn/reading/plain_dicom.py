"""CT slices as scanners write them, read without pydicom, whose import takes longer than all that is then done.

Only what leaves no doubt: uncompressed, little endian, one sample a pixel, each attribute once, in order, and of its
own VR. Whatever is in any way unusual is pydicom's to read (`dicom_repairs.parse_image`); tests hold the two to each
other.
"""

import re
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from lungcnn.reading.cheap import PIXELS, elements
from lungcnn.reading.limits import MAX_VALUE

# Of those in `dicom_parsing.TAGS`; functional groups are left to pydicom.
_KNOWN = {
    0x00080008: ("ImageType", b"CS"),
    0x00080016: ("SOPClassUID", b"UI"),
    0x00080060: ("Modality", b"CS"),
    0x00180015: ("BodyPartExamined", b"CS"),
    0x00180050: ("SliceThickness", b"DS"),
    0x00181210: ("ConvolutionKernel", b"SH"),
    0x00185100: ("PatientPosition", b"CS"),
    0x00200032: ("ImagePositionPatient", b"DS"),
    0x00200037: ("ImageOrientationPatient", b"DS"),
    0x00201041: ("SliceLocation", b"DS"),
    0x00280002: ("SamplesPerPixel", b"US"),
    0x00280004: ("PhotometricInterpretation", b"CS"),
    0x00280006: ("PlanarConfiguration", b"US"),
    0x00280008: ("NumberOfFrames", b"IS"),
    0x00280010: ("Rows", b"US"),
    0x00280011: ("Columns", b"US"),
    0x00280030: ("PixelSpacing", b"DS"),
    0x00280100: ("BitsAllocated", b"US"),
    0x00280101: ("BitsStored", b"US"),
    0x00280102: ("HighBit", b"US"),
    0x00280103: ("PixelRepresentation", b"US"),
    0x00280120: ("PixelPaddingValue", b"US or SS"),
    0x00280121: ("PixelPaddingRangeLimit", b"US or SS"),
    0x00280301: ("BurnedInAnnotation", b"CS"),
    0x00281050: ("WindowCenter", b"DS"),
    0x00281051: ("WindowWidth", b"DS"),
    0x00281052: ("RescaleIntercept", b"DS"),
    0x00281053: ("RescaleSlope", b"DS"),
    0x00281054: ("RescaleType", b"LO"),
}
_SYNTAX = 0x00020010
_OF_META = {0x00020000: b"UL", _SYNTAX: b"UI"}
_UNUSUAL = {0x00283000, 0x52009229, 0x52009230}  # left to pydicom
_IMPLICIT = b"1.2.840.10008.1.2"
_PADDING_AT_END = b"\xfc\xff\xfc\xff"
_DECIMAL = re.compile(rb" *[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)? *")
_INTEGER = re.compile(rb" *[+-]?\d{1,9} *")
_TEXT = re.compile(rb"[ -~]*")
_NEEDED: dict[str, tuple] = {
    "SamplesPerPixel": (1,),
    "PhotometricInterpretation": ("MONOCHROME1", "MONOCHROME2"),
    "BitsAllocated": (8, 16),
    "BitsStored": tuple(range(1, 17)),
    "PixelRepresentation": (0, 1),
}


class PlainDataset:
    """The attributes of a plain CT image object, in the ways in which a pydicom `Dataset` is asked for them.

    Attributes:
        PixelData: stored values as bytes. Others by their keyword: int, float, str, or a list of several; None or ""
            where the file states the attribute and no value.
    """

    def __init__(self, values: dict[str, Any]):
        self.__dict__.update(values)

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.__dict__

    def __getattr__(self, keyword: str) -> Any:
        raise AttributeError(keyword)

    def get(self, keyword: str, default: Any = None) -> Any:
        """The attribute's value, or what is given where it is missing."""
        return self.__dict__.get(keyword, default)


def read_plain(data: bytes) -> PlainDataset | None:
    """The attributes of a CT image object that leaves no doubt, or None."""
    values: dict[str, Any] = {}
    before, syntax = 0, b""
    for tag, vr, _, start, end in elements(data):
        if tag <= before or tag in _UNUSUAL or vr != _OF_META.get(tag, vr):
            return None
        before = tag
        if tag == _SYNTAX:
            syntax = data[start:end].rstrip(b"\0 ")
        elif tag == PIXELS:
            ended = end == len(data) or data[end : end + 4] == _PADDING_AT_END
            pixels = memoryview(data)[start:end]
            plain = ended and syntax and vr == (b"" if syntax == _IMPLICIT else vr) and _is_plain(values)
            return PlainDataset(values | {"PixelData": pixels}) if plain and pixels else None
        elif tag in _KNOWN:
            keyword, expected = _KNOWN[tag]
            if expected == b"US or SS":
                signed = b"SS" if values.get("PixelRepresentation") else b"US"
                expected = vr if vr in (b"US", b"SS") else signed
            if vr != (b"" if syntax == _IMPLICIT else expected) or end - start > MAX_VALUE:
                return None
            try:
                values[keyword] = _value(data[start:end], expected)
            except (ValueError, struct.error):
                return None
    return None


def _is_plain(values: dict[str, Any]) -> bool:
    needed = all(values.get(keyword) in accepted for keyword, accepted in _NEEDED.items())
    return needed and values["BitsStored"] <= values["BitsAllocated"]


def _value(raw: bytes, vr: bytes) -> Any:
    """A value as pydicom gives it; raises `ValueError` where it isn't of its VR."""
    if vr in (b"US", b"SS"):
        numbers = [number for (number,) in struct.iter_unpack("<H" if vr == b"US" else "<h", raw)]
        return _one_or_all(numbers) if numbers else None
    raw = raw.rstrip(b"\0 ") if vr == b"UI" else raw.rstrip(b" ")
    pattern, kind = _KINDS.get(vr, _AS_TEXT)
    if not raw:
        return None if kind is not str else ""
    parts = raw.split(b"\\")
    if not all(pattern.fullmatch(part) for part in parts):
        raise ValueError
    return _one_or_all([kind(part.decode("ascii")) for part in parts])


_KINDS: dict[bytes, tuple[re.Pattern[bytes], Callable]] = {b"DS": (_DECIMAL, float), b"IS": (_INTEGER, int)}
_AS_TEXT: tuple[re.Pattern[bytes], Callable] = _TEXT, str


def _one_or_all(values: list) -> Any:
    return values[0] if len(values) == 1 else values


def unpack(ds: PlainDataset, frame: int) -> np.ndarray:
    """Stored values of a frame, integers `[rows, columns]`, read-only; PixelData is long enough for it."""
    bits, pixels = ds.BitsAllocated, ds.Rows * ds.Columns
    kind = np.dtype(f"<{'ui'[ds.PixelRepresentation]}{bits // 8}")
    found = np.frombuffer(ds.PixelData, kind, pixels, offset=frame * pixels * kind.itemsize)
    return found.reshape(ds.Rows, ds.Columns)
