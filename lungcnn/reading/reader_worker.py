"""What runs in a process of `reader_process`: requests are read from its input and answered, one after another.

`python -m lungcnn.reading.reader_worker NICENESS`: of no use to a person.
"""

import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from lungcnn.errors import LungCNNError
from lungcnn.reading.dicom_headers import read_headers
from lungcnn.reading.limits import MAX_BYTES
from lungcnn.reading.loading import FileHere
from lungcnn.reading.reader_process import MEMORY, SECONDS, receive, send, too_costly

# Decoders that are loaded when they are first needed, which would count as the first file's cost.
_DECODERS = ("cv2", "gdcm", "openjpeg", "PIL.TiffImagePlugin", "PIL.WebPImagePlugin", "pydicom.pixels.decoders")


class _Worker:
    """Answers requests; holds the file that was opened last."""

    def __init__(self) -> None:
        self._source: FileHere | None = None

    def answer(self, task: str, argument):
        """What `task` gives, or the error that it ends in."""
        try:
            if task == "headers":
                return read_headers(argument)
            if task == "open":
                self._source = None
                self._source = FileHere(argument)
                return self._source.frames
            return self._source.read(argument) if self._source else too_costly()
        except LungCNNError as error:
            return error
        except MemoryError:
            return too_costly()


class _Records(logging.Handler):
    """Keeps what is logged, for the process that asked."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())

    def taken(self) -> list[str]:
        texts, self.texts = self.texts, []
        return texts


def _load_decoders() -> None:
    from importlib import import_module

    for name in _DECODERS:
        with suppress(ImportError):
            import_module(name)
    import cv2

    cv2.setNumThreads(1)


def _limit(seconds: float, memory: int | None) -> None:
    """Let the system end this process after so much processor time, and give it no more memory than it has now."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)  # its signal ends a process that doesn't handle it
    with suppress(ImportError, OSError, ValueError):
        import resource

        now = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (hard if memory is None else now + memory, hard))


def _serve() -> None:
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a decoder prints must not get among the answers
    _load_decoders()
    if hasattr(os, "nice"):
        os.nice(int(sys.argv[1]))
    worker, records = _Worker(), _Records()
    logging.getLogger("lungcnn").addHandler(records)
    while True:
        try:
            task, argument = receive(requests)
        except EOFError:
            return
        # A file that is long itself is held twice, as it came and as its parts, and takes its time to be copied.
        size = len(argument) if isinstance(argument, bytes) else 0
        _limit(SECONDS * (1 + size / MAX_BYTES), MEMORY + size)
        answer = worker.answer(task, argument)
        del argument
        _limit(0, None)
        send(answers, (answer, records.taken()))


if __name__ == "__main__":
    _serve()
