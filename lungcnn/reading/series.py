"""A series: slices in order from the feet to the head, not decoded yet, and what was set aside."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lungcnn.errors import Reason
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.file_rules import RULES
from lungcnn.reading.source_file import SourceFile


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

    @property
    def file_id(self) -> int:
        """The same for frames of one file alone; names may be given twice."""
        return id(self._file)

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


_KINDS_SET_ASIDE = {rule.code: rule.in_series for rule in RULES if rule.in_series} | {
    "duplicate": "duplicate(s)",
    "other_orientation": "image(s) tilted otherwise than the rest",
    "same_position": "image(s) at positions that were taken already",
    "no_position": "image(s) without a position",
}


def notes_of(set_aside: Iterable[SetAside]) -> list[Reason]:
    """One sentence for each kind of thing set aside."""
    counts = Counter(item.reason.code for item in set_aside)
    return [Reason(code, f"Set aside: {count} {_KINDS_SET_ASIDE[code]}.") for code, count in counts.items()]


@dataclass(frozen=True)
class Gap:
    """A distance between two slices that is longer than usual: after which slice, and how long in mm."""

    after: int
    mm: float


@dataclass(frozen=True, eq=False)
class Series:
    """Slices of one series in order, from the feet to the head.

    Attributes:
        slices: sorted by position along the normal; files without positions by number; pictures by name.
        kind: "dicom", or "picture" for a list of pictures, which may be of different patients (see `ordered`).
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
    def ordered(self) -> bool:
        """Whether the slices are one patient's, in order. Pictures don't say so: they are judged one by one."""
        return self.kind == "dicom"

    @property
    def positions(self) -> tuple[float | None, ...]:
        """Of each slice, mm along the normal."""
        return tuple(item.position for item in self.slices)


@dataclass(frozen=True, eq=False)
class Reading:
    """What was found: series, the longest first, and what belongs to none with the reason."""

    series: tuple[Series, ...]
    set_aside: tuple[SetAside, ...] = ()
