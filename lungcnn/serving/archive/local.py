"""The local engine: each process decodes, crops and judges; a network too heavy for that is opened once, here."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from lungcnn.errors import LungCNNError
from lungcnn.gate.prepared import Prepared
from lungcnn.pipeline import Pipeline
from lungcnn.serving.archive.decoding import decoded, prepare_named
from lungcnn.serving.archive.processes import in_processes
from lungcnn.serving.archive.table import row
from lungcnn.system import usable_cores

BATCH = 64
_opened: list[Pipeline] = []  # in a process that judges: the one that it opened


def judge_locally(files: Sequence[str], model: Path, workers: int | None, _: str | None) -> Iterator[list[dict]]:
    """Yield the rows of each file, in order."""
    workers = workers or usable_cores()
    # Of a heavy network: the cores that don't decode. A thread that waits for one holds up those of the same batch.
    pipeline = Pipeline.load(model, threads=max(1, usable_cores() - workers))
    if not pipeline.classifier.engine.light:
        yield from _judged_here(pipeline, files, workers)
        return
    set_up = partial(_open, model, max(1, usable_cores() // workers))
    for name, found in in_processes(files, workers, judge_named, set_up):
        if isinstance(found, LungCNNError):
            yield from _judged(pipeline, [(name, [Prepared(None, error=found)])])
        else:
            yield found


def _open(model: Path, threads: int) -> None:
    _opened.append(Pipeline.load(model, threads=threads))


def judge_named(names: Sequence[str]) -> list[list[dict]]:
    """The rows of each of some files, for a process that judges."""
    return list(_judged(_opened[0], [(name, prepare_named(name)) for name in names]))


def _judged_here(pipeline: Pipeline, files: Sequence[str], workers: int) -> Iterator[list[dict]]:
    waiting: list[tuple[str, Sequence[Prepared]]] = []
    for entry in decoded(files, workers):
        waiting.append(entry)
        if sum(len(prepared) for _, prepared in waiting) >= BATCH:
            yield from _judged(pipeline, waiting)
            waiting = []
    yield from _judged(pipeline, waiting)


def _judged(pipeline: Pipeline, entries: Sequence[tuple[str, Sequence[Prepared]]]) -> Iterator[list[dict]]:
    """Rows of each file, all its slices judged in batches."""
    flat = [one for _, prepared in entries for one in prepared]
    reports = []
    for start in range(0, len(flat), BATCH):
        reports += pipeline.judge(flat[start : start + BATCH])
    following = iter(reports)
    for name, prepared in entries:
        yield [row(name, next(following), one.uids) for one in prepared]
