"""Compressed DICOM frames are decoded in a process of their own: damaged ones can abort the process that decodes them.

One is started when the first compressed frame comes, and another after it has died. Nothing is written to disk.
"""

import atexit
import io
import os
import subprocess
import sys
from pathlib import Path
from threading import Lock, Timer

import numpy as np

PATIENCE_S = 60.0
_PIXEL_TAGS = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)


def decode_apart(ds, codestream: bytes) -> np.ndarray:
    """Stored values `[rows, columns]` of one compressed frame of `ds`; raises `ValueError` where it is damaged."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate

    alone = Dataset()
    for keyword in _PIXEL_TAGS:
        setattr(alone, keyword, ds.get(keyword))
    alone.PixelData = encapsulate([codestream])
    alone["PixelData"].VR = "OB"
    alone.file_meta = FileMetaDataset()
    alone.file_meta.TransferSyntaxUID = ds.file_meta.TransferSyntaxUID
    stream = io.BytesIO()
    alone.save_as(stream, enforce_file_format=False)
    answer = _DECODER.ask(stream.getvalue())
    if not answer:
        raise ValueError("the frame could not be decoded")
    return np.load(io.BytesIO(answer), allow_pickle=False)


class _Decoder:
    """The other process, asked by one thread at a time."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """After a fork: the other process is the parent's."""
        self._lock = Lock()
        self._process: subprocess.Popen | None = None

    def ask(self, request: bytes) -> bytes:
        """The answer to a request, empty where there is none."""
        with self._lock:
            process = self._process
            if process is None or process.poll() is not None:
                process = self._process = _start()
            timer = Timer(PATIENCE_S, process.kill)
            timer.start()
            try:
                _send(process.stdin, request)
                return _receive(process.stdout)
            except (OSError, EOFError):
                self._stop()
                return b""
            finally:
                timer.cancel()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def end(self) -> None:
        """Let the process go."""
        with self._lock:
            self._stop()


def _start() -> subprocess.Popen:
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(  # noqa: S603 - this module itself, by the interpreter that runs
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # decoders print what they find in a file
        env={**os.environ, "PYTHONPATH": paths},
    )


def _send(stream, content: bytes) -> None:
    stream.write(len(content).to_bytes(8, "big") + content)
    stream.flush()


def _receive(stream) -> bytes:
    """The next message; raises `EOFError` where the other side has ended."""
    length = stream.read(8)
    content = stream.read(int.from_bytes(length, "big")) if len(length) == 8 else b""
    if len(length) < 8 or len(content) < int.from_bytes(length, "big"):
        raise EOFError
    return content


def _decode(request: bytes) -> bytes:
    import pydicom
    from pydicom.pixels.utils import pixel_array
    from pydicom.uid import JPEGExtended12Bit, JPEGLossless

    try:
        ds = pydicom.dcmread(io.BytesIO(request), force=True)
        if ds.file_meta.TransferSyntaxUID == JPEGExtended12Bit and ds.BitsStored > 8:
            # pydicom doesn't let GDCM decode it, which can: GDCM goes by the codestream alone.
            ds.file_meta.TransferSyntaxUID = JPEGLossless
        answer = io.BytesIO()
        np.save(answer, pixel_array(ds, index=0), allow_pickle=False)
        return answer.getvalue()
    except Exception:  # noqa: BLE001 - decoders raise anything on damaged bytes
        return b""


def _serve() -> None:
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a decoder prints must not get among the answers
    while True:
        try:
            request = _receive(requests)
        except EOFError:
            return
        _send(answers, _decode(request))


_DECODER = _Decoder()
if __name__ == "__main__":
    _serve()
else:
    atexit.register(_DECODER.end)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_DECODER.forget)
