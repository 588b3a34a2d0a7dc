"""What people give to be judged: files, folders, globs, and lists on standard input."""

import codecs
import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from lungcnn.errors import UnsupportedFileError, UsageError
from lungcnn.reading.folders import files_below
from lungcnn.reading.foreign_files import is_zip
from lungcnn.reading.limits import check_regular
from lungcnn.reading.sniffing import sniff

_SNIFFED_BYTES = 512
_NO_NAME = re.compile(rb"[\x01-\x08\x0e-\x1f]")


def given_paths(paths: Iterable[Path], listed: BinaryIO) -> list[Path]:
    """Paths with globs filled in, and "-" by the paths that stand in `listed`: one a line, or parted by NUL.

    A pattern that fits nothing is kept, for a record that says so. Raises `UsageError` where no path is left, and for
    `listed` that holds no paths.
    """
    given: list[Path] = []
    for path in paths:
        if str(path) == "-":
            given += map(Path, listed_names(listed.read()))
        elif not os.path.lexists(path) and glob.has_magic(str(path)):
            given += [Path(found) for found in sorted(glob.glob(str(path), recursive=True))] or [path]
        else:
            given.append(path)
    if not given:
        raise UsageError("There is no file to judge: standard input names none.")
    return given


def listed_names(content: bytes) -> list[str]:
    """The names in a list as `find` prints it, with `-print0` too (no name holds a NUL), or as Windows writes text.

    Raises `UsageError` for the bytes of a file: names made of them may be anything, the whole disc among them.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        content = content.decode("utf-16", "replace").encode("utf-8", "replace")
    content = content.removeprefix(codecs.BOM_UTF8)
    if _NO_NAME.search(content[:_SNIFFED_BYTES]):
        raise UsageError("This is no list of paths, but the bytes of a file. Save it as a file, and give its path.")
    names = content.split(b"\0") if b"\0" in content else content.splitlines()
    return [os.fsdecode(name) for name in names if name.strip()]


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Files as given, and of folders (searched through) those whose bytes look like slices, in order of name.

    Raises `UsageError` for a folder that holds none. A file that is missing or of another kind is kept: it gets
    a record that says so.
    """
    files = []
    for path in paths:
        if not os.path.isdir(path):
            files.append(path)
            continue
        inside = [file for file in sorted(files_below(path)) if _looks_like_a_slice(file)]
        if not inside:
            raise UsageError(f"The folder {path} holds no DICOM files or pictures.")
        files += inside
    return files


def _looks_like_a_slice(file: Path) -> bool:
    try:
        check_regular(file)
        return sniff(_head(file)) is not None
    except UnsupportedFileError:
        return False
    except OSError:
        return True  # its record will say that it can't be opened


def is_archive(file: Path) -> bool:
    """Whether a file is a zip archive, as far as it can be opened."""
    try:
        return file.is_file() and is_zip(_head(file))
    except (OSError, ValueError):
        return False


def _head(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(_SNIFFED_BYTES)
