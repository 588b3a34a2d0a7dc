"""The UIDs by which an archive knows a slice: for its operator's tables and records, never for a report or page."""

import io
import re
from pathlib import Path

from lungcnn.reading.cheap import HEADER_BYTES, PIXELS, elements
from lungcnn.reading.sniffing import sniff

Uids = tuple[str | None, str | None]
_SNIFFED, _HEAD = 4096, HEADER_BYTES + 256
_NUMBERS = re.compile(rb"[0-9.]*")
_SERIES, _INSTANCE = 0x0020000E, 0x00080018


def stated_uids(content: bytes | Path) -> Uids:
    """SeriesInstanceUID and SOPInstanceUID that a file states, which was read before; None each for a picture."""
    try:
        with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as stream:
            head = stream.read(_HEAD)
            if sniff(head[:_SNIFFED]) != "dicom":
                return None, None
            stream.seek(0)
            return _plainly_stated(head) or _by_pydicom(stream)
    except Exception:  # noqa: BLE001 - the slice was judged; a header that can't be read twice states none
        return None, None


def _plainly_stated(head: bytes) -> Uids | None:
    """As `stated_uids`, from the beginning of a file that leaves no doubt; None for others."""
    found: dict[int, str | None] = {}
    before = 0
    for tag, vr, _, start, end in elements(head):
        if tag <= before:
            return None
        before = tag
        if tag == PIXELS:
            return found.get(_SERIES), found.get(_INSTANCE)
        if tag in (_SERIES, _INSTANCE):
            value = head[start:end].rstrip(b"\0 ")
            if vr not in (b"UI", b"") or not _NUMBERS.fullmatch(value):
                return None
            found[tag] = value.decode("ascii") or None
    return None


def _by_pydicom(stream) -> Uids:
    import pydicom

    tags = ["SeriesInstanceUID", "SOPInstanceUID"]
    header = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=tags, force=True)
    series, instance = (str(header.get(tag) or "") or None for tag in tags)
    return series, instance
