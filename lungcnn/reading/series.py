"""A series: slices in order from the feet to the head, not decoded yet, and what was set aside."""

from dataclasses import dataclass, field
from pathlib import Path

from lungcnn.errors import Reason
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.series_files import SourceFile


@dataclass(frozen=True, eq=False)
class SeriesSlice:
    """One slice of a series, not decoded yet.

    Attributes:
        position: mm along the series' normal, growing towards the head; None where the file states none.
        frame: its index in its file.
        name: the file as it was given (a path or a name in an archive), which may name a patient: not for display.
    """

    position: float | None
    frame: int
    name: str = field(repr=False)
    _file: SourceFile = field(repr=False)

    def read(self) -> CTSlice:
        """Decode it. Raises as `load_slice`."""
        return self._file.read(self.frame)

    def content(self) -> bytes | Path:
        """Its file, for those who must copy identity from it (DICOM results): bytes, or a path."""
        return self._file.content()


@dataclass(frozen=True)
class SetAside:
    """A file or frame that is no slice of a series, and why. `item` counts the files as given, from 0."""

    item: int
    frame: int | None
    reason: Reason
    name: str = field(repr=False, default="")


@dataclass(frozen=True)
class Gap:
    """A distance between two slices that is longer than usual: after which slice, and how long in mm."""

    after: int
    mm: float


@dataclass(frozen=True, eq=False)
class Series:
    """Slices of one series in order, from the feet to the head.

    Attributes:
        slices: sorted by position along the normal; pictures and files without positions in order of name.
        kind: "dicom" or "picture".
        spacing_mm: the usual distance between neighbours, None where positions are unknown.
        gaps: where slices seem to be missing.
        set_aside: localizers, reformats, duplicates and the like of this series.
        notes: what a reader of the result should know of the series: gaps, mixed distances, dropped duplicates.
    """

    slices: tuple[SeriesSlice, ...]
    kind: str
    spacing_mm: float | None = None
    gaps: tuple[Gap, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    notes: tuple[Reason, ...] = ()

    def __len__(self) -> int:
        return len(self.slices)

    @property
    def positions(self) -> tuple[float | None, ...]:
        """Of each slice, mm along the normal."""
        return tuple(item.position for item in self.slices)


@dataclass(frozen=True, eq=False)
class Reading:
    """What was found: series, the longest first, and what belongs to none with the reason."""

    series: tuple[Series, ...]
    set_aside: tuple[SetAside, ...] = ()
