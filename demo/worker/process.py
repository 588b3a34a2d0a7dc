"""One worker process: started, spoken to over its pipe, and its end or its silence noticed."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.connection import Pipe
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import TYPE_CHECKING

from lungcnn import LungCNNError

from .. import texts
from .protocol import Beat, Begun, Call, Failure, Loaded, NotLoaded, Progress, Result, Stop

if TYPE_CHECKING:
    from lungcnn import ModelCard

Inbox = queue.SimpleQueue[Begun | Progress | Result | Failure]
# A process that is there but says nothing is given up: so many silences, of the seconds that it was given, while it
# loads its model or its code, which may hold it up for long.
_LOADING, _STARTING = 6, 30
_LOOKS = 10  # at each silence: this process may have been stopped itself
log = logging.getLogger("demo")


class WorkerError(LungCNNError):
    """The process that runs the model died or hung while it was at work."""

    code = "worker"


class WorkerDied(WorkerError):  # noqa: N818 - as its base
    """It died. Attributes: alone: whether nothing else was asked of it."""

    alone = False


class WorkerProcess:
    """`python -m demo.worker`, once.

    Attributes:
        ready: its model's card, or why there is none.
        refused: True where the model can't be loaded.
    """

    def __init__(
        self,
        arguments: list[str],
        ready: Future[ModelCard],
        on_end: Callable[[WorkerProcess], None],
        silence: float,
    ):
        self.ready, self.refused, self._on_end, self._silence = ready, False, on_end, silence
        self._unheard, self._heard = 0, False
        self._inboxes: dict[str, Inbox] = {}
        self._outbox: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
        self._connection, theirs = Pipe()
        handle = theirs.fileno()
        paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", str(__package__), str(handle), str(silence / 5), *arguments],
            pass_fds=[handle],
            stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )
        theirs.close()
        self._over = threading.Event()
        # Sending has a thread of its own: a process that hangs doesn't read its pipe, and would hold whoever writes.
        for target in (self._send, self._listen, self._watch):
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

    def begin(self, name: str, args: tuple, options: dict) -> tuple[str, Inbox]:
        """Call a method; returns the call's token, and where its messages arrive."""
        token, inbox = secrets.token_hex(8), Inbox()
        message = ForkingPickler.dumps(Call(token, name, args, options))
        self._inboxes[token] = inbox
        self._outbox.put(message)
        if self._over.is_set():  # nobody else will say so
            inbox.put(Failure(token, WorkerDied(texts.WORKER_DIED)))
        return token, inbox

    def tell(self, name: str, *args) -> None:
        """Call a method without waiting for anything."""
        self._outbox.put(ForkingPickler.dumps(Call(secrets.token_hex(8), name, args)))

    def leave(self, token: str) -> None:
        """Wait no longer for a call."""
        if self._inboxes.pop(token, None):
            self._outbox.put(ForkingPickler.dumps(Stop(token)))

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)

    def _send(self) -> None:
        with contextlib.suppress(OSError):
            while (message := self._outbox.get()) is not None:
                self._connection.send_bytes(message)
                del message  # it may be large, and the next may be long in coming

    def _watch(self) -> None:
        """Kill it where it is stopped or hangs: others wait for it, and it would not end by itself."""
        while not self._over.wait(self._silence / _LOOKS):
            self._unheard += 1
            patience = 1 if self.ready.done() else _LOADING if self._heard else _STARTING
            if self._unheard > patience * _LOOKS:
                log.error("the worker process said nothing for %g seconds", patience * self._silence)
                self.end()

    def _listen(self) -> None:
        """Hand messages to those who wait for them, until the process ends."""
        with contextlib.suppress(EOFError, OSError):
            while not self.refused:
                message = self._connection.recv()
                self._unheard, self._heard = 0, True
                if isinstance(message, Loaded):
                    self.ready.set_result(message.card)
                elif isinstance(message, NotLoaded):
                    self.refused = True
                    self.ready.set_exception(message.error)
                elif isinstance(message, Begun | Progress):
                    if inbox := self._inboxes.get(message.token):
                        inbox.put(message)
                elif not isinstance(message, Beat) and (inbox := self._inboxes.pop(message.token, None)):
                    inbox.put(message)
                del message
        self._process.kill()
        self._process.wait()
        self._outbox.put(None)
        self._on_end(self)  # first, so that who hears of the end and asks again finds the next one
        self._over.set()
        self._connection.close()
        left = list(self._inboxes.items())
        for token, inbox in left:
            error = WorkerDied(texts.WORKER_DIED)
            error.alone = len(left) == 1
            inbox.put(Failure(token, error))
