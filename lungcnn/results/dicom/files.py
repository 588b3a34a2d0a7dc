"""Result objects as files."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lungcnn.results.dicom.kinds import KINDS
from lungcnn.results.dicom.results import DicomResults, told_as_not_dicom
from lungcnn.results.dicom.source import Judged
from lungcnn.results.slice_report import SliceReport
from lungcnn.system import write_whole

if TYPE_CHECKING:
    from pydicom import Dataset


def dicom_files(source: Path | bytes, report: SliceReport, kinds: Sequence[str] = tuple(KINDS)) -> dict[str, bytes]:
    """Results of one slice as files by name ("result-sc.dcm"), to be handed over; names name nobody.

    Args:
        source: the DICOM file that the slice was read from.

    Raises `NotDicomError` for a picture, and for a header that breaks the standard.
    """
    made = DicomResults(kinds).of_slice(Judged(source, report))
    with told_as_not_dicom():
        return {f"result-{kind}.dcm": to_bytes(ds) for kind, ds in made}


def to_bytes(ds: Dataset) -> bytes:
    """An object as the bytes of its file."""
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def write_objects(made: Iterable[tuple[str, Dataset]], folder: Path, stem: str) -> list[Path]:
    """Write objects as `<stem>-<kind>.dcm`, numbered where a kind repeats or the name is taken; returns their paths.

    Raises `OSError` where that fails.
    """
    paths = []
    for kind, ds in made:
        path, number = folder / f"{stem}-{kind}.dcm", 1
        while path.exists():
            number += 1
            path = folder / f"{stem}-{kind}-{number}.dcm"
        folder.mkdir(parents=True, exist_ok=True)
        with told_as_not_dicom():
            data = to_bytes(ds)
        write_whole(path, partial(Path.write_bytes, data=data))
        paths.append(path)
    return paths
