"""The page is there before the model: a judge that loads in the background."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import cached_property
from pathlib import Path

from lungcnn import usable_cores

from .judge import Judge, JudgeHere, Reader, ReadHere
from .worker.client import PipelineProcess


class JudgeInWaiting:
    """A judge that loads in the background, so that the page is served at once.

    Args:
        load: gives the judge, or raises why there is none; it is asked again then. reader: reads files meanwhile.
        trouble: gives why nothing can be judged at the moment, or None.

    Attributes:
        reader: as given; it doesn't wait for the judge.
    """

    def __init__(
        self, load: Callable[[], Judge], reader: Reader, trouble: Callable[[], Exception | None] = lambda: None
    ):
        self._load, self.reader, self.trouble = load, reader, trouble
        self._outcome: Future[Judge] = Future()

    def start(self) -> None:
        """Begin loading, in a thread of its own."""
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._outcome.set_result(self._load())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the judge is asked for
            self._outcome.set_exception(error)

    @property
    def ready(self) -> bool:
        """True when `get` won't wait."""
        return self._outcome.done()

    def get(self) -> Judge:
        """The judge, waited for. Raises what loading ended in."""
        return self._load() if self._outcome.exception() else self._outcome.result()


class _Elsewhere:
    """A process of its own that is started when it is first asked for something."""

    def __init__(self, model: Path | str | None, threads: int):
        self._arguments, self._once = (model, threads), threading.Lock()

    @cached_property
    def _made(self) -> PipelineProcess:
        return PipelineProcess(*self._arguments)

    def start(self) -> PipelineProcess:
        with self._once:
            return self._made

    @property
    def trouble(self) -> Exception | None:
        """As of the process, which isn't started for that."""
        return self._made.trouble if "_made" in self.__dict__ else None

    def __getattr__(self, name: str):
        return getattr(self.start(), name)


def judge_elsewhere(model: Path | str | None, threads: int) -> JudgeInWaiting:
    """A judge in a process of its own; on Windows, which can't hand a process an open pipe this way, in this one.

    Its process starts at once where there is a core to spare, and else when it is first asked (the page comes first).
    """
    if os.name == "nt":
        from lungcnn import Pipeline

        return JudgeInWaiting(lambda: JudgeHere(Pipeline.load(model)), ReadHere())
    elsewhere = _Elsewhere(model, threads)
    if usable_cores() > 1:
        elsewhere.start()
    return JudgeInWaiting(lambda: elsewhere.wait(), elsewhere, lambda: elsewhere.trouble)
