"""Pictures in the order of their names."""

import hashlib
from pathlib import Path

from lungcnn.errors import Reason
from lungcnn.reading.dicom_series import aside_notes
from lungcnn.reading.series import Series, SeriesSlice, SetAside
from lungcnn.reading.series_files import SourceFile


def picture_series(members: list[tuple[int, SourceFile]]) -> Series:
    """Pictures in the order given, which is that of their names: names are all there is."""
    seen, slices, aside = set(), [], []
    for item, file in members:
        content = file.content()
        data = content.read_bytes() if isinstance(content, Path) else content
        digest = hashlib.sha256(data).digest()
        if digest in seen:
            reason = Reason("duplicate", "The same picture was given twice; the first was taken.")
            aside.append(SetAside(item, None, reason, file.name))
            continue
        seen.add(digest)
        slices.append(SeriesSlice(None, 0, file.name, file))
    notes = aside_notes(aside)
    if len(slices) > 1:
        notes.insert(
            0, Reason("order_of_names", "Pictures state no positions; slices are in the order of their names.")
        )
    return Series(tuple(slices), "picture", set_aside=tuple(aside), notes=tuple(notes))
