"""What a user gives as a series (a folder, files, bytes, zip archives) as single files, in the order of their names."""

import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from natsort import natsorted, ns

from lungcnn.errors import LungCNNError, UnsupportedFileError
from lungcnn.reading.folders import files_below
from lungcnn.reading.foreign_files import is_zip
from lungcnn.reading.limits import MAX_BYTES
from lungcnn.reading.source_file import SourceFile
from lungcnn.reading.zip_archive import zip_members


def collect_files(source) -> Iterator[SourceFile]:
    """The files in what `read_series` takes; zip archives are looked into, one deep."""
    if isinstance(source, Mapping):
        yield from _files_of(natsorted(source.items(), key=lambda pair: str(pair[0]), alg=ns.IGNORECASE))
    elif isinstance(source, (str, os.PathLike)):
        yield from _files_in(str(source), Path(source))
    elif isinstance(source, (bytes, bytearray, memoryview)) or hasattr(source, "read"):
        yield from _files_in("", source)
    elif isinstance(source, Iterable):
        given = list(source)
        yield from _files_of(
            [(one if isinstance(one, (str, os.PathLike)) else index, one) for index, one in enumerate(given)]
        )
    else:
        raise _no_source(source)


class _Unopened:
    """One of several things given that can't be opened: reading it says why, and the others are read."""

    def __init__(self, error: LungCNNError):
        self._error = error

    def read(self, count: int = -1) -> bytes:
        raise self._error


def _files_of(given: Sequence[tuple]) -> Iterator[SourceFile]:
    for name, content in given:
        try:
            yield from _files_in(str(name), content)
        except LungCNNError as error:
            if len(given) == 1:
                raise
            yield SourceFile(str(name), _Unopened(error))


def _is_zip(file: SourceFile) -> bool:
    try:
        return is_zip(file.head())
    except UnsupportedFileError:
        return False  # what it is, is said of it when its kind is asked for


def _files_in(name: str, content) -> Iterator[SourceFile]:
    if isinstance(content, (str, os.PathLike)):
        path = Path(content)
        if os.path.isdir(path):
            yield from _files_in_folder(path)
        else:
            yield from _archive_or_file(SourceFile(name, path), path)
        return
    data = content.read(MAX_BYTES + 1) if hasattr(content, "read") else content
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise _no_source(content)
    yield from _archive_or_file(SourceFile(name, bytes(data)), io.BytesIO(data))


def _archive_or_file(file: SourceFile, content: Path | io.BytesIO) -> Iterator[SourceFile]:
    if _is_zip(file):
        yield from zip_members(content)
    else:
        yield file


def _no_source(given) -> UnsupportedFileError:
    return UnsupportedFileError(
        "read_series takes a path, bytes, a mapping of names to bytes, or several of them; received "
        f"{type(given).__name__}."
    )


def _files_in_folder(folder: Path) -> Iterator[SourceFile]:
    for file in natsorted(files_below(folder), key=str, alg=ns.IGNORECASE):
        yield SourceFile(str(file), file)
