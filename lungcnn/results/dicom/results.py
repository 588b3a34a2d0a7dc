"""Results as DICOM objects of the patient's own study: Secondary Capture, structured report, Parametric Map.

Only here a patient's identity is read from a source file, and only to be copied into the objects made from it: without
it a PACS could not file them. Nothing is burned in that names a person. A heatmap is no segmentation, so none is
written.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lungcnn.errors import Reason, UsageError, told_as
from lungcnn.results.dicom.kinds import KINDS, SERIES_NUMBERS
from lungcnn.results.dicom.parametric_map import NO_PLACE, alike, parametric_map
from lungcnn.results.dicom.secondary_capture import secondary_capture
from lungcnn.results.dicom.source import Judged, NotDicomError, Source, read_source
from lungcnn.results.dicom.structured_report import structured_report
from lungcnn.results.series_report import SeriesReport

if TYPE_CHECKING:
    from pydicom import Dataset


class DicomResults:
    """Makes result objects; those of one kind from one source series form one new series.

    Args:
        kinds: of `KINDS`.

    Attributes:
        notes: why objects that were asked for are missing.
    """

    def __init__(self, kinds: Sequence[str] = tuple(KINDS)):
        self.kinds = tuple(kinds)
        self.notes: list[Reason] = []
        self._series: dict[tuple[str, str], tuple[str, int]] = {}

    def of_slice(self, judged: Judged) -> list[tuple[str, Dataset]]:
        """`(kind, pydicom Dataset)` of one slice; a slice without a heatmap or a position gives fewer.

        Raises `NotDicomError` for a picture, and for a header that breaks the standard.
        """
        return self.of_series([judged])

    def of_series(
        self, judged: Sequence[Judged], series_report: SeriesReport | None = None
    ) -> list[tuple[str, Dataset]]:
        """The objects of slices of one series: a Secondary Capture each, one report, one Parametric Map.

        Args:
            judged: slices of one series, at least one. series_report: adds the result of the whole to the report.

        Raises `NotDicomError` for a picture and for a header that breaks the standard, and `UsageError` for slices of
        more than one series.
        """
        with told_as_not_dicom():
            sources = [read_source(one) for one in judged]
            if len({(one.header.StudyInstanceUID, one.header.SeriesInstanceUID) for one in sources}) > 1:
                raise UsageError("The slices are of more than one series; write the results of each series on its own.")
            return list(self._made(sources, series_report))

    def _made(self, sources: list[Source], series_report: SeriesReport | None) -> Iterator[tuple[str, Dataset]]:
        explained = [one for one in sources if one.report.explanation is not None]
        if "sc" in self.kinds:
            for source in explained:
                yield "sc", secondary_capture(source, self._next_instance(source, "sc"))
        if "sr" in self.kinds:
            yield "sr", structured_report(sources, series_report, self._next_instance(sources[0], "sr"))
        if "pm" in self.kinds:
            placed = [(one, one.place) for one in explained if one.place]
            if len(placed) < len(explained):
                self.notes.append(NO_PLACE)
            for group in alike(placed):
                yield "pm", parametric_map(group, self._next_instance(group[0][0], "pm"))

    def _next_instance(self, source: Source, kind: str) -> dict[str, Any]:
        """highdicom's arguments with the UIDs and numbers of the next object of a kind from a source series."""
        import highdicom

        key = (source.header.SeriesInstanceUID, kind)
        uid, count = self._series.get(key, (str(highdicom.UID()), 0))
        self._series[key] = (uid, count + 1)
        return {
            "series_instance_uid": uid,
            "series_number": SERIES_NUMBERS[kind],
            "sop_instance_uid": str(highdicom.UID()),
            "instance_number": count + 1,
        }


@contextmanager
def told_as_not_dicom() -> Iterator[None]:
    """Raise `NotDicomError` for whatever highdicom and pydicom raise on a header.

    They quote it, and it names a patient: for that reason their warnings are left out, too.
    """
    warnings.filterwarnings("ignore", module="highdicom")
    with told_as(
        NotDicomError,
        "The DICOM header holds a value that breaks the standard and that a result would have to repeat. Correct the "
        "file, or do without DICOM results.",
    ):
        yield
