"""Many files through the pipeline, one after another; a bad one never stops the rest."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from lungcnn.errors import UnsupportedFileError, UsageError
from lungcnn.pipeline import Pipeline
from lungcnn.reading.series import Reading, Series
from lungcnn.reading.uids import stated_uids
from lungcnn.results.dicom.source import Judged
from lungcnn.results.series_report import SeriesReport
from lungcnn.results.slice_report import SliceReport, failed
from lungcnn.serving.inputs import is_archive
from lungcnn.serving.outputs import Outputs
from lungcnn.system import name_on_a_line, printable_name

UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_ZIP = failed(UnsupportedFileError("This is a zip archive: with --series its slices are judged, as series."))


def predict_files(
    pipeline: Pipeline, files: Sequence[Path], outputs: Outputs, on_file: Callable[[], None], **options
) -> Iterator[tuple[Path, SliceReport, list[Path]]]:
    """Yield each file, a report for each of its slices, and the files written of it, in order.

    Options as `Pipeline.run`.
    """
    outputs.spare(files)
    for file in files:
        for report in [_ZIP] if is_archive(file) else pipeline.run_file(file, **options):
            yield file, report, outputs.write(file, report)
        on_file()


def predict_series(
    pipeline: Pipeline, reading: Reading, outputs: Outputs, on_slice: Callable[[], None], **options
) -> Iterator[tuple[Series, SeriesReport, list[Path]]]:
    """Yield each series, its report, and the files written of it.

    Maps are made of its most suspicious slices only, where outputs need them. Options as `Pipeline.run`. Raises
    `UsageError` where there is no series.
    """
    if not reading.series:
        why = f" The first file: {reading.set_aside[0].reason.message}" if reading.set_aside else ""
        raise UsageError(f"No series of CT slices was found.{why}")
    outputs.spare(one.name for series in reading.series for one in series.slices)
    for number, series in enumerate(reading.series, 1):
        report = pipeline.run_series(series, lambda _: on_slice())
        written: list[Path] = []
        if outputs.wanted:
            looked_at, names = look_at(pipeline, series, report, **options)
            written = outputs.write_series(looked_at, report, names, number)
        yield series, report, written


def look_at(pipeline: Pipeline, series: Series, report: SeriesReport, **options) -> tuple[list[Judged], list[str]]:
    """The most suspicious slices with their explanations, and their files' names; of a refused series the first slice.

    Options as `Pipeline.run`; what is explained is the suspicious class unless they say otherwise: one class.
    """
    options["explain_class"] = options.get("explain_class") or pipeline.card.classes.suspicious
    judged, names = [], []
    for index in report.suspicious or range(len(series)):
        one = series.slices[index]
        explained = pipeline.run_read(one.read, one.frame, **options)
        if explained.ct_slice is None:
            continue  # it can't be read: its report says why
        judged.append(Judged(one.content(), explained, index))
        names.append(one.name)
        if not report.suspicious:
            break
    return judged, names


def series_name(series: Series) -> str:
    """What a series is called in text: its SeriesInstanceUID, or the first file where none is stated."""
    first = series.slices[0]
    uid, _ = stated_uids(first.content())
    return uid if uid and UID.fullmatch(uid) else name_on_a_line(first.name)


def series_record(series: Series, report: SeriesReport, written: Iterable[Path] = ()) -> dict:
    """The record of `predict --series --json`: the report, names and UIDs of its files, and what was written."""
    record = report.to_json()
    record["written"] = [printable_name(str(path)) for path in written]
    uids: dict[int, tuple[str | None, str | None]] = {}  # frames share a file
    for one, given in zip(record["slices"], series.slices, strict=True):
        one["file"] = printable_name(given.name)
        if given.file_id not in uids:
            uids[given.file_id] = stated_uids(given.content())
        record["series_instance_uid"], one["sop_instance_uid"] = uids[given.file_id]
    record["set_aside"] = aside_records(series.set_aside)
    return record


def aside_records(set_aside) -> list[dict]:
    """What was set aside, as plain values."""
    return [{"file": printable_name(one.name), "frame": one.frame, **asdict(one.reason)} for one in set_aside]
