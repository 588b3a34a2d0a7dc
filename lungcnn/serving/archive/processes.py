"""Files worked on by a pool of processes, in order; a file that kills its process costs nothing but itself."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from lungcnn.errors import UnreadableFileError

Work = Callable[[Sequence[str]], list]
# Files that are handed to a process at once: one by one, handing them over takes a tenth of the time.
_TOGETHER = 8
_AHEAD = 2  # times that, for each process


def in_processes(
    files: Sequence[str], workers: int, work: Work, set_up: Callable[[], Any] | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield each file and what `work` gives for it; an `UnreadableFileError` for one that kills its process.

    Args:
        work: takes a few files, and gives a list of what it made of each. set_up: called in each process before any
            work. Both are functions that can be pickled.
    """
    together = max(1, min(_TOGETHER, len(files) // workers))
    remaining = [files[start : start + together] for start in range(0, len(files), together)][::-1]
    while remaining:
        broken: list = []
        with _pool(workers, set_up) as pool:
            ahead: list = []
            try:
                while remaining or ahead:
                    while remaining and len(ahead) < workers * _AHEAD:
                        ahead.append((remaining[-1], pool.submit(work, remaining[-1])))
                        remaining.pop()
                    names, future = ahead[0]
                    found = future.result()
                    ahead.pop(0)
                    yield from zip(names, found, strict=True)
            except BrokenProcessPool:
                broken = ahead
        for names, future in broken:  # one of those in flight did it: each gets a process of its own
            alone = future.exception() is not None
            yield from zip(
                names, (_alone(name, work, set_up) for name in names) if alone else future.result(), strict=True
            )


def _alone(name: str, work: Work, set_up: Callable[[], Any] | None) -> Any:
    try:
        with _pool(1, set_up) as pool:
            return pool.submit(work, [name]).result()[0]
    except BrokenProcessPool:
        return UnreadableFileError("Reading the file ended its process: a decoder crashed or memory ran out.")


def _pool(workers: int, set_up: Callable[[], Any] | None) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_process, initargs=(set_up,))


def _start_process(set_up: Callable[[], Any] | None) -> None:
    import signal
    from multiprocessing import parent_process
    from threading import Thread

    import cv2

    cv2.setNumThreads(1)  # with a process a core, threads inside of one would only take turns
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which then ends its processes

    parent = parent_process()

    def end_with_the_run():
        if parent is not None:
            parent.join()
        os._exit(1)  # a killed run can't tell its processes to go

    Thread(target=end_with_the_run, daemon=True).start()
    if set_up is not None:
        set_up()
