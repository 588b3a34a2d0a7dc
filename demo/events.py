"""What the page's events do. Each gives changes by the names of places on the page (`page.py`), step by step."""

import logging
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path

import gradio as gr

from lungcnn import (
    CTSlice,
    LungCNNError,
    ModelCard,
    Reading,
    SliceReport,
    UnsupportedFileError,
)

from . import changes, intake, series_view, texts, viewer, views
from .examples import Truth, truth_of
from .feed import SliceFeed
from .line import Changes, Steps
from .visit import Shown, Stack, Superseded, Turn, Visit
from .waiting import JudgeInWaiting
from .worker.deposits import Upload

PREDICTED = ""  # the choice of a class that follows the slice
_ZIP = b"PK"
_POLL = 0.4  # seconds between two words on how far a series is
log = logging.getLogger("demo")


class Events:
    """What visitors can ask for.

    `wanted` is the class to explain (`PREDICTED` for the most probable one), `method` one of `lungcnn.METHODS`.

    Args:
        waiting: gives the judge when it is first needed. card: its model's.
        dicom_results: whether results can be taken away as DICOM, which name the patient of the upload.
    """

    def __init__(self, waiting: JudgeInWaiting, card: ModelCard | None, dicom_results: bool = False):
        self._waiting, self._card, self._dicom_results = waiting, card, dicom_results

    # ------------------------------------------------------------ what is asked for

    def upload(self, visit: Visit, turn: Turn, files: list[str], wanted: str, method: str) -> Steps:
        """Uploaded files: taken from where they wait in memory, and judged."""
        return self._open(visit, turn, visit.newest(files), wanted, method)  # told apart at once, even if superseded

    def _open(self, visit: Visit, turn: Turn, files: list[str], wanted: str, method: str) -> Steps:
        # The browser's order stands in for the names, which don't come this far.
        upload = Upload(tuple(intake.take(file) for file in files))
        yield changes.step("read") | changes.NOTHING
        if len(upload.files) == 1 and not upload.files[0].startswith(_ZIP):
            ct_slice = self._waiting.reader.load_slice(upload.files[0])
            if ct_slice.frames == 1:
                yield from self._judge_alone(visit, turn, ct_slice, upload.files[0], wanted, method)
                return
        reading = yield from self._read_series(turn, upload)
        if not reading.series:
            reason = views.reason_text(reading.set_aside[0].reason) if reading.set_aside else ""
            raise UnsupportedFileError(texts.NO_SERIES.format(count=len(upload.files), reason=reason))
        if len(reading.series) == 1 and len(reading.series[0]) == 1:
            yield from self._judge_alone(visit, turn, *self._read(upload, 0, 0), wanted, method)
        else:
            yield from self._judge_series(visit, turn, upload, reading, 0, wanted, method)

    def _read_series(self, turn: Turn, upload: Upload) -> Generator[Changes, None, Reading]:
        """Find the series of an upload, saying how far it is."""
        at = (0, 0)

        def progress(done: int, files: int) -> None:
            nonlocal at
            turn.check()
            at = done, files

        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(copy_context().run, self._waiting.reader.read_series, upload, progress)
            while not wait([found], timeout=_POLL).done:
                if at[1]:
                    yield changes.step("read", texts.OF.format(done=at[0], count=at[1]))
        return found.result()

    def example(self, visit: Visit, turn: Turn, path: Path, wanted: str, method: str) -> Steps:
        """A bundled slice."""
        yield changes.step("read")
        ct_slice = self._waiting.reader.load_slice(path)
        yield from self._judge_alone(visit, turn, ct_slice, path, wanted, method, truth_of(path.stem))

    def another(self, visit: Visit, turn: Turn, number: int | None, wanted: str, method: str) -> Steps:
        """Another series of the same upload."""
        visit.check_held()
        stack = visit.shown.stack
        if stack is not None and number is not None and number in range(len(stack.reading.series)):
            yield from self._judge_series(visit, turn, stack.upload, stack.reading, int(number), wanted, method)

    def scroll(self, visit: Visit, turn: Turn, place: str | None, wanted: str, method: str) -> Steps:
        """The slice of the series at which the browser came to rest: `NAME/NUMBER`, counted from 1."""
        visit.check_held()
        stack, (name, _, number) = visit.shown.stack, (place or "").partition("/")
        if stack is not None and name == stack.name and number.isdecimal():
            index = min(max(int(number) - 1, 0), len(stack.series) - 1)
            yield from self._show(visit, turn, stack, index, wanted, method)
            yield from self.explain(visit, turn, wanted, method)

    def explain(self, visit: Visit, turn: Turn, wanted: str, method: str) -> Steps:
        """The slice that is shown, explained for a class by a method, and the explanation checked."""
        visit.check_held()
        if visit.shown.judged:
            yield changes.said_of(self._run(visit, turn, wanted, method), self._card)

    def cancel(self, visit: Visit, turn: Turn) -> Steps:
        """What was under way is over; the page says so."""
        visit.show(turn, Shown())
        yield {"outcome": views.notice(texts.CANCELLED, texts.CANCELLED_HINT)} | changes.NO_RESULT | changes.NOTHING

    def clear(self, visit: Visit, turn: Turn) -> Steps:
        """The page as it was at first."""
        visit.show(turn, Shown())
        yield {"outcome": views.result()} | changes.NO_RESULT | changes.NOTHING

    def guarded(self, visit: Visit, turn: Turn, steps: Steps) -> Steps:
        """Our own errors as a message; anything else as one too, with its kind (never its text) in the log."""
        try:
            yield from steps
        except Superseded:
            return
        except LungCNNError as error:
            yield from _failed(visit, turn, views.stopped(error))
        except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback reaches a visitor
            log.error("unexpected %s while judging a slice", type(error).__name__)
            yield from _failed(visit, turn, views.message(texts.FAILED_TITLE, texts.FAILED))

    # ------------------------------------------------------------ how it is done

    def _judge_alone(
        self,
        visit: Visit,
        turn: Turn,
        ct_slice: CTSlice,
        content: bytes | Path | None,
        wanted: str,
        method: str,
        truth: Truth | None = None,
    ) -> Steps:
        """Show, judge, check: the picture is there before the network has spoken."""
        shown = visit.show(turn, Shown(ct_slice, source=self._source(ct_slice, content), truth=truth))
        yield changes.step("judge" if self._waiting.ready else "model") | {"slice": viewer.slice_data(shown)}
        shown = self._run(visit, turn, wanted, method, checks=False)
        again = {"slice": viewer.slice_data(shown)} if shown.corrected else {}
        yield changes.said_of(shown, self._card, pending=True) | again
        yield from self.explain(visit, turn, wanted, method)

    def _judge_series(
        self, visit: Visit, turn: Turn, upload: Upload, reading: Reading, number: int, wanted: str, method: str
    ) -> Steps:
        """Judge every slice, saying how far it is; then show the slice to look at first."""
        series = reading.series[number]
        visit.show(turn, Shown())
        yield changes.step("series" if self._waiting.ready else "model") | changes.NOTHING
        judge = self._waiting.get()
        done: list[SliceReport] = []

        def on_slice(report: SliceReport) -> None:
            turn.check()
            done.append(report)

        with ThreadPoolExecutor(1) as pool:
            judged = pool.submit(copy_context().run, judge.run_series, upload, number, on_slice)
            while not judged.done():
                yield changes.step("series", texts.OF.format(done=len(done), count=len(series)))
                wait([judged], timeout=_POLL)
        report = judged.result()
        index = report.suspicious[0] if report.suspicious else len(series) // 2
        panel = {
            "which": gr.update(choices=series_view.titles(reading), value=number, visible=len(reading.series) > 1),
            "overview": series_view.overview(report, reading, self._card, number),
        }
        feed = SliceFeed(self._waiting, upload, number, series, report.positions, self._card)
        stack = Stack(upload, number, reading, series, report, feed)
        for shown in self._show(visit, turn, stack, index, wanted, method):
            yield shown | panel
        yield from self.explain(visit, turn, wanted, method)

    def _show(self, visit: Visit, turn: Turn, stack: Stack, index: int, wanted: str, method: str) -> Steps:
        """A slice of the series with its map; one that can't be read says so, and the rest stays usable."""
        try:
            ct_slice, content = self._read(stack.upload, stack.number, index)
        except LungCNNError as error:
            where = texts.WHICH_SLICE.format(number=index + 1, count=len(stack.series))
            visit.show(turn, Shown(index=index, stack=stack))
            said: Changes = {"outcome": views.stopped(error, where)}
            yield said | changes.UNJUDGED | {"slice": viewer.slice_data(visit.shown, method)}
            return
        visit.show(turn, Shown(ct_slice, None, index, stack, self._source(ct_slice, content)))
        shown = self._run(visit, turn, wanted, method, checks=False)
        yield {"slice": viewer.slice_data(shown, method)} | changes.said_of(shown, self._card, pending=True)

    def _run(self, visit: Visit, turn: Turn, wanted: str, method: str, checks: bool = True) -> Shown:
        """Judge the slice that is shown."""
        shown = visit.shown
        turn.check()
        visit.check_held()
        if shown.given is None:
            raise Superseded
        report = self._waiting.get().run(shown.given, wanted or None, method=method, checks=checks)
        shown = replace(shown, report=report)
        # Of what is refused no pixels are kept.
        visit.show(turn, shown if shown.judged else Shown(index=shown.index, stack=shown.stack))
        return shown

    def _read(self, upload: Upload, number: int, index: int) -> tuple[CTSlice, bytes | None]:
        return self._waiting.reader.read_slice(upload, number, index, self._dicom_results)

    def _source(self, ct_slice: CTSlice, content: bytes | Path | None) -> bytes | Path | None:
        """What is kept of an upload: nothing but for DICOM results."""
        return content if self._dicom_results and ct_slice.kind == "dicom" else None


def _failed(visit: Visit, turn: Turn, said: str) -> Steps:
    try:
        visit.show(turn, Shown())
    except Superseded:
        return
    yield {"outcome": said} | changes.NO_RESULT | changes.NOTHING
