"""Where overlays, heatmaps and DICOM results of many files go."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lungcnn.errors import LungCNNError, UsageError
from lungcnn.results.dicom.files import write_objects
from lungcnn.results.dicom.results import DicomResults
from lungcnn.results.dicom.source import Judged
from lungcnn.results.png import encode_png
from lungcnn.results.rendering import render_overlay
from lungcnn.results.series_report import SeriesReport
from lungcnn.results.slice_report import SliceReport
from lungcnn.serving.output_names import OutputNames
from lungcnn.system import write_whole


@dataclass
class Outputs:
    """Where overlays and heatmaps go, and how overlays look; each folder may be None.

    Every file is whole or not there. What can't be written is told, and the rest goes on.

    Attributes:
        dicom: folder for DICOM results of `kinds`.
        left_out: inputs that can have no DICOM result, with the reason.
        unwritten: inputs whose results could not be written, with a sentence.
    """

    overlay: Path | None = None
    heatmap: Path | None = None
    signed: bool = False
    contour: float | None = None
    dicom: Path | None = None
    kinds: tuple[str, ...] = ()
    left_out: list[tuple[str, str]] = field(default_factory=list)
    unwritten: list[tuple[str, str]] = field(default_factory=list)
    _results: DicomResults = field(init=False)
    _names: OutputNames = field(init=False)

    def __post_init__(self):
        self._results = DicomResults(self.kinds)
        folders = [folder for folder in (self.overlay, self.heatmap, self.dicom) if folder]
        self._names = OutputNames(folders)
        for folder in folders:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UsageError(f"The folder {folder} can't be made: {error.strerror}.") from None

    @property
    def wanted(self) -> bool:
        """Whether anything is to be written."""
        return bool(self.overlay or self.heatmap or self.dicom)

    def spare(self, inputs: Iterable[Path | str]) -> None:
        """Overwrite none of these files."""
        self._names.spare(inputs)

    def write(self, file: Path, report: SliceReport) -> list[Path]:
        """Write what is asked for of one slice that could be read; overlay and heatmap where it was judged.

        Returns the files that were written.
        """
        if report.ct_slice is None or not self.wanted:
            return []
        stem = self._claim(file, report)
        written = self._write_dicom([Judged(file, report)], stem) if self.dicom else []
        return written + self._write_pictures(stem, report)

    def write_series(self, looked_at: list[Judged], report: SeriesReport, names: list[str], number: int) -> list[Path]:
        """Write what is asked for of the slices of a series that were looked at, and its DICOM report.

        Args:
            names: files of those slices. number: of the series.

        Returns the files that were written.
        """
        written: list[Path] = []
        for judged, name in zip(looked_at, names, strict=True):
            written += self._write_pictures(self._claim(name, judged.report), judged.report)
        if self.dicom and looked_at:
            written += self._write_dicom(looked_at, self._names.claim(f"series{number}"), report)
        return written

    def _claim(self, given: Path | str, report: SliceReport) -> str:
        ct_slice = report.require_slice()
        return self._names.claim(given, "" if ct_slice.frames == 1 else f"-frame{ct_slice.frame}")

    def _write_pictures(self, stem: str, report: SliceReport) -> list[Path]:
        written: list[Path] = []
        if report.explanation is None:
            return written
        if self.overlay:
            picture = encode_png(render_overlay(report, signed=self.signed, contour=self.contour))
            written += self._write_whole(self.overlay / f"{stem}.png", lambda draft: draft.write_bytes(picture))
        if self.heatmap:
            heat = report.explanation.heatmap()
            written += self._write_whole(self.heatmap / f"{stem}.npy", lambda draft: np.save(draft, heat))
        return written

    def _write_whole(self, path: Path, write: Callable[[Path], object]) -> list[Path]:
        try:
            write_whole(path, write)
        except OSError as error:
            self.unwritten.append((path.stem, f"{path} could not be written: {error.strerror or error}."))
            return []
        return [path]

    def _write_dicom(self, judged: list[Judged], stem: str, series_report: SeriesReport | None = None) -> list[Path]:
        if self.dicom is None:
            return []
        try:
            made = self._results.of_series(judged, series_report)
            self.left_out += [(stem, note.message) for note in self._results.notes]
            self._results.notes.clear()
            return write_objects(made, self.dicom, stem)
        except LungCNNError as error:
            self.left_out.append((stem, str(error)))
        except OSError as error:
            self.unwritten.append((stem, f"The DICOM result could not be written: {error.strerror or error}."))
        return []
