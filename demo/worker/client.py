"""The page's side: a `Judge` whose work is done in another process."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import queue
import threading
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import texts
from ..fair import Gate
from .deposits import NotKept, Upload
from .keeping import KeptWorker
from .process import WorkerDied, WorkerError, WorkerProcess
from .protocol import Begun, Failure, Progress

if TYPE_CHECKING:  # the process is on its way before these are imported
    from lungcnn import CTSlice, ModelCard, Reading, SeriesReport, SliceReport

    from ..judge import OnSlice

PATIENCE = 120  # seconds without a word on a call at work after which a process is given up
SILENCE = 10  # seconds without any word
_WHILE_LOADING = ("load_slice", "read_series", "read_slice")
_LONG = ("run_series", "read_series")
_TRIES = 4  # of a call, where the process dies each time
_running: weakref.WeakSet[PipelineProcess] = weakref.WeakSet()


class PipelineProcess:
    """A `lungcnn.Pipeline` elsewhere: its methods called here run there. Safe to use from several threads.

    Calls raise what the pipeline raises. Where the process dies, what was asked of it is asked again of the next one;
    `WorkerError` is raised for what kills that, too, and what did so is not tried any more.

    Args:
        model: as `Pipeline.load`. threads: calls that run at the same time.
        patience: seconds that a call may work without a word. silence: seconds that the process may be silent.
    """

    def __init__(
        self,
        model: Path | str | None = None,
        threads: int = 2,
        patience: float = PATIENCE,
        silence: float = SILENCE,
    ):
        self._patience, self._one_suspect = patience, threading.Lock()
        self._deadly: deque[bytes] = deque(maxlen=256)
        # By whether a call is a long one. Each of these takes as much of the processor as all the others.
        self._gates = {False: Gate(threads, spare=threads), True: Gate(threads, max(1, threads // 2))}
        self._kept = KeptWorker([str(threads), str(model or "")], silence)
        _running.add(self)

    def wait(self) -> PipelineProcess:
        """Return when the model is loaded. Raises `WorkerError` where it can't be."""
        self.card  # noqa: B018
        return self

    @property
    def trouble(self) -> WorkerError | None:
        """Why nothing can be judged at the moment; None where it can, or will as soon as the model is loaded."""
        return self._kept.trouble

    @property
    def card(self) -> ModelCard:
        """The model's card. Waits until the model is loaded."""
        return self._kept.loaded()

    @property
    def _worker(self) -> WorkerProcess:
        return self._kept.worker

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
        self._kept.close()

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
            self._kept.loaded()
        with self._gates[name in _LONG].place():
            return (yield from self._told(name, args, options))

    def _told(self, name: str, args: tuple, options: dict) -> Generator[Any, None, Any]:
        """What a call tells and returns. Raises `WorkerDied` where the process does."""
        worker, token, inbox = self._kept.begin(name, args, options)
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
