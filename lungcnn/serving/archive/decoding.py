"""Files prepared by a pool of processes, in order; a file that kills its process gets an error."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context

from lungcnn.errors import LungCNNError, RefusalError, UnreadableFileError, told_as
from lungcnn.gate.prepared import Prepared, prepare_file
from lungcnn.reading.uids import stated_uids
from lungcnn.serving.archive.listing import read_file

_AHEAD = 16  # files a process


def prepare_named(name: str) -> list[Prepared]:
    """Every frame of a file, prepared; for a process that decodes."""
    try:
        with told_as(UnreadableFileError, "Reading the file failed."):
            content = read_file(name)
            prepared = list(prepare_file(content))
            read = any(one.error is None or isinstance(one.error, RefusalError) for one in prepared)
            uids = stated_uids(content) if read else (None, None)
            return [replace(one, uids=uids) for one in prepared]
    except LungCNNError as error:
        return [Prepared(None, error=error)]


def decoded(files: Sequence[str], workers: int, work: Callable = prepare_named) -> Iterator[tuple[str, list[Prepared]]]:
    """Each file prepared by a pool of processes, in order; a file that kills its process gets an error."""
    remaining = list(files)[::-1]
    while remaining:
        broken: list = []
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_process) as pool:
            ahead: list = []
            try:
                while remaining or ahead:
                    while remaining and len(ahead) < workers * _AHEAD:
                        name = remaining.pop()
                        ahead.append((name, pool.submit(work, name)))
                    name, future = ahead[0]
                    prepared = future.result()
                    ahead.pop(0)
                    yield name, prepared
            except BrokenProcessPool:
                broken = ahead
        for name, future in broken:  # one of those in flight did it: each gets a process of its own
            yield name, _alone(name, work) if future.exception() else future.result()


def _alone(name: str, work: Callable) -> list[Prepared]:
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_start_process) as pool:
            return pool.submit(work, name).result()
    except BrokenProcessPool:
        error = UnreadableFileError("Reading the file ended its process: a decoder crashed or memory ran out.")
        return [Prepared(None, error=error)]


def _start_process() -> None:
    """Set up a process that decodes."""
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
