"""The local engine: processes decode and crop, this one judges in batches with one compiled model."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lungcnn.gate.prepared import Prepared
from lungcnn.serving.archive.decoding import decoded
from lungcnn.serving.archive.table import row
from lungcnn.system import usable_cores

BATCH = 64


def judge_locally(files: Sequence[str], model: Path, workers: int | None, _: str | None) -> Iterator[list[dict]]:
    """Yield the rows of each file, in order."""
    from lungcnn.pipeline import Pipeline

    workers = workers or usable_cores()
    # The cores that don't decode: a thread that has to wait for one holds up those of the same batch.
    pipeline = Pipeline.load(model, threads=max(1, usable_cores() - workers))
    waiting: list[tuple[str, list[Prepared]]] = []
    for entry in decoded(files, workers):
        waiting.append(entry)
        if sum(len(prepared) for _, prepared in waiting) >= BATCH:
            yield from _judged(pipeline, waiting)
            waiting = []
    yield from _judged(pipeline, waiting)


def _judged(pipeline, entries: list[tuple[str, list[Prepared]]]) -> Iterator[list[dict]]:
    """Rows of each file, all its slices judged in batches."""
    flat = [(name, one) for name, prepared in entries for one in prepared]
    reports = []
    for start in range(0, len(flat), BATCH):
        reports += pipeline.judge([one for _, one in flat[start : start + BATCH]])
    following = iter(reports)
    for name, prepared in entries:
        yield [row(name, next(following), one.uids) for one in prepared]
