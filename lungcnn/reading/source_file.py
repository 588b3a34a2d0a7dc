"""One file of those that a user gave: a path, bytes, or a member of an archive; opened when it is asked for."""

import hashlib
import os
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Protocol

from lungcnn.errors import LungCNNError, UnreadableFileError, UnsupportedFileError
from lungcnn.reading.cheap import HEADER_BYTES, find_pixels
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.dicom_headers import Headers, read_headers
from lungcnn.reading.foreign_files import DESCRIBED_BYTES, is_zip
from lungcnn.reading.limits import check_regular
from lungcnn.reading.loading import SliceSource, open_source, read_path
from lungcnn.reading.reader_process import headers_apart
from lungcnn.reading.sniffing import sniff

_HEAD_BYTES = 512


class Packed(Protocol):
    """A member of an archive."""

    def read(self, count: int = -1) -> bytes:
        """Its first `count` bytes, or all of them. Raises `UnreadableFileError`."""


class SourceFile:
    """A file by the name under which it was given, which may name a patient: not for display.

    Attributes:
        frames: number of frames; 1 until somebody who has read the file's header says otherwise.
    """

    def __init__(self, name: str, source: bytes | Path | Packed):
        self.name, self.frames = name, 1
        self._source = source
        self._lock = Lock()

    def __getstate__(self) -> dict:  # to another process it goes unopened
        return {"name": self.name, "frames": self.frames, "_source": self._source}

    def __setstate__(self, state: dict) -> None:
        self.__dict__ |= state | {"_lock": Lock()}

    @property
    def folder(self) -> str:
        """The folder it was given in, as far as its name says; "" for none."""
        return os.path.dirname(self.name)

    def content(self) -> bytes | Path:
        """All of it as bytes, or the path under which it lies."""
        return self._source if isinstance(self._source, (bytes, Path)) else self._source.read()

    def head(self, count: int = _HEAD_BYTES) -> bytes:
        """Its first `count` bytes; enough to tell its kind where none are named."""
        if isinstance(self._source, bytes):
            return self._source[:count]
        if not isinstance(self._source, Path):
            return self._source.read(count)
        try:
            check_regular(self._source)
            with self._source.open("rb") as stream:
                return stream.read(count)
        except FileNotFoundError:
            raise UnreadableFileError("There is no such file. Check the path.") from None
        except OSError as error:
            raise UnreadableFileError(f"The file could not be opened: {error.strerror}.") from None
        except ValueError:
            raise UnreadableFileError("This is not a valid file name. Check the path.") from None

    def kind(self) -> str:
        """As `sniff`; raises what `load_slice` does for a file of no accepted kind."""
        head = self.head()
        if is_zip(head):
            raise UnsupportedFileError("An archive inside what was given is not opened. Send its files, or it alone.")
        kind = sniff(head)
        if kind is None:
            open_source(self.head(DESCRIBED_BYTES))  # says what it is instead
            raise UnsupportedFileError("This file is of a kind not known here.")
        return kind

    def headers(self) -> Headers:
        """Of a DICOM file, read without its pixels."""
        head = self.head(HEADER_BYTES)
        if find_pixels(head):
            with suppress(UnreadableFileError):  # a reader that forgives more looks at all of it
                return read_headers(head)
        return headers_apart(self.content())

    def open(self) -> SliceSource:
        """Parsed, ready to decode its frames."""
        return open_source(self.content())

    @cached_property
    def _opened(self) -> SliceSource | LungCNNError:
        try:
            return self.open()
        except LungCNNError as error:  # for all its frames
            return error

    @cached_property
    def digest(self) -> bytes | None:
        """Of the file's bytes; None where they can't be read, as reading it will say."""
        try:
            content = self.content()
            return hashlib.sha256(read_path(content) if isinstance(content, Path) else content).digest()
        except LungCNNError:
            return None

    def read(self, frame: int) -> CTSlice:
        """Decode a frame. Raises as `load_slice`."""
        if self.frames == 1:
            return self.open().read(frame)
        with self._lock:  # many frames share one object: parsed once
            opened = self._opened
        if isinstance(opened, LungCNNError):
            raise opened
        return opened.read(frame)
