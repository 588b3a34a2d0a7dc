"""The pipeline in a process of its own.

It loads TensorFlow while this process loads Gradio, leaves the page its own interpreter, and when something kills it
(memory, a decoder that crashes) the page says so and starts another.
"""

import contextlib
import functools
import itertools
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import weakref
from concurrent.futures import Future
from multiprocessing.connection import Connection, Pipe
from pathlib import Path

from demo import texts
from lungcnn.errors import LungCNNError

PATIENCE = 120  # seconds a slice may take before its process is given up
_START_AGAIN = 3  # deaths in a row, without having become ready, after which we stop trying
log = logging.getLogger("demo")
_running = weakref.WeakSet()


class WorkerError(LungCNNError):
    """The process that runs the model died or hung while it was at work."""

    code = "worker"


class PipelineProcess:
    """A `lungcnn.Pipeline` elsewhere: its methods called here run there. Safe to use from several threads.

    Calls raise what the pipeline raises, and `WorkerError` where its process died or took longer than `patience`.
    Slices are read while the model still loads; everything else waits for it.

    Args:
        model: as `Pipeline.load`. threads: calls that run at the same time. patience: seconds.
    """

    def __init__(self, model: Path | str | None = None, threads: int = 2, patience: float = PATIENCE):
        self._arguments = [str(threads), str(model or "")]
        self._patience = patience
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._failures = 0
        self._closed = False
        self._start()
        _running.add(self)

    def wait(self) -> "PipelineProcess":
        """Return when the model is loaded. Raises what loading it raised."""
        self.card  # noqa: B018
        return self

    @property
    def card(self):
        """The model's card. Waits until the model is loaded."""
        return self._ready.result()

    @property
    def pid(self) -> int:
        """Of the process that runs the model now."""
        return self._process.pid

    def run(self, *args, **options):
        """As `Pipeline.run`."""
        return self._call("run", *args, **options)

    def run_file(self, path_or_bytes, **options):
        """As `Pipeline.run_file`, frame by frame: frames that nobody asks for are not judged."""
        stream = self._call("open", path_or_bytes, **options)
        try:
            while (found := self._call("next", stream)) is not None:
                yield found
        finally:
            with contextlib.suppress(WorkerError):
                self._call("close", stream)

    def load_slice(self, path_or_bytes, frame: int = 0):
        """As `lungcnn.load_slice`: what crashes a decoder crashes it there."""
        return self._call("load_slice", path_or_bytes, frame)

    def dicom_files(self, source, report):
        """As `lungcnn.dicom_files`, of all kinds: a stranger's header is parsed there."""
        return self._call("dicom_files", source, report)

    def run_series(self, series, on_slice=lambda report: None):
        """As `Pipeline.run_series`, in batches: slices are decoded there, too."""
        from lungcnn.pipeline import BATCH
        from lungcnn.results.series_report import series_report

        reports = []
        for start in range(0, len(series), BATCH):
            batch = series.slices[start : start + BATCH]
            contents = [one.content() for one in batch]
            # Frames of one file share its bytes: each file goes over once.
            files = {id(content): content for content in contents}
            frames = [(id(content), one.frame) for content, one in zip(contents, batch, strict=True)]
            for report in self._call("judge_frames", files, frames):
                reports.append(report)
                on_slice(report)
        return series_report(series, reports, self.card)

    def close(self) -> None:
        """End the process."""
        self._closed = True
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)

    def _call(self, name, *args, **options):
        if name != "load_slice" or self._ready.done():
            self._ready.result()
        answer: Future = Future()
        late = threading.Event()
        watch = threading.Timer(self._patience, lambda: (late.set(), process.kill()))
        watch.daemon = True
        try:
            process = self._process
            watch.start()  # before the lock and the pipe: a process that hangs doesn't read, either
            with self._lock:
                number, process = next(self._numbers), self._process
                self._answers[number] = answer
                self._connection.send((number, name, args, options))
            return answer.result()
        except (OSError, WorkerError):
            text = texts.WORKER_SLOW.format(seconds=int(self._patience)) if late.is_set() else texts.WORKER_DIED
            raise WorkerError(text) from None
        finally:
            watch.cancel()

    def _start(self, ready: Future | None = None):
        ours, theirs = Pipe()
        self._connection, self._answers, self._ready = ours, {}, ready or Future()
        handle = theirs.fileno()
        paths = [str(Path(__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "demo.worker", str(handle), *self._arguments],
            pass_fds=[handle],
            stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )
        theirs.close()
        arguments = (ours, self._process, self._answers, self._ready)
        threading.Thread(target=self._listen, args=arguments, daemon=True).start()

    def _listen(self, connection: Connection, process, answers: dict, ready: Future):
        """Hand answers to those who wait for them; when the process ends, start another."""
        refused = None  # why the model can't be loaded, which it can't be the next time either
        with contextlib.suppress(EOFError, OSError):
            while refused is None:
                number, good, value = connection.recv()
                waiting = ready if number is None else answers.pop(number)
                waiting.set_result(value) if good else waiting.set_exception(value)
                refused = value if number is None and not good else None
        process.kill()
        process.wait()
        if self._closed:
            return
        with self._lock:
            connection.close()
            if refused is None:
                log.error("the worker process ended (status %s)", process.returncode)
                # A slice that was being read is to blame, not the model that was loading beside it.
                self._failures = 0 if ready.done() or answers else self._failures + 1
                if self._failures < _START_AGAIN:
                    self._start(None if ready.done() else ready)
                else:
                    ready.set_exception(WorkerError(texts.WORKER_GONE))
        for waiting in list(answers.values()):
            waiting.set_exception(refused or WorkerError(texts.WORKER_DIED))


def close_all() -> None:
    """End every worker process of this one."""
    for running in list(_running):
        running.close()


def start_pipeline(model: Path | str | None, threads: int):
    """Begin loading a pipeline; returns a function that waits for it, and one that reads a slice meanwhile.

    In a process of its own, at once where there is a core to spare and else when a function is called (the page
    comes first). On Windows, which can't hand a process an open pipe this way, in this one.
    """
    if os.name == "nt":
        from lungcnn import load_slice

        def load_here():
            from lungcnn import Pipeline
            from lungcnn.model.tensorflow_start import import_tensorflow

            import_tensorflow()
            return Pipeline.load(model)

        return load_here, load_slice
    once = threading.Lock()
    make = functools.cache(lambda: PipelineProcess(model, threads))

    def process():
        with once:
            return make()

    if cores() > 1:
        process()
    return lambda: process().wait(), lambda content, frame=0: process().load_slice(content, frame)


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def serve(connection: Connection, threads: int, model: str | None) -> None:
    """The other side: load the pipeline, and answer calls until nobody is left to ask."""
    from concurrent.futures import ThreadPoolExecutor

    from lungcnn.model.card import default_model_path, verify_model
    from lungcnn.model.tensorflow_start import import_tensorflow

    lock = threading.Lock()

    def answer(number, good, value):
        try:
            with lock:
                connection.send((number, good, value))
        except OSError:
            os._exit(0)  # the page is gone

    methods = _Methods()
    pool = ThreadPoolExecutor(threads)

    def work(number, name, args, options):
        try:
            answer(number, True, getattr(methods, name)(*args, **options))
        except Exception as error:  # noqa: BLE001 - raised where the call was made
            answer(number, False, _presentable(error))

    def listen():
        while True:
            try:
                pool.submit(work, *connection.recv())
            except (EOFError, OSError):
                os._exit(0)

    # While loading, too: slices are read, and the end of the page is heard.
    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        verify_model(Path(model) if model else default_model_path())  # before the long way through TensorFlow
        import_tensorflow()
        from lungcnn import Pipeline

        pipeline = Pipeline.load(model)
    except Exception as error:  # noqa: BLE001 - raised where the pipeline is asked for
        answer(None, False, _presentable(error))
        return
    methods.take(pipeline)
    answer(None, True, pipeline.card)
    listener.join()


def _presentable(error: Exception) -> Exception:
    """Our own errors as they are; of others the kind alone, since their text may quote the upload."""
    if isinstance(error, LungCNNError):
        with contextlib.suppress(Exception):
            return pickle.loads(pickle.dumps(error))  # noqa: S301 - our own, just made
        return LungCNNError(str(error))
    log.error("unexpected %s in the worker process", type(error).__name__)
    return RuntimeError(type(error).__name__)


class _Methods:
    """What may be called, before `take` only `load_slice`; an open file is a number to the other side."""

    def __init__(self):
        # What reading imports later is imported now: beside TensorFlow's long import it would wait for it.
        import cv2  # noqa: F401
        import PIL.Image  # noqa: F401
        import pydicom.encaps
        import pydicom.filereader
        import pydicom.pixels  # noqa: F401

        from lungcnn.reading.loading import load_slice

        self.load_slice = load_slice
        self._open = {}
        self._numbers = itertools.count()

    def take(self, pipeline) -> None:
        """The pipeline is there."""
        from lungcnn import dicom_files

        self.dicom_files = dicom_files
        self.run = pipeline.run
        self._judge = pipeline.judge
        self._run_file = pipeline.run_file

    def judge_frames(self, files: dict, frames: list) -> list:
        """Reports of `(key of a file, frame)` in order, decoded side by side and judged in one batch."""
        from concurrent.futures import ThreadPoolExecutor

        from lungcnn.gate.prepared import prepare

        with ThreadPoolExecutor(cores()) as pool:
            prepared = pool.map(lambda it: prepare(lambda: self.load_slice(files[it[0]], it[1]), it[1]), frames)
            return self._judge(list(prepared))

    def open(self, path_or_bytes, **options):
        number = next(self._numbers)
        self._open[number] = self._run_file(path_or_bytes, **options)
        return number

    def next(self, number):
        return next(self._open[number], None)

    def close(self, number):
        self._open.pop(number).close()


def main() -> None:
    """`python -m demo.worker HANDLE THREADS MODEL`: started by `PipelineProcess`, of no use to a person."""
    from demo.quiet import hush

    handle, threads, model = sys.argv[1:4]
    hush()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that serves the page
    with contextlib.suppress(OSError):  # where memory runs out, the page should outlive this
        Path("/proc/self/oom_score_adj").write_text("500")
    serve(Connection(int(handle)), int(threads), model or None)


if __name__ == "__main__":
    main()
