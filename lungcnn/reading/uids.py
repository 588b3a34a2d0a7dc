"""The UIDs by which an archive knows a slice: for its operator's tables and records, never for a report or page."""

import io
from pathlib import Path

from lungcnn.reading.sniffing import sniff

_HEAD = 4096


def stated_uids(content: bytes | Path) -> tuple[str | None, str | None]:
    """SeriesInstanceUID and SOPInstanceUID that a file states, which was read before; None each for a picture."""
    import pydicom

    try:
        with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as stream:
            if sniff(stream.read(_HEAD)) != "dicom":
                return None, None
            stream.seek(0)
            tags = ["SeriesInstanceUID", "SOPInstanceUID"]
            header = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=tags, force=True)
            series, instance = (str(header.get(tag) or "") or None for tag in tags)
            return series, instance
    except Exception:  # noqa: BLE001 - the slice was judged; a header that can't be read twice states none
        return None, None
