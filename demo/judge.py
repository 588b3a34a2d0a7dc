"""What the page asks of whoever reads and judges slices: of this process, or of one of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # a worker is on its way before these are imported
    from lungcnn import CTSlice, ModelCard, Pipeline, Reading, SeriesReport, SliceReport

    from .worker.deposits import Upload

    OnSlice = Callable[[SliceReport], None]
    Done = Callable[[int, int], object]


class Reader(Protocol):
    """Reads files. Its methods may be called from several threads at once; errors are `LungCNNError`s."""

    def load_slice(self, path_or_bytes: Path | bytes, frame: int = 0) -> CTSlice:
        """As `lungcnn.load_slice`."""

    def read_series(self, upload: Upload, progress: Done = ...) -> Reading:
        """As `lungcnn.read_series`, of an upload; the slices can't be read from what it returns."""

    def read_slice(
        self, upload: Upload, number: int, index: int, with_file: bool = False
    ) -> tuple[CTSlice, bytes | None]:
        """A slice of one of its series, counted from 0, and its file where asked for."""


class Judge(Reader, Protocol):
    """A reader that judges slices, too."""

    @property
    def card(self) -> ModelCard:
        """The model's card."""

    def run(
        self, ct_slice: CTSlice, explain_class: str | None = None, method: str = ..., checks: bool = True
    ) -> SliceReport:
        """As `Pipeline.run`."""

    def run_file(
        self, path_or_bytes: Path | bytes, *, explain_class: str | None = None, method: str = ...
    ) -> Iterator[SliceReport]:
        """As `Pipeline.run_file`."""

    def run_series(self, upload: Upload, number: int, on_slice: OnSlice) -> SeriesReport:
        """As `Pipeline.run_series`, of one of its series; it ends early with what `on_slice` raises."""

    def dicom_files(self, source: Path | bytes, report: SliceReport) -> dict[str, bytes]:
        """As `lungcnn.dicom_files`, of all kinds."""


class ReadHere:
    """A reader in this process."""

    def __init__(self) -> None:
        from lungcnn import load_slice

        from .worker.deposits import Deposits

        self.load_slice = load_slice
        self._deposits = Deposits()
        self.read_series = self._deposits.read

    def read_slice(self, upload: Upload, number: int, index: int, with_file: bool = False):
        return self._deposits.slice(upload, number, index, with_file)


class JudgeHere(ReadHere):
    """A pipeline in this process."""

    def __init__(self, pipeline: Pipeline):
        from lungcnn import dicom_files

        super().__init__()
        self._pipeline, self.card = pipeline, pipeline.card
        self.run, self.run_file, self.dicom_files = pipeline.run, pipeline.run_file, dicom_files

    def run_series(self, upload: Upload, number: int, on_slice: OnSlice) -> SeriesReport:
        return self._pipeline.run_series(self._deposits.series(upload, number), on_slice)
