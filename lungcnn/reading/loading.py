"""A file becomes a `CTSlice`, or several: the kind is read from its bytes, never from its name."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from lungcnn.errors import UnreadableFileError, UnsupportedFileError
from lungcnn.reading.cheap import is_cheap
from lungcnn.reading.ct_slice import ACCEPTED, CTSlice
from lungcnn.reading.damage import told_as_damage
from lungcnn.reading.dicom import DicomFile
from lungcnn.reading.foreign_files import describe
from lungcnn.reading.limits import MAX_BYTES, check_regular
from lungcnn.reading.pictures import Picture
from lungcnn.reading.reader_process import FileApart
from lungcnn.reading.sniffing import sniff


class SliceSource(Protocol):
    """A file opened once for all its frames.

    Attributes:
        frames: how many it holds, at least 1.
    """

    frames: int

    def read(self, frame: int) -> CTSlice:
        """Decode a frame, counted from 0. Raises as `load_slice`."""


def load_slice(path_or_bytes, frame: int = 0) -> CTSlice:
    """Read one slice from a path, bytes, or a binary file object.

    Raises:
        UnreadableFileError: missing, empty or damaged file, or pixels that no decoder here can read.
        UnsupportedFileError: another kind of file, not CT, or a frame index out of range.
    """
    return open_source(path_or_bytes).read(frame)


def iter_slices(path_or_bytes) -> Iterator[CTSlice]:
    """Yield every frame of a file in order, decoding each when it is asked for. Raises as `load_slice`."""
    source = open_source(path_or_bytes)
    for frame in range(source.frames):
        yield source.read(frame)


def open_source(path_or_bytes) -> SliceSource:
    """A file opened once for all its frames. Raises as `load_slice`.

    Whatever may cost much is read in a process of its own, under limits (see `reader_process`).
    """
    data = _read_bytes(path_or_bytes)
    return FileHere(data) if sniff(data) is None or is_cheap(data) else FileApart(data)


class FileHere:
    """A file read in this process, that raises nothing but our own errors, whatever parser or decoder is at work."""

    def __init__(self, data: bytes):
        kind = sniff(data)
        if kind is None:
            raise UnsupportedFileError(f"This file is {describe(data)}. {ACCEPTED}.")
        self._damaged = f"The file begins like {kind.upper()} but could not be read: damaged. Export the slice again."
        with told_as_damage(self._damaged):
            self._source: SliceSource = DicomFile(data) if kind == "dicom" else Picture(data, kind)
        self.frames = self._source.frames

    def read(self, frame: int) -> CTSlice:
        """Decode a frame. Raises as `load_slice`."""
        with told_as_damage(self._damaged):
            return self._source.read(frame)


def _read_bytes(source) -> bytes:
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
    elif hasattr(source, "read"):
        data = source.read(MAX_BYTES + 1)
        if not isinstance(data, bytes):
            raise UnsupportedFileError("The file object gives text; open it in binary mode ('rb').")
    elif isinstance(source, (str, os.PathLike)):
        data = read_path(Path(source))
    else:
        raise UnsupportedFileError(
            f"load_slice takes a path, bytes or a binary file; received {type(source).__name__}."
        )
    if not data:
        raise UnreadableFileError(f"The file is empty (0 bytes). {ACCEPTED}.")
    if len(data) > MAX_BYTES:
        raise UnsupportedFileError(f"The file holds more than the {MAX_BYTES >> 20} MiB that are accepted.")
    return data


def read_path(path: Path) -> bytes:
    """What a file holds. Raises as `load_slice`."""
    # Errors name no path: the demo's uploads carry patients' names in theirs.
    try:
        if path.is_dir():
            os.scandir(path).close()  # raises where it may not be read
            raise UnsupportedFileError("This is a folder; name the files in it. " + ACCEPTED + ".")
        check_regular(path)
        if path.stat().st_size > MAX_BYTES:
            raise UnsupportedFileError(
                f"The file holds {path.stat().st_size >> 20} MiB; accepted are files up to {MAX_BYTES >> 20} MiB."
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise UnreadableFileError("There is no such file. Check the path.") from None
    except OSError as error:
        raise UnreadableFileError(f"The file could not be opened: {error.strerror}.") from None
    except ValueError:
        raise UnreadableFileError("This is not a valid file name. Check the path.") from None
