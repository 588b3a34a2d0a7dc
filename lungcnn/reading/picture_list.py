"""Pictures in the order of their names: a list, for nothing says that they are slices of one patient."""

from lungcnn.errors import LungCNNError, Reason
from lungcnn.reading.series import Series, SeriesSlice, SetAside, notes_of
from lungcnn.reading.source_file import SourceFile


def picture_list(members: list[tuple[int, SourceFile]]) -> Series:
    """Pictures, and their pages, in the order given, which is that of their names: names are all there is."""
    seen, slices, aside = set(), [], []
    for item, file in members:
        if file.digest and file.digest in seen:
            reason = Reason("duplicate", "The same picture was given twice; the first was taken.")
            aside.append(SetAside(item, None, reason, file.name))
            continue
        seen.add(file.digest)
        file.frames = _pages(file)
        slices += [SeriesSlice(None, page, file.name, file) for page in range(file.frames)]
    notes = notes_of(aside)
    if len(slices) > 1:
        text = "Pictures state no place and no patient: they are judged one by one, in the order of their names."
        notes.insert(0, Reason("order_of_names", text))
    return Series(tuple(slices), "picture", set_aside=tuple(aside), notes=tuple(notes))


def _pages(file: SourceFile) -> int:
    """Number of pages, 1 where they can't be told."""
    try:
        return file.open().frames
    except LungCNNError:
        return 1
