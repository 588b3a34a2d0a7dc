"""The page is there before the model: a judge that loads in the background."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from demo.judge import Judge, JudgeHere
from demo.worker.client import PipelineProcess
from lungcnn import usable_cores

if TYPE_CHECKING:
    from lungcnn import CTSlice


class JudgeInWaiting:
    """A judge that loads in the background, so that the page is served at once.

    Attributes:
        read: as `load_slice`; it doesn't wait for the judge.
    """

    def __init__(self, load: Callable[[], Judge], read: Callable[..., CTSlice]):
        self._load, self.read = load, read
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
        return self._outcome.result()


def judge_elsewhere(model: Path | str | None, threads: int) -> JudgeInWaiting:
    """A judge in a process of its own; on Windows, which can't hand a process an open pipe this way, in this one.

    Its process starts at once where there is a core to spare, and else when it is first asked (the page comes first).
    """
    if os.name == "nt":
        from lungcnn import Pipeline, load_slice

        return JudgeInWaiting(lambda: JudgeHere(Pipeline.load(model)), load_slice)
    once = threading.Lock()
    make = functools.cache(lambda: PipelineProcess(model, threads))

    def process() -> PipelineProcess:
        with once:
            return make()

    if usable_cores() > 1:
        process()
    return JudgeInWaiting(lambda: process().wait(), lambda content, frame=0: process().load_slice(content, frame))
