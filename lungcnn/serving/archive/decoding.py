"""Files prepared by a pool of processes, in order."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from lungcnn.errors import LungCNNError, RefusalError, UnreadableFileError, told_as
from lungcnn.gate.prepared import Prepared, prepare_file
from lungcnn.reading.uids import stated_uids
from lungcnn.serving.archive.listing import read_file
from lungcnn.serving.archive.processes import in_processes


def prepare_named(name: str) -> list[Prepared]:
    """Every frame of a file, prepared; for a process that decodes."""
    try:
        with told_as(UnreadableFileError, "Reading the file failed."):
            content = read_file(name)
            prepared = list(prepare_file(content))
            read = any(one.error is None or isinstance(one.error, RefusalError) for one in prepared)
            uids = stated_uids(content) if read else (None, None)
            return [replace(one, uids=uids) for one in prepared]
    except LungCNNError as error:
        return [Prepared(None, error=error)]


def decoded(files: Sequence[str], workers: int, work: Callable = prepare_named) -> Iterator[tuple[str, list[Prepared]]]:
    """Each file prepared by a pool of processes, in order; a file that kills its process gets an error."""
    for name, found in in_processes(files, workers, partial(_each, work)):
        yield name, [Prepared(None, error=found)] if isinstance(found, LungCNNError) else found


def _each(work: Callable, names: Sequence[str]) -> list:
    return [work(name) for name in names]
