"""Scoring an archive: one row for each slice of each file, in batches, resumable at any moment.

Work is cut into parts of whole files. A part's rows get a file of their own, which has its name only once it is
complete, so a killed run leaves whole parts, and the next one goes on with the files that stand in none. In the end
the parts become the one table asked for. Both engines give the same rows:

- `local`: processes decode, crop and judge; where the network needs Keras, this one judges in batches.
- `ray`: Ray Data reads and crops in tasks, and actors that each load the model once judge; on a laptop or a cluster.

docs/archives-and-pacs.md has the rates measured and what follows from them for 100 million slices.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lungcnn.errors import UsageError
from lungcnn.serving.archive.listing import list_files
from lungcnn.serving.archive.local import judge_locally
from lungcnn.serving.archive.ray_engine import judge_by_ray
from lungcnn.serving.archive.table import FORMATS, PART_FILES, Parts
from lungcnn.system import printable_name

ENGINES = {"local": judge_locally, "ray": judge_by_ray}


@dataclass(frozen=True)
class Scored:
    """What a run did: files found, files done before, rows by status in the table."""

    files: int
    before: int
    rows: dict[str, int]
    out: Path


def score_archive(
    source: str,
    out: Path,
    model: Path | None = None,
    engine: str = "local",
    workers: int | None = None,
    on_start: Callable[[int, int], None] = lambda files, done: None,
    on_file: Callable[[], None] = lambda: None,
    address: str | None = None,
    retry_errors: bool = False,
) -> Scored:
    """Score every slice of an archive into one table, going on where an earlier run was stopped.

    Args:
        source: as `list_files`. out: the table; its ending names the form (.parquet, .csv, .jsonl).
        model: model file, None for the one that ships. engine: "local" or "ray".
        workers: processes that decode and judge (local) or actors that judge (ray); None for one a core.
        on_start: called with the numbers of files in all and of those done before. on_file: after each file.
        address: of a Ray cluster; None for one on this machine.
        retry_errors: also score files again whose rows say that they could not be read.

    Raises `UsageError` for wrong arguments, a table of another model, or a table that another run is writing, and
    `OutputError` where the table can't be written.
    """
    if out.suffix.lower() not in FORMATS:
        endings = ", ".join(f"{ending} ({name})" for ending, name in FORMATS.items())
        raise UsageError(f"The table {out.name} has no ending that says its form. Accepted: {endings}.")
    if engine not in ENGINES:
        raise UsageError(f"There is no engine '{engine}'. Accepted: {', '.join(ENGINES)}.")
    files = list_files(source)
    from lungcnn.model.card import default_model_path, load_card

    model = Path(model) if model else default_model_path()
    card = load_card(model)
    with Parts(out, card.classes) as parts:
        parts.check_model(card.sha256)
        done = parts.done(retry_errors)
        todo = [file for file in files if printable_name(file) not in done]
        on_start(len(files), len(files) - len(todo))
        results = ENGINES[engine](todo, model, workers, address) if todo else ()
        rows: list[dict] = []
        for number, rows_of_file in enumerate(results, 1):
            rows += rows_of_file
            if number % PART_FILES == 0:
                parts.add(rows)
                rows = []
            on_file()
        if rows:
            parts.add(rows)
        return Scored(len(files), len(files) - len(todo), parts.finish(), out)
