"""What is in an archive: paths and URIs, and their bytes."""

import os
from pathlib import Path

from lungcnn.errors import UnreadableFileError, UnsupportedFileError, UsageError
from lungcnn.reading.folders import files_below, is_beside
from lungcnn.reading.limits import MAX_BYTES
from lungcnn.serving.inputs import listed_names

LISTS = (".txt", ".lst", ".list")
# Files that lie beside slices; anything else that is no slice gets a row that says so.
_BESIDE = (".xml", ".json", ".md", ".txt", ".csv", ".parquet", ".jsonl", ".html", ".pdf")


def list_files(source: str) -> list[str]:
    """The files of an archive in order of name, as paths or URIs that `read_file` takes.

    Args:
        source: a folder (searched through), a glob, a file, a list of paths or URIs (a .txt or .lst file, one a
            line), or a URI of an object store that fsspec or pyarrow knows (s3://bucket/prefix, gs://...).

    Raises `UsageError` where there is nothing, or the store can't be reached.
    """
    try:
        fs, path = filesystem(source)
        if source.lower().endswith(LISTS) and fs.isfile(path):
            found = [name.strip() for name in listed_names(fs.cat_file(path)) if not name.startswith("#")]
        elif fs.isdir(path):
            inside = map(str, files_below(Path(path))) if _is_local(fs) else fs.find(path)
            found = [_named(fs, source, name) for name in inside if not _hidden(name, path)]
        elif any(sign in source for sign in "*?["):
            found = [_named(fs, source, name) for name in fs.glob(path) if not fs.isdir(name)]
        elif fs.isfile(path):
            found = [source]
        else:
            raise UsageError(f"There is nothing at {source}. Give a folder, a glob, a list file or a URI.")
    except ImportError as error:
        raise UsageError(f"{error}. Install that package to read this kind of URI.") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{source} can't be listed: {error}.") from None
    if not found:
        raise UsageError(f"{source} holds no files.")
    return sorted(set(found))


def filesystem(uri: str):
    """The file system of a path or URI, and the path in it: fsspec's, or pyarrow's where fsspec lacks a package."""
    import fsspec
    from fsspec.implementations.local import LocalFileSystem

    if "://" not in uri:  # fsspec takes "::" in a path for a chain of stores
        return LocalFileSystem(), os.path.abspath(os.path.expanduser(uri))
    try:
        return fsspec.core.url_to_fs(uri)
    except ImportError as error:
        from fsspec.implementations.arrow import ArrowFSWrapper
        from pyarrow import ArrowException
        from pyarrow.fs import FileSystem

        try:
            fs, path = FileSystem.from_uri(uri)
        except (ArrowException, ValueError):
            raise error from None
        return ArrowFSWrapper(fs), path


def _is_local(fs) -> bool:
    return bool({"file", "local"} & set(fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,)))


def _named(fs, source: str, name: str) -> str:
    """As the user would name it: local paths as they are, others as URIs."""
    if _is_local(fs):
        return os.path.relpath(name) if not os.path.isabs(source.removeprefix("file://")) else name
    return fs.unstrip_protocol(name)


def _hidden(name: str, root: str) -> bool:
    parts = name[len(root) :].replace("\\", "/").strip("/").split("/")
    beside = is_beside(parts[-1]) or name.lower().endswith(_BESIDE)
    return beside or any(part.startswith(".") or part == "__MACOSX" for part in parts)


def read_file(name: str) -> bytes:
    """A file's bytes from a path or URI. Raises `UnreadableFileError` or `UnsupportedFileError`."""
    try:
        fs, path = filesystem(name)
        found = fs.info(path)
        if found["type"] == "other":
            raise UnsupportedFileError("This is a pipe or a device. Save what comes from it as a file first.")
        if (found["size"] or 0) > MAX_BYTES:
            raise UnsupportedFileError(f"The file is larger than {MAX_BYTES >> 20} MiB.")
        return fs.cat_file(path)
    except FileNotFoundError:
        raise UnreadableFileError("There is no such file. Check the path.") from None
    except (OSError, ValueError, ImportError) as error:
        number = getattr(error, "errno", None)  # a store's own text may name who asked it
        why = os.strerror(number) if number else type(error).__name__
        raise UnreadableFileError(f"The file could not be opened: {why}.") from None
