"""What a user gives as a series: a folder, files, bytes or a zip archive, as files that can be opened one by one."""

import io
import os
import re
import zipfile
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from threading import Lock

from lungcnn.errors import UnreadableFileError, UnsupportedFileError
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.dicom_headers import read_headers
from lungcnn.reading.limits import MAX_BYTES
from lungcnn.reading.loading import open_source
from lungcnn.reading.sniffing import sniff

MAX_MEMBERS = 10_000
MAX_UNPACKED = 4 * 2**30
# CT slices shrink to a half or a third, empty ones to a fiftieth; a bomb to a thousandth.
MAX_RATIO, RATIO_FROM = 100, 64 * 2**20
_HEAD_BYTES = 512


class SourceFile:
    """One file: a path, bytes, or a member of an archive."""

    def __init__(self, name: str, source):
        self.name, self._source = name, source
        self._lock = Lock()

    def content(self):
        """Bytes, or a path."""
        if isinstance(self._source, _Member):
            return self._source.read()
        return self._source

    def head(self) -> bytes:
        if isinstance(self._source, _Member):
            return self._source.read(_HEAD_BYTES)
        if isinstance(self._source, Path):
            try:
                with self._source.open("rb") as stream:
                    return stream.read(_HEAD_BYTES)
            except FileNotFoundError:
                raise UnreadableFileError("There is no such file. Check the path.") from None
            except OSError as error:
                raise UnreadableFileError(f"The file could not be opened: {error.strerror}.") from None
        return self._source[:_HEAD_BYTES]

    def kind(self) -> str:
        head = self.head()
        kind = sniff(head)
        if kind is None:
            if head.startswith(b"PK\x03\x04"):
                raise UnsupportedFileError(
                    "An archive inside what was given is not opened. Send its files, or it alone."
                )
            open_source(head)  # says what it is instead
        return kind

    def headers(self):
        content = self.content()
        return read_headers(content)

    @cached_property
    def _opened(self):
        return open_source(self.content())

    def read(self, frame: int) -> CTSlice:
        if self.frames == 1:
            return open_source(self.content()).read(frame)
        with self._lock:  # many frames share one object: parsed once
            opened = self._opened
        return opened.read(frame)

    frames = 1


class _Member:
    """A member of a zip archive, unpacked in memory when it is read; nothing is written to disk."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo):
        self._archive, self._info = archive, info

    def read(self, count: int = -1) -> bytes:
        if self._info.flag_bits & 1:
            raise UnreadableFileError("The file in the archive is encrypted. Send the archive without a password.")
        try:
            # Python reads no more than the size that the archive states, which was checked.
            with self._archive.open(self._info) as stream:
                return stream.read(count)
        except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError, RuntimeError):
            raise UnreadableFileError("The file in the archive is damaged or packed in an unusual way.") from None
        except Exception as error:  # noqa: BLE001 - zlib, lzma and bz2 raise errors of their own
            raise UnreadableFileError(f"The file in the archive is damaged ({type(error).__name__}).") from None


def collect_files(source) -> Iterable[SourceFile]:
    if isinstance(source, Mapping):
        for name, content in sorted(source.items(), key=lambda pair: natural(str(pair[0]))):
            yield from _collect_one(str(name), content)
    elif isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if path.is_dir():
            inside = [file for file in path.rglob("*") if file.is_file() and file.name not in _IGNORED]
            for file in sorted(inside, key=lambda file: natural(str(file))):
                yield SourceFile(str(file), file)
        else:
            yield from _collect_one(str(path), path)
    elif isinstance(source, (bytes, bytearray, memoryview)) or hasattr(source, "read"):
        yield from _collect_one("", source)
    elif isinstance(source, Iterable):
        given = list(source)
        for index, content in enumerate(given):
            named = isinstance(content, (str, os.PathLike))
            yield from _collect_one(str(content) if named else str(index), content)
    else:
        raise UnsupportedFileError(
            f"read_series takes a path, bytes, a mapping of names to bytes, or several of them; received "
            f"{type(source).__name__}."
        )


_IGNORED = {"DICOMDIR", "Thumbs.db", ".DS_Store"}


def _collect_one(name: str, content) -> Iterable[SourceFile]:
    if hasattr(content, "read"):
        content = content.read()
    if isinstance(content, (bytearray, memoryview)):
        content = bytes(content)
    if isinstance(content, bytes):
        if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            yield from _members(io.BytesIO(content))
        else:
            yield SourceFile(name, content)
        return
    path = Path(content)
    if path.is_dir():
        yield from collect_files(path)
        return
    file = SourceFile(name, path)
    if file.head().startswith((b"PK\x03\x04", b"PK\x05\x06")):
        yield from _members(path)
    else:
        yield file


def _members(archive) -> Iterable[SourceFile]:
    try:
        opened = zipfile.ZipFile(archive)
        infos = [info for info in opened.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise UnreadableFileError("The zip archive is damaged or cut short. Pack it again.") from None
    if len(infos) > MAX_MEMBERS:
        raise UnsupportedFileError(f"The archive holds {len(infos)} files; accepted are up to {MAX_MEMBERS}.")
    total = sum(info.file_size for info in infos)
    if total > MAX_UNPACKED:
        raise UnsupportedFileError(
            f"The archive unpacks to {total >> 20} MiB; accepted are up to {MAX_UNPACKED >> 20} MiB."
        )
    if total > max(RATIO_FROM, MAX_RATIO * sum(info.compress_size for info in infos)):
        raise UnsupportedFileError(
            f"The archive unpacks to more than {MAX_RATIO} times its size, as no CT series does. Pack the slices again."
        )
    if len({info.header_offset for info in infos}) < len(infos):
        raise UnsupportedFileError("Files in the archive overlap. Pack the slices again.")
    if any(info.file_size > MAX_BYTES for info in infos):
        raise UnsupportedFileError(f"A file in the archive unpacks to more than {MAX_BYTES >> 20} MiB.")
    for info in sorted(infos, key=lambda info: natural(info.filename)):
        # Names are labels only: nothing is written, so none can climb out of a folder.
        base = info.filename.replace("\\", "/").rsplit("/", 1)[-1]
        if base in _IGNORED or base.startswith("._") or info.filename.startswith("__MACOSX/"):
            continue
        yield SourceFile(info.filename, _Member(opened, info))


def natural(name: str) -> list:
    """A sort key that puts slice2 before slice10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part.casefold()) for part in re.split(r"(\d+)", name)]
