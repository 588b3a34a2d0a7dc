"""The worker process is kept: another is started where it ends, and waited for while its model loads."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from .. import texts
from .process import Inbox, WorkerError, WorkerProcess

if TYPE_CHECKING:  # the process is on its way before these are imported
    from lungcnn import ModelCard

_START_AGAIN = 3  # deaths in a row, without having become ready, after which callers wait no longer
_LONGEST_PAUSE = 60  # seconds between tries then
log = logging.getLogger("demo")


class KeptWorker:
    """A `WorkerProcess`, and the next one where it dies.

    Args:
        arguments: of the process. silence: seconds that it may be silent.

    Attributes:
        worker: the one that runs now.
    """

    def __init__(self, arguments: list[str], silence: float):
        self._arguments, self._silence = arguments, silence
        self._lock = threading.Lock()
        self._failures, self._closed = 0, False
        self._trouble: WorkerError | None = None
        self.worker = self._start(Future())

    @property
    def trouble(self) -> WorkerError | None:
        """Why there is none with a model at the moment, or None."""
        ready = self.worker.ready
        # A future tells those who wait for it before it calls `_settled`.
        failed = ready.done() and ready.exception() is not None
        return self._trouble or (WorkerError(texts.WORKER_GONE) if failed else None)

    def begin(self, name: str, args: tuple, options: dict[str, Any]) -> tuple[WorkerProcess, str, Inbox]:
        """Ask something of the process that runs now: it, and as its `begin` returns."""
        worker = self.worker  # should it have ended since, its `begin` says so
        return worker, *worker.begin(name, args, options)

    def close(self) -> None:
        """End the process, and start no other."""
        self._closed = True
        self.worker.end()

    def loaded(self) -> ModelCard:
        """Wait for the model. Raises `WorkerError` where it can't be loaded."""
        if self.trouble:
            raise self.trouble
        try:
            return self.worker.ready.result()
        except Exception:  # noqa: BLE001 - it may name paths of this machine: it went to the log
            raise self.trouble or WorkerError(texts.WORKER_GONE) from None

    def _start(self, ready: Future[ModelCard]) -> WorkerProcess:
        ready.add_done_callback(self._settled)
        return WorkerProcess(self._arguments, ready, self._ended, self._silence)

    def _settled(self, ready: Future[ModelCard]) -> None:
        if ready.exception() is None:
            self._failures, self._trouble = 0, None
        else:
            log.error("the model can't be loaded: %s", ready.exception())
            self._trouble = WorkerError(texts.WORKER_GONE)

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
                self.worker = self._start(Future() if worker.ready.done() else worker.ready)
                return
            if not worker.ready.done():
                worker.ready.set_exception(WorkerError(texts.WORKER_DIED))
        pause = threading.Timer(min(_LONGEST_PAUSE, 2.0**self._failures), self._start_again)
        pause.daemon = True
        pause.start()

    def _start_again(self) -> None:
        with self._lock:
            if not self._closed:
                self.worker = self._start(Future())
