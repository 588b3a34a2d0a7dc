"""How fast `batch` is, from one to two workers, against decoding alone: `python tools/archive_figures.py`.

The archive is the bundled phantoms many times over, so its files come from memory, not from a disk. Rates are those
of the run once it is under way: what starting costs is left out. Medians of rounds that take turns.
"""

import itertools
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import click

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from measurements import publish

from lungcnn.gate.examine import examine
from lungcnn.phantoms.bundled import PHANTOMS
from lungcnn.reading.loading import load_slice
from lungcnn.serving.archive.decoding import decoded
from lungcnn.serving.archive.listing import read_file
from lungcnn.serving.archive.score import score_archive

SETTLED = 128  # files after which the rate is taken
BATCH = 64


def archive(folder: Path, count: int) -> list[str]:
    """Paths of `count` links to the bundled phantoms."""
    paths = []
    for index, name in zip(range(count), itertools.cycle(PHANTOMS), strict=False):
        path = folder / f"{index:05}.dcm"
        path.symlink_to(ROOT / "examples" / f"{name}.dcm")
        paths.append(str(path))
    return paths


def rate(times: list[float]) -> float:
    """Files a second after the first `SETTLED`."""
    return round((len(times) - SETTLED) / (times[-1] - times[SETTLED - 1]), 1)


def decode_only(files: list[str], workers: int) -> float:
    return rate([time.perf_counter() for _ in decoded(files, workers)])


def scored(folder: Path, workers: int) -> float:
    times: list[float] = []
    with tempfile.TemporaryDirectory() as out:
        done = score_archive(
            str(folder), Path(out) / "t.parquet", workers=workers, on_file=lambda: times.append(time.perf_counter())
        )
    if done.rows != {"ok": len(times)}:
        raise click.ClickException(f"Not every slice was judged: {done.rows}.")
    return rate(times)


def core_ms(files: list[str]) -> dict[str, float]:
    """Processor milliseconds a slice of each step, on one core."""
    from lungcnn.gate.prepared import prepare_file
    from lungcnn.pipeline import Pipeline

    pipeline = Pipeline.load()
    contents = [read_file(file) for file in files]
    slices = [load_slice(content) for content in contents]
    prepared = [one for content in contents for one in prepare_file(content)]
    steps = {
        "read": lambda: [read_file(file) for file in files],
        "decode": lambda: [load_slice(content) for content in contents],
        "crop": lambda: [examine(one) for one in slices],
        "judge": lambda: pipeline.judge(prepared),
    }
    found = {}
    for name, step in steps.items():
        step()
        start = time.process_time()
        for _ in range(5):
            step()
        found[name] = round((time.process_time() - start) * 1000 / 5 / len(files), 2)
    return found


@click.command()
@click.option("--files", default=1000, show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--json", "target", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here.")
def main(files, rounds, target):
    """Measure, and print the figures as JSON."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        paths = archive(folder, files)
        rates: dict[int, dict[str, list[float]]] = {workers: {"decode": [], "batch": []} for workers in (1, 2)}
        for _ in range(rounds):
            for workers, found in rates.items():
                found["decode"].append(decode_only(paths, workers))
                found["batch"].append(scored(folder, workers))
        figures = {
            "files": files,
            "file_kib": round(os.path.getsize(paths[0]) / 1024),
            "per_second": {
                workers: {what: statistics.median(found[what]) for what in found} for workers, found in rates.items()
            },
            "core_ms": core_ms(paths[:BATCH]),
        }
    publish(figures, target)


if __name__ == "__main__":
    main()
