"""Many files through the pipeline, one after another; a bad one never stops the rest."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from lungcnn.errors import LungCNNError, UsageError
from lungcnn.pipeline import Pipeline
from lungcnn.reading.series import Reading, Series
from lungcnn.reading.sniffing import sniff
from lungcnn.results.dicom.source import Judged
from lungcnn.results.series_report import SeriesReport
from lungcnn.results.slice_report import SliceReport
from lungcnn.serving.outputs import Outputs

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


def predict_files(
    pipeline: Pipeline, files: Iterable[Path], outputs: Outputs, on_file: Callable[[], None], **options
) -> Iterator[tuple[Path, SliceReport]]:
    """Yield a report for each slice of each file, in order; options as `Pipeline.run`.

    Raises `UsageError` when an output can't be written: a full disk ends the run with a sentence.
    """
    for file in files:
        for report in pipeline.run_file(file, **options):
            try:
                outputs.write(file, report)
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
        judged.append(Judged(one.content(), pipeline.run(ct_slice, **options)))
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
