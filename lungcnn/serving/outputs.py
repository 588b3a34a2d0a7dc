"""Where overlays, heatmaps and DICOM results of many files go."""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lungcnn.errors import UsageError
from lungcnn.results.dicom.files import write_objects
from lungcnn.results.dicom.results import DicomResults
from lungcnn.results.dicom.source import Judged, NotDicomError
from lungcnn.results.rendering import encode_png, render_overlay
from lungcnn.results.series_report import SeriesReport
from lungcnn.results.slice_report import SliceReport


@dataclass
class Outputs:
    """Where overlays and heatmaps go, and how overlays look; each folder may be None.

    Names are the files' own, numbered where they repeat.

    Attributes:
        dicom: folder for DICOM results of `kinds`. left_out: files that can have none, with the reason.
    """

    overlay: Path | None = None
    heatmap: Path | None = None
    signed: bool = False
    contour: float | None = None
    dicom: Path | None = None
    kinds: tuple[str, ...] = ()
    left_out: list[tuple[str, str]] = field(default_factory=list)
    _results: DicomResults = field(init=False)
    _used: Counter = field(default_factory=Counter)

    def __post_init__(self):
        self._results = DicomResults(self.kinds)
        for folder in (self.overlay, self.heatmap, self.dicom):
            try:
                if folder:
                    folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UsageError(f"The folder {folder} can't be made: {error.strerror}.") from None

    def write(self, file: Path, report: SliceReport) -> None:
        """Write what is asked for of one slice that could be read; overlay and heatmap where it was judged."""
        if report.ct_slice is None or not (self.overlay or self.heatmap or self.dicom):
            return
        ct_slice = report.ct_slice
        stem = file.stem if ct_slice.frames == 1 else f"{file.stem}-frame{ct_slice.frame}"
        self._used[stem] += 1
        if self._used[stem] > 1:
            stem = f"{stem}-{self._used[stem]}"
        if self.dicom:
            self._write_dicom([Judged(file, report)], stem)
        if report.status != "ok":
            return
        if self.overlay:
            picture = render_overlay(report, signed=self.signed, contour=self.contour)
            (self.overlay / f"{stem}.png").write_bytes(encode_png(picture))
        if self.heatmap:
            np.save(self.heatmap / f"{stem}.npy", report.explanation.heatmap())

    def write_series(self, looked_at: list[Judged], report: SeriesReport, names: list[str], stem: str) -> None:
        """Write what is asked for of the slices of a series that were looked at, and its DICOM report."""
        pictures = replace(self, dicom=None)
        for judged, name in zip(looked_at, names, strict=True):
            pictures.write(Path(name), judged.report)
        if self.dicom:
            self._write_dicom(looked_at, stem, report)

    def _write_dicom(self, judged: list[Judged], stem: str, series_report: SeriesReport | None = None) -> None:
        try:
            made = self._results.of_series(judged, series_report)
        except NotDicomError as error:
            self.left_out.append((stem, str(error)))
            return
        self.left_out += [(stem, note.message) for note in self._results.notes]
        self._results.notes.clear()
        write_objects(made, self.dicom, stem)
