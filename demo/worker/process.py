"""One worker process: started, spoken to over its pipe, and its end noticed."""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.connection import Pipe
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import TYPE_CHECKING

from demo import texts
from demo.worker.protocol import Call, Failure, Loaded, NotLoaded, Progress, Result, Stop
from lungcnn import LungCNNError

if TYPE_CHECKING:
    from lungcnn import ModelCard

Inbox = queue.SimpleQueue[Progress | Result | Failure]


class WorkerError(LungCNNError):
    """The process that runs the model died or hung while it was at work."""

    code = "worker"


class WorkerProcess:
    """`python -m demo.worker`, once.

    Attributes:
        ready: its model's card, or why there is none.
        refused: True where the model can't be loaded, which it can't be the next time either.
    """

    def __init__(self, arguments: list[str], ready: Future[ModelCard], on_end: Callable[[WorkerProcess], None]):
        self.ready, self.refused, self._on_end = ready, False, on_end
        self._numbers = itertools.count()
        self._inboxes: dict[int, Inbox] = {}
        self._outbox: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
        self._connection, theirs = Pipe()
        handle = theirs.fileno()
        paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "demo.worker", str(handle), *arguments],
            pass_fds=[handle],
            stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )
        theirs.close()
        # Sending has a thread of its own: a process that hangs doesn't read its pipe, and would hold whoever writes.
        for target in (self._send, self._listen):
            threading.Thread(target=target, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    @property
    def busy(self) -> bool:
        """Whether somebody waits for an answer."""
        return bool(self._inboxes)

    def begin(self, name: str, args: tuple, options: dict) -> tuple[int, Inbox]:
        """Call a method; returns the call's number, and where its messages arrive."""
        number, inbox = next(self._numbers), Inbox()
        message = ForkingPickler.dumps(Call(number, name, args, options))
        self._inboxes[number] = inbox
        self._outbox.put(message)
        if self.returncode is not None:  # it ended meanwhile: nobody else will say so
            inbox.put(Failure(number, WorkerError(texts.WORKER_DIED)))
        return number, inbox

    def leave(self, number: int) -> None:
        """Wait no longer for a call."""
        if self._inboxes.pop(number, None):
            self._outbox.put(ForkingPickler.dumps(Stop(number)))

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)

    def _send(self) -> None:
        with contextlib.suppress(OSError):
            while (message := self._outbox.get()) is not None:
                self._connection.send_bytes(message)

    def _listen(self) -> None:
        """Hand messages to those who wait for them, until the process ends."""
        with contextlib.suppress(EOFError, OSError):
            while not self.refused:
                message = self._connection.recv()
                if isinstance(message, Loaded):
                    self.ready.set_result(message.card)
                elif isinstance(message, NotLoaded):
                    self.refused = True
                    self.ready.set_exception(message.error)
                elif isinstance(message, Progress):
                    if inbox := self._inboxes.get(message.number):
                        inbox.put(message)
                elif inbox := self._inboxes.pop(message.number, None):
                    inbox.put(message)
        self._process.kill()
        self._process.wait()
        self._outbox.put(None)
        self._on_end(self)  # first, so that who hears of the end and asks again finds the next one
        self._connection.close()
        error = self.ready.exception() if self.refused else None
        reason = error if isinstance(error, Exception) else WorkerError(texts.WORKER_DIED)
        for number, inbox in list(self._inboxes.items()):
            inbox.put(Failure(number, reason))
