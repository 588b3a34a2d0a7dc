"""What the page asks of whoever judges slices: of a pipeline in this process, or of one in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # a worker is on its way before these are imported
    from lungcnn import CTSlice, ModelCard, Pipeline, Series, SeriesReport, SliceReport

    OnSlice = Callable[[SliceReport], None]


class Judge(Protocol):
    """A judge of slices. Its methods may be called from several threads at once; errors are `LungCNNError`s."""

    @property
    def card(self) -> ModelCard:
        """The model's card."""

    def load_slice(self, path_or_bytes: Path | bytes, frame: int = 0) -> CTSlice:
        """As `lungcnn.load_slice`."""

    def run(
        self, ct_slice: CTSlice, explain_class: str | None = None, method: str = ..., checks: bool = True
    ) -> SliceReport:
        """As `Pipeline.run`."""

    def run_file(
        self, path_or_bytes: Path | bytes, *, explain_class: str | None = None, method: str = ...
    ) -> Iterator[SliceReport]:
        """As `Pipeline.run_file`."""

    def run_series(self, series: Series, on_slice: OnSlice) -> SeriesReport:
        """As `Pipeline.run_series`; it ends early with what `on_slice` raises."""

    def dicom_files(self, source: Path | bytes, report: SliceReport) -> dict[str, bytes]:
        """As `lungcnn.dicom_files`, of all kinds."""


class JudgeHere:
    """A pipeline in this process."""

    def __init__(self, pipeline: Pipeline):
        from lungcnn import dicom_files, load_slice

        self.card = pipeline.card
        self.run, self.run_file, self.run_series = pipeline.run, pipeline.run_file, pipeline.run_series
        self.load_slice, self.dicom_files = load_slice, dicom_files
