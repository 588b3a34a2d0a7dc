"""The page's side: a `Judge` whose work is done in another process, which is started again when it dies."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import weakref
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo import texts
from demo.worker.process import WorkerError, WorkerProcess
from demo.worker.protocol import Failure, Progress

if TYPE_CHECKING:  # the process is on its way before these are imported
    from demo.judge import OnSlice
    from lungcnn import CTSlice, ModelCard, Series, SeriesReport, SliceReport

PATIENCE = 120  # seconds without a word after which a process is given up
_START_AGAIN = 3  # deaths in a row, without having become ready, after which we stop trying
log = logging.getLogger("demo")
_running: weakref.WeakSet[PipelineProcess] = weakref.WeakSet()


class PipelineProcess:
    """A `lungcnn.Pipeline` elsewhere: its methods called here run there. Safe to use from several threads.

    Calls raise what the pipeline raises, and `WorkerError` where its process died or said nothing for `patience`.
    Slices are read while the model still loads; everything else waits for it.

    Args:
        model: as `Pipeline.load`. threads: calls that run at the same time. patience: seconds.
    """

    def __init__(self, model: Path | str | None = None, threads: int = 2, patience: float = PATIENCE):
        self._arguments = [str(threads), str(model or "")]
        self._patience = patience
        self._lock = threading.Lock()
        self._failures = 0
        self._closed = False
        self._worker = self._start(Future())
        _running.add(self)

    def wait(self) -> PipelineProcess:
        """Return when the model is loaded. Raises what loading it raised."""
        self.card  # noqa: B018
        return self

    @property
    def card(self) -> ModelCard:
        """The model's card. Waits until the model is loaded."""
        return self._worker.ready.result()

    @property
    def pid(self) -> int:
        """Of the process that runs the model now."""
        return self._worker.pid

    def load_slice(self, path_or_bytes, frame: int = 0) -> CTSlice:
        """As `lungcnn.load_slice`: what crashes a decoder crashes it there."""
        return _last(self._call("load_slice", path_or_bytes, frame))

    def run(self, *args, **options) -> SliceReport:
        """As `Pipeline.run`."""
        return _last(self._call("run", *args, **options))

    def run_file(self, path_or_bytes, **options) -> Iterator[SliceReport]:
        """As `Pipeline.run_file`; it ends there when it is closed here."""
        yield from self._call("run_file", path_or_bytes, **options)

    def run_series(self, series: Series, on_slice: OnSlice = lambda report: None) -> SeriesReport:
        """As `Pipeline.run_series`: slices are decoded there, too. It ends there when `on_slice` raises here."""
        return _last(self._call("run_series", series), on_slice)

    def dicom_files(self, source, report) -> dict[str, bytes]:
        """As `lungcnn.dicom_files`, of all kinds: a stranger's header is parsed there."""
        return _last(self._call("dicom_files", source, report))

    def close(self) -> None:
        """End the process."""
        self._closed = True
        self._worker.end()

    def _call(self, name: str, *args, **options) -> Generator[Any, None, Any]:
        """Yield what a call tells on its way; return its result."""
        if name != "load_slice" or self._worker.ready.done():
            self._worker.ready.result()
        with self._lock:
            worker = self._worker
            number, inbox = worker.begin(name, args, options)
        try:
            while isinstance(message := inbox.get(timeout=self._patience), Progress):
                yield message.value
        except queue.Empty:
            worker.end()
            raise WorkerError(texts.WORKER_SLOW.format(seconds=int(self._patience))) from None
        finally:
            worker.leave(number)
        if isinstance(message, Failure):
            raise message.error
        return message.value

    def _start(self, ready: Future[ModelCard]) -> WorkerProcess:
        return WorkerProcess(self._arguments, ready, self._ended)

    def _ended(self, worker: WorkerProcess) -> None:
        """Start another, unless that would end the same way."""
        if self._closed or worker.refused:
            return
        with self._lock:
            log.error("the worker process ended (status %s)", worker.returncode)
            loaded = worker.ready.done()
            # A slice that was being read is to blame, not the model that was loading beside it.
            self._failures = 0 if loaded or worker.busy else self._failures + 1
            if self._failures < _START_AGAIN:
                self._worker = self._start(Future() if loaded else worker.ready)
            else:
                worker.ready.set_exception(WorkerError(texts.WORKER_GONE))


def _last(told: Generator[Any, None, Any], on_each: OnSlice = lambda value: None) -> Any:
    """The result of a call, what it tells on its way handed to `on_each`."""
    with contextlib.closing(told):
        while True:
            try:
                value = next(told)
            except StopIteration as end:
                return end.value
            on_each(value)


def close_all() -> None:
    """End every worker process of this one."""
    for running in list(_running):
        running.close()
