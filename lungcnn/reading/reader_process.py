"""Files that may cost much are read in a process of their own, under limits that the operating system keeps.

So an encoding that unfolds without end, or that makes a decoder abort, ends in a sentence. A process is started when
the first such file comes, and another after it has died or was let go, for nobody had asked it for a minute; one reads
single files, which somebody waits for, and one the many of a series. Nothing is written to disk.
"""

import atexit
import logging
import os
import pickle
import signal
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from threading import Lock, Thread, Timer
from typing import Any

from lungcnn.errors import LungCNNError, UnreadableFileError, UnsupportedFileError

# What one request may cost: a slice as scanners write them takes a tenth of that.
SECONDS = 2.0
MEMORY = 300 * 2**20
PATIENCE_S = 60.0
# After which a process that nobody asks gives its memory back: another is there within half a second.
IDLE_S = 60.0
# Of the process that reads series (`os.nice`): there is always a next slice to read.
NICENESS = 3
# Whether what is read now is one of many files.
OF_MANY: ContextVar[bool] = ContextVar("of_many", default=False)
_log = logging.getLogger("lungcnn")


class FileApart:
    """A file opened in the other process once for all its frames: a `SliceSource`."""

    def __init__(self, data: bytes):
        self._data, self._reader = data, _READERS[OF_MANY.get()]
        self.frames: int = self._reader.ask("open", data, opens=self)

    def read(self, frame: int):
        """Decode a frame. Raises as `load_slice`."""
        return self._reader.read(self, self._data, frame)


def headers_apart(path_or_bytes: bytes | Path):
    """As `read_headers`."""
    return _READERS[OF_MANY.get()].ask("headers", path_or_bytes)


@contextmanager
def reading_many() -> Iterator[None]:
    """What is read in the block is one of many files."""
    token = OF_MANY.set(True)
    try:
        yield
    finally:
        OF_MANY.reset(token)


class _InTurn:
    """A lock that goes to who has waited longest; Python's own often goes to who has just given it back."""

    def __init__(self) -> None:
        self._lock, self._taken = Lock(), False
        self._waiting: deque[Lock] = deque()

    def __enter__(self) -> None:
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            mine = Lock()
            mine.acquire()
            self._waiting.append(mine)
        try:
            mine.acquire()
        except BaseException:  # interrupted
            with self._lock:
                if mine in self._waiting:
                    self._waiting.remove(mine)
                    raise
            self.__exit__()  # it was our turn already
            raise

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False


class _Reader:
    """The other process, asked by one thread at a time."""

    def __init__(self, niceness: int = 0) -> None:
        self._niceness = niceness
        self.forget()

    def forget(self) -> None:
        """After a fork: the other process is the parent's."""
        self._lock = _InTurn()
        self._process: subprocess.Popen | None = None
        self._opened: object = None
        self._asked = 0.0  # when it gave its last answer

    def ask(self, task: str, argument, opens: object = None) -> Any:
        """The answer to a request; raises the error that is it."""
        with self._lock:
            return self._ask(task, argument, opens)

    def read(self, source: object, data: bytes, frame: int) -> Any:
        """A frame of a file, which is opened again where another was opened since."""
        with self._lock:
            if self._opened is not source or not self._alive():
                self._ask("open", data, source)
            return self._ask("read", frame, source)

    def _ask(self, task: str, argument, opens: object) -> Any:
        process = self._process
        if process is None or process.poll() is not None:
            process = self._process = _start(self._niceness)
            Thread(target=self._end_when_idle, args=(process,), daemon=True).start()
        self._opened = None
        timer = Timer(PATIENCE_S, process.kill)
        timer.start()
        try:
            send(process.stdin, (task, argument))
            answer, records = receive(process.stdout)
        except (OSError, EOFError):
            raise _why_it_died(self._stop()) from None
        except BaseException:  # interrupted: the next answer would be that of this request
            self._kill()
            raise
        finally:
            timer.cancel()
            self._asked = time.monotonic()
        for text in records:
            _log.warning("%s", text)
        if isinstance(answer, LungCNNError):
            raise answer
        self._opened = opens
        return answer

    def _end_when_idle(self, process: subprocess.Popen) -> None:
        while True:
            time.sleep(IDLE_S)
            with self._lock:
                if self._process is not process:
                    return
                if time.monotonic() - self._asked >= IDLE_S:
                    self._kill()
                    return

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _stop(self) -> int:
        """Let the process go; gives what it ended with."""
        process, self._process, self._opened = self._process, None, None
        if process is None:
            return 0
        try:
            return process.wait(timeout=1)  # it may just be dying
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
        finally:
            for pipe in filter(None, (process.stdin, process.stdout)):
                pipe.close()

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
        self._stop()

    def end(self) -> None:
        """Let the process go."""
        with self._lock:
            self._kill()


def _why_it_died(code: int) -> LungCNNError:
    if code in (-getattr(signal, "SIGPROF", 27), -9):
        return too_costly()
    return UnreadableFileError(
        "The file could not be decoded: damaged, cut short, or of an unusual encoding. Export the slice again."
    )


def too_costly() -> UnsupportedFileError:
    """The error for a file that takes more time or memory than any CT slice."""
    return UnsupportedFileError(
        f"Reading the file takes more than {SECONDS:g} s or {MEMORY >> 20} MiB of memory, as no CT slice does. Export "
        "the slice again, for instance uncompressed."
    )


def _start(niceness: int) -> subprocess.Popen:
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    # One thread: each sets address space aside, and the limit is on that.
    alone = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_ARENA_MAX"), "1")
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "lungcnn.reading.reader_worker", str(niceness)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # decoders print what they find in a file
        env={**os.environ, **alone, "PYTHONPATH": paths},
    )


def send(stream, content: tuple) -> None:
    """Write a message; large arrays and bytes go as they are, not copied into it."""
    buffers: list[pickle.PickleBuffer] = []
    wrapped = tuple(pickle.PickleBuffer(part) if isinstance(part, bytes) else part for part in content)
    head = pickle.dumps(wrapped, protocol=5, buffer_callback=buffers.append)
    parts = [memoryview(head), *(buffer.raw() for buffer in buffers)]
    stream.write(struct.pack(f">{1 + len(parts)}Q", len(parts), *(part.nbytes for part in parts)))
    for part in parts:
        stream.write(part)
    stream.flush()


def receive(stream) -> tuple:
    """The next message; raises `EOFError` where the other side has ended."""
    (count,) = struct.unpack(">Q", _exactly(stream, 8))
    head, *buffers = [_exactly(stream, size) for size in struct.unpack(f">{count}Q", _exactly(stream, 8 * count))]
    return pickle.loads(head, buffers=buffers)  # noqa: S301 - from our own process, which runs as this one's user


def _exactly(stream, count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise EOFError
    return content


_READERS = {False: _Reader(), True: _Reader(NICENESS)}  # by `OF_MANY`
for _reader in _READERS.values():
    atexit.register(_reader.end)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_reader.forget)
