"""Many files through the pipeline, one after another; a bad one never stops the rest."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from lungcnn.dicom_results import DicomResults, Judged, NotDicomError, write_objects
from lungcnn.errors import LungCNNError, UsageError
from lungcnn.loading import CTSlice, sniff
from lungcnn.pipeline import Pipeline
from lungcnn.rendering import encode_png, render_overlay
from lungcnn.report import SliceReport
from lungcnn.series import Reading, Series
from lungcnn.series_report import SeriesReport

_SNIFFED_BYTES = 512


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Files as given, and of folders (searched through) those whose bytes look like slices, in order of name.

    Raises `UsageError` for a folder that holds none. A file that is missing or of another kind is kept: it gets
    a record that says so.
    """
    files = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        inside = [file for file in sorted(path.rglob("*")) if file.is_file() and _looks_like_a_slice(file)]
        if not inside:
            raise UsageError(f"The folder {path} holds no DICOM files or pictures.")
        files += inside
    return files


def _looks_like_a_slice(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return sniff(stream.read(_SNIFFED_BYTES)) is not None
    except OSError:
        return True  # its record will say that it can't be opened


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

    def write(self, file: Path, ct_slice: CTSlice, report: SliceReport) -> None:
        """Write what is asked for of one slice; overlay and heatmap where it was judged."""
        if not (self.overlay or self.heatmap or self.dicom):
            return
        stem = file.stem if ct_slice.frames == 1 else f"{file.stem}-frame{ct_slice.frame}"
        self._used[stem] += 1
        if self._used[stem] > 1:
            stem = f"{stem}-{self._used[stem]}"
        if self.dicom:
            self._write_dicom([Judged(file, ct_slice, report)], stem)
        if report.status != "ok":
            return
        if self.overlay:
            picture = render_overlay(ct_slice, report, signed=self.signed, contour=self.contour)
            (self.overlay / f"{stem}.png").write_bytes(encode_png(picture))
        if self.heatmap:
            np.save(self.heatmap / f"{stem}.npy", report.explanation.heatmap())

    def write_series(self, looked_at: list[Judged], report: SeriesReport, names: list[str], stem: str) -> None:
        """Write what is asked for of the slices of a series that were looked at, and its DICOM report."""
        pictures = replace(self, dicom=None)
        for judged, name in zip(looked_at, names, strict=True):
            pictures.write(Path(name), judged.ct_slice, judged.report)
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


def predict_files(
    pipeline: Pipeline, files: Iterable[Path], outputs: Outputs, on_file: Callable[[], None], **options
) -> Iterator[tuple[Path, SliceReport]]:
    """Yield a report for each slice of each file, in order; options as `Pipeline.run`.

    Raises `UsageError` when an output can't be written: a full disk ends the run with a sentence.
    """
    for file in files:
        for ct_slice, report in pipeline.run_file(file, **options):
            if ct_slice is not None:
                try:
                    outputs.write(file, ct_slice, report)
                except OSError as error:
                    raise UsageError(f"The overlay or heatmap could not be written: {error.strerror}.") from None
            yield file, report
        on_file()


def predict_series(
    pipeline: Pipeline, reading: Reading, outputs: Outputs, on_slice: Callable[[], None], **options
) -> Iterator[tuple[Series, SeriesReport]]:
    """Yield the report of each series; maps are made of its most suspicious slices only, where outputs need them.

    Options as `Pipeline.run`. Raises `UsageError` where there is no series, or when an output can't be written.
    """
    if not reading.series:
        why = f" The first file: {reading.set_aside[0].reason.message}" if reading.set_aside else ""
        raise UsageError(f"No series of CT slices was found.{why}")
    for number, series in enumerate(reading.series, 1):
        report = pipeline.run_series(series, lambda _: on_slice())
        if outputs.overlay or outputs.heatmap or outputs.dicom:
            looked_at, names = look_at(pipeline, series, report, **options)
            try:
                outputs.write_series(looked_at, report, names, f"series{number}")
            except OSError as error:
                raise UsageError(f"The overlay or heatmap could not be written: {error.strerror}.") from None
        yield series, report


def look_at(pipeline: Pipeline, series: Series, report: SeriesReport, **options) -> tuple[list[Judged], list[str]]:
    """The most suspicious slices with their explanations, and their files' names; of a refused series the first slice.

    Options as `Pipeline.run`; what is explained is malignant unless they say otherwise, so that maps are of one class.
    """
    options["explain_class"] = options.get("explain_class") or "malignant"
    judged, names = [], []
    for index in report.suspicious or range(len(series)):
        one = series.slices[index]
        try:
            ct_slice = one.read()
        except LungCNNError:
            continue  # its report says why
        judged.append(Judged(one.content(), ct_slice, pipeline.run(ct_slice, **options)))
        names.append(one.name)
        if not report.suspicious:
            break
    return judged, names


def series_record(series: Series, report: SeriesReport) -> dict:
    """The record of `predict --series --json`: that of the report, with the files' names."""
    record = report.to_json()
    for one, given in zip(record["slices"], series.slices, strict=True):
        one["file"] = given.name
    record["set_aside"] = aside_records(series.set_aside)
    return record


def aside_records(set_aside) -> list[dict]:
    """What was set aside, as plain values."""
    return [{"file": one.name, "frame": one.frame, **asdict(one.reason)} for one in set_aside]
