"""Many files through the pipeline, one after another; a bad one never stops the rest."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lungcnn.errors import UsageError
from lungcnn.loading import CTSlice, sniff
from lungcnn.pipeline import Pipeline
from lungcnn.rendering import encode_png, render_overlay
from lungcnn.report import SliceReport

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
    """

    overlay: Path | None = None
    heatmap: Path | None = None
    signed: bool = False
    contour: float | None = None
    _used: Counter = field(default_factory=Counter)

    def __post_init__(self):
        for folder in (self.overlay, self.heatmap):
            try:
                if folder:
                    folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UsageError(f"The folder {folder} can't be made: {error.strerror}.") from None

    def write(self, file: Path, ct_slice: CTSlice, report: SliceReport) -> None:
        """Write what is asked for of one judged slice."""
        if not (self.overlay or self.heatmap):
            return
        stem = file.stem if ct_slice.frames == 1 else f"{file.stem}-frame{ct_slice.frame}"
        self._used[stem] += 1
        if self._used[stem] > 1:
            stem = f"{stem}-{self._used[stem]}"
        if self.overlay:
            picture = render_overlay(ct_slice, report, signed=self.signed, contour=self.contour)
            (self.overlay / f"{stem}.png").write_bytes(encode_png(picture))
        if self.heatmap:
            np.save(self.heatmap / f"{stem}.npy", report.explanation.heatmap())


def predict_files(
    pipeline: Pipeline, files: Iterable[Path], outputs: Outputs, on_file: Callable[[], None], **options
) -> Iterator[tuple[Path, SliceReport]]:
    """Yield a report for each slice of each file, in order; options as `Pipeline.run`.

    Raises `UsageError` when an output can't be written: a full disk ends the run with a sentence.
    """
    for file in files:
        for ct_slice, report in pipeline.run_file(file, **options):
            if report.status == "ok":
                try:
                    outputs.write(file, ct_slice, report)
                except OSError as error:
                    raise UsageError(f"The overlay or heatmap could not be written: {error.strerror}.") from None
            yield file, report
        on_file()
