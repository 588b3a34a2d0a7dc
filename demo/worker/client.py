"""The page's side: a `Judge` whose work is done in another process, which is started again when it dies."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import logging
import queue
import threading
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import texts
from ..fair import Gate
from .deposits import NotKept, Upload
from .process import WorkerDied, WorkerError, WorkerProcess
from .protocol import Begun, Failure, Progress

if TYPE_CHECKING:  # the process is on its way before these are imported
    from lungcnn import CTSlice, ModelCard, Reading, SeriesReport, SliceReport

    from ..judge import OnSlice

PATIENCE = 120  # seconds without a word on a call at work after which a process is given up
SILENCE = 10  # seconds without any word
_WHILE_LOADING = ("load_slice", "read_series", "read_slice")
_START_AGAIN = 3  # deaths in a row, without having become ready, after which callers wait no longer
_LONGEST_PAUSE = 60  # seconds between tries then
_LONG, _LONG_AT_ONCE = ("run_series", "read_series"), 4  # half of them of one visitor
_TRIES = 4  # of a call, where the process dies each time
log = logging.getLogger("demo")
_running: weakref.WeakSet[PipelineProcess] = weakref.WeakSet()


class PipelineProcess:
    """A `lungcnn.Pipeline` elsewhere: its methods called here run there. Safe to use from several threads.

    Calls raise what the pipeline raises. Where the process dies, what was asked of it is asked again of the next one;
    `WorkerError` is raised for what kills that, too, and what did so is not tried any more.

    Args:
        model: as `Pipeline.load`. threads: calls that run at the same time.
        patience: seconds that a call may work without a word. silence: seconds that the process may be silent.

    Attributes:
        trouble: why nothing can be judged at the moment; None where it can, or will as soon as the model is loaded.
    """

    def __init__(
        self,
        model: Path | str | None = None,
        threads: int = 2,
        patience: float = PATIENCE,
        silence: float = SILENCE,
    ):
        self._arguments = [str(threads), str(model or "")]
        self._patience, self._silence = patience, silence
        self._lock, self._one_suspect = threading.Lock(), threading.Lock()
        self._deadly: deque[bytes] = deque(maxlen=256)
        self._gates = {
            False: Gate(threads),
            True: Gate(_LONG_AT_ONCE, _LONG_AT_ONCE // 2),
        }  # by whether a call is a long one
        self._failures, self._closed = 0, False
        self.trouble: WorkerError | None = None
        self._worker = self._start(Future())
        _running.add(self)

    def wait(self) -> PipelineProcess:
        """Return when the model is loaded. Raises `WorkerError` where it can't be."""
        self.card  # noqa: B018
        return self

    @property
    def card(self) -> ModelCard:
        """The model's card. Waits until the model is loaded."""
        return self._loaded()

    @property
    def pid(self) -> int:
        """Of the process that runs the model now."""
        return self._worker.pid

    def load_slice(self, path_or_bytes: bytes | Path, frame: int = 0) -> CTSlice:
        """As `lungcnn.load_slice`: what crashes a decoder crashes it there."""
        return _last(self._call("load_slice", path_or_bytes, frame, content=[path_or_bytes]))

    def read_series(self, upload: Upload, progress: Callable[[int, int], object] = lambda done, files: None) -> Reading:
        """As `lungcnn.read_series`, without the files, which stay there until nobody looks at the upload here."""
        weakref.finalize(upload, self._forget, upload.name).atexit = False
        told = self._call("read_series", upload, content=upload.files)
        return _last(told, lambda done: progress(*done))

    def read_slice(
        self, upload: Upload, number: int, index: int, with_file: bool = False
    ) -> tuple[CTSlice, bytes | None]:
        """A slice of one of its series, and its file where asked for."""
        return self._of(upload, "read_slice", number, index, with_file)

    def run(self, ct_slice: CTSlice, *args, **options) -> SliceReport:
        """As `Pipeline.run`."""
        return _last(self._call("run", ct_slice, *args, content=[ct_slice], **options))

    def run_file(self, path_or_bytes: bytes | Path, **options) -> Iterator[SliceReport]:
        """As `Pipeline.run_file`; it ends there when it is closed here."""
        yield from self._call("run_file", path_or_bytes, content=[path_or_bytes], **options)

    def run_series(self, upload: Upload, number: int, on_slice: OnSlice = lambda report: None) -> SeriesReport:
        """As `Pipeline.run_series`, of one of its series. It ends there when `on_slice` raises here."""
        return self._of(upload, "run_series", number, on_each=on_slice)

    def dicom_files(self, source, report) -> dict[str, bytes]:
        """As `lungcnn.dicom_files`, of all kinds: a stranger's header is parsed there."""
        return _last(self._call("dicom_files", source, report, content=[source]))

    def close(self) -> None:
        """End the process."""
        self._closed = True
        self._worker.end()

    def _of(self, upload: Upload, name: str, *args, on_each: OnSlice = lambda value: None) -> Any:
        """A call about an upload, by its name; where it isn't kept there (any more), with its files."""
        try:
            return _last(self._call(name, Upload((), upload.name), *args, content=upload.files), on_each)
        except NotKept:
            return _last(self._call(name, upload, *args, content=upload.files), on_each)

    def _forget(self, name: str) -> None:
        self._worker.tell("forget", name)

    def _call(self, name: str, *args, content: Iterable, **options) -> Generator[Any, None, Any]:
        """Yield what a call tells on its way; return its result.

        A call in whose midst the process dies is made again: alone among such ones, so that those who were only beside
        the one that kills are told apart from it. `content` is what a visitor sent, by which it is known again.
        """
        if self._deadly and _digest(content) in self._deadly:
            raise WorkerError(texts.WORKER_DEADLY)
        told = 0
        for attempt in itertools.count(1):
            steps, number = self._once(name, args, options), 0
            with self._one_suspect if attempt > 1 else contextlib.nullcontext(), contextlib.closing(steps):
                try:
                    while True:
                        value = next(steps)
                        number += 1
                        if number > told:  # the first try may have told it already
                            told = number
                            yield value
                except StopIteration as end:
                    return end.value
                except WorkerDied as error:
                    if attempt > 1 and error.alone:
                        self._deadly.append(_digest(content))
                        raise WorkerError(texts.WORKER_DEADLY) from None
                    if attempt == _TRIES:
                        raise
        return None

    def _once(self, name: str, args: tuple, options: dict) -> Generator[Any, None, Any]:
        if name not in _WHILE_LOADING or self._worker.ready.done():
            self._loaded()
        with self._gates[name in _LONG].place():
            return (yield from self._told(name, args, options))

    def _told(self, name: str, args: tuple, options: dict) -> Generator[Any, None, Any]:
        """What a call tells and returns. Raises `WorkerDied` where the process does."""
        with self._lock:
            worker = self._worker
            token, inbox = worker.begin(name, args, options)
        begun = False
        try:
            while True:
                try:
                    message = inbox.get(timeout=self._patience)
                except queue.Empty:
                    if not begun:  # it stands in line there; silence of the process as a whole is noticed elsewhere
                        continue
                    worker.end()
                    raise WorkerError(texts.WORKER_SLOW.format(seconds=int(self._patience))) from None
                if isinstance(message, Progress):
                    yield message.value
                elif isinstance(message, Begun):
                    begun = True
                elif isinstance(message, Failure):
                    raise message.error
                else:
                    return message.value
        finally:
            worker.leave(token)

    def _loaded(self) -> ModelCard:
        """Wait for the model. Raises `WorkerError` where it can't be loaded."""
        if self.trouble:
            raise self.trouble
        try:
            return self._worker.ready.result()
        except Exception:  # noqa: BLE001 - it may name paths of this machine: it went to the log
            raise self.trouble or WorkerError(texts.WORKER_GONE) from None

    def _start(self, ready: Future[ModelCard]) -> WorkerProcess:
        ready.add_done_callback(self._settled)
        return WorkerProcess(self._arguments, ready, self._ended, self._silence)

    def _settled(self, ready: Future[ModelCard]) -> None:
        if ready.exception() is None:
            self._failures, self.trouble = 0, None
        else:
            log.error("the model can't be loaded: %s", ready.exception())
            self.trouble = WorkerError(texts.WORKER_GONE)

    def _ended(self, worker: WorkerProcess) -> None:
        """Start another: at once, or after a while where that ended the same way several times."""
        if self._closed:
            return
        with self._lock:
            log.error("the worker process ended (status %s)", worker.returncode)
            loaded = worker.ready.done() and not worker.refused
            # A slice that was being read is to blame, not the model that was loading beside it.
            self._failures = 0 if loaded or (worker.busy and not worker.refused) else self._failures + 1
            if self._failures < _START_AGAIN and not worker.refused:
                self._worker = self._start(Future() if worker.ready.done() else worker.ready)
                return
            if not worker.ready.done():
                worker.ready.set_exception(WorkerError(texts.WORKER_DIED))
        pause = threading.Timer(min(_LONGEST_PAUSE, 2.0**self._failures), self._start_again)
        pause.daemon = True
        pause.start()

    def _start_again(self) -> None:
        with self._lock:
            if not self._closed:
                self._worker = self._start(Future())


def _digest(content: Iterable) -> bytes:
    """By which what a visitor sent is known again."""
    found = hashlib.sha256()
    for part in content:
        found.update(
            part if isinstance(part, bytes) else part.hu.tobytes() if hasattr(part, "hu") else str(part).encode()
        )
    return found.digest()


def _last(told: Generator[Any, None, Any], on_each: Callable[[Any], object] = lambda value: None) -> Any:
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
