"""What a user gives as a series (a folder, files, bytes, zip archives) as single files, in the order of their names."""

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from natsort import natsorted, ns

from lungcnn.errors import UnsupportedFileError
from lungcnn.reading.limits import MAX_BYTES
from lungcnn.reading.source_file import SourceFile
from lungcnn.reading.zip_archive import IGNORED, is_zip, zip_members


def collect_files(source) -> Iterator[SourceFile]:
    """The files in what `read_series` takes; zip archives are looked into, one deep."""
    if isinstance(source, Mapping):
        for name, content in natsorted(source.items(), key=lambda pair: str(pair[0]), alg=ns.IGNORECASE):
            yield from _files_in(str(name), content)
    elif isinstance(source, (str, os.PathLike)):
        yield from _files_in(str(source), Path(source))
    elif isinstance(source, (bytes, bytearray, memoryview)) or hasattr(source, "read"):
        yield from _files_in("", source)
    elif isinstance(source, Iterable):
        for index, content in enumerate(source):
            named = isinstance(content, (str, os.PathLike))
            yield from _files_in(str(content) if named else str(index), content)
    else:
        raise _no_source(source)


def _is_zip(file: SourceFile) -> bool:
    try:
        return is_zip(file.head())
    except UnsupportedFileError:
        return False  # what it is, is said of it when its kind is asked for


def _files_in(name: str, content) -> Iterator[SourceFile]:
    if isinstance(content, (str, os.PathLike)):
        path = Path(content)
        if path.is_dir():
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
    inside = [file for file in folder.rglob("*") if file.is_file() and file.name not in IGNORED]
    for file in natsorted(inside, key=str, alg=ns.IGNORECASE):
        yield SourceFile(str(file), file)
