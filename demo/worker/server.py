"""The worker's side: load the pipeline, and answer calls until nobody is left to ask."""

import contextlib
import itertools
import logging
import os
import pickle
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lungcnn import LungCNNError, Pipeline, default_model_path, dicom_files, load_slice, verify_model

from .. import memory
from .deposits import Deposits, Upload, outline
from .protocol import Beat, Begun, Call, Failure, Loaded, NotLoaded, Progress, Result, Stop

LONG, MOST_LONG = ("run_series", "read_series"), 32
_GIVE_BACK = 15  # beats
TELLS = 0.2  # seconds between two words on how far the reading of a series is
Tell = Callable[[Any], None]
log = logging.getLogger("demo")


class Stopped(Exception):  # noqa: N818 - it isn't an error
    """Raised in the middle of a call that nobody waits for any more."""


def serve(connection: Connection, beat: float, threads: int, model: str | None) -> None:
    """Load the model and answer calls until the page is gone, saying every `beat` seconds that we are there.

    `threads` of them at a time, and as many beside those that take long; series run beside them all.
    """
    desk = Desk(connection, threads)
    # While loading, too: slices are read, and the end of the page is heard.
    listener = threading.Thread(target=desk.listen, daemon=True)
    listener.start()
    threading.Thread(target=desk.beat, args=(beat,), daemon=True).start()
    try:
        verify_model(Path(model) if model else default_model_path())  # before the long way
        pipeline = Pipeline.load(model)
    except Exception as error:  # noqa: BLE001 - raised where the pipeline is asked for
        desk.send(NotLoaded(presentable(error)))
        return
    desk.methods.take(pipeline)
    desk.send(Loaded(pipeline.card))
    memory.begin()
    listener.join()


class Desk:
    """Takes calls from the pipe, has them done, and sends what comes of them."""

    def __init__(self, connection: Connection, threads: int):
        self.methods = Methods()
        self._connection, self._lock = connection, threading.Lock()
        # The page's gates let so many in; of quick ones twice as many where some turn out to be long.
        self._quick, self._long = ThreadPoolExecutor(2 * threads), ThreadPoolExecutor(MOST_LONG)
        self._waited_for: set[str] = set()

    def send(self, message) -> None:
        """To the page; without one this process ends."""
        try:
            with self._lock:
                self._connection.send(message)
        except OSError:
            os._exit(0)

    def beat(self, every: float) -> None:
        """Say that we are there, and give back memory now and then."""
        for beat in itertools.count():
            self.send(Beat())
            time.sleep(every)
            if beat % _GIVE_BACK == 0:
                memory.give_back()

    def listen(self) -> None:
        """Begin what is called, until the page is gone."""
        while True:
            try:
                message = self._connection.recv()
            except (EOFError, OSError):
                os._exit(0)
            if isinstance(message, Stop):
                self._waited_for.discard(message.token)
            else:
                self._waited_for.add(message.token)
                (self._long if message.name in LONG else self._quick).submit(self._work, message)
            del message  # it may be large, and the next may be long in coming

    def _work(self, call: Call) -> None:
        def check():
            if call.token not in self._waited_for:
                raise Stopped

        def tell(value):
            check()
            self.send(Progress(call.token, value))

        try:
            check()
            self.send(Begun(call.token))
            self.send(Result(call.token, getattr(self.methods, call.name)(tell, *call.args, **call.options)))
        except Stopped:
            pass
        except Exception as error:  # noqa: BLE001 - raised where the call was made
            self.send(Failure(call.token, presentable(error)))
        finally:
            self._waited_for.discard(call.token)


class Methods:
    """What may be called, before `take` only what reads. The first argument of each tells the page of progress."""

    def __init__(self) -> None:
        # What reading imports later is imported now: beside the model's long import it would wait for it.
        import cv2  # noqa: F401
        import PIL.Image  # noqa: F401

        self._deposits = Deposits()

    def take(self, pipeline: Pipeline) -> None:
        """The pipeline is there."""
        self._pipeline = pipeline

    def load_slice(self, tell: Tell, path_or_bytes, frame: int = 0):
        return load_slice(path_or_bytes, frame)

    def read_series(self, tell: Tell, upload: Upload):
        said = 0.0

        def progress(done: int, files: int) -> None:
            nonlocal said
            if time.monotonic() - said > TELLS:
                said = time.monotonic()
                tell((done, files))

        return outline(self._deposits.read(upload, progress))

    def read_slice(self, tell: Tell, upload: Upload, *which):
        return self._deposits.slice(upload, *which)

    def forget(self, tell: Tell, name: str):
        self._deposits.forget(name)

    def run(self, tell: Tell, *args, **options):
        return self._pipeline.run(*args, **options)

    def run_file(self, tell: Tell, path_or_bytes, **options):
        for report in self._pipeline.run_file(path_or_bytes, **options):
            tell(report)

    def run_series(self, tell: Tell, upload: Upload, number: int):
        return self._pipeline.run_series(self._deposits.series(upload, number), tell)

    def dicom_files(self, tell: Tell, source, report):
        return dicom_files(source, report)


def presentable(error: Exception) -> Exception:
    """Our own errors as they are; of others the kind alone, since their text may quote the upload."""
    if isinstance(error, LungCNNError):
        with contextlib.suppress(Exception):
            return pickle.loads(pickle.dumps(error))  # noqa: S301 - our own, just made
        return LungCNNError(str(error))
    log.error("unexpected %s in the worker process", type(error).__name__)
    return RuntimeError(type(error).__name__)
