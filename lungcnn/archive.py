"""Scoring an archive: one row for each slice of each file, in batches, resumable at any moment.

Work is cut into parts of whole files. A part's rows get a file of their own, which has its name only once it is
complete, so a killed run leaves whole parts, and the next one goes on with the files that stand in none. In the end
the parts become the one table asked for. Both engines give the same rows:

- `local`: processes decode and crop, this one judges in batches with one compiled model.
- `ray`: Ray Data reads and crops in tasks, and actors that each load the model once judge; on a laptop or a cluster.

README, "Series, archives, DICOM, PACS", has the rates measured and what follows from them for 100 million slices.
"""

import json
import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from lungcnn.errors import LungCNNError, UnreadableFileError, UsageError
from lungcnn.loading import MAX_BYTES, UnsupportedFileError
from lungcnn.network import CLASSES
from lungcnn.preparing import Prepared, prepare_file
from lungcnn.report import SliceReport

PART_FILES = 256
FORMATS = {".parquet": "Parquet", ".csv": "CSV", ".jsonl": "JSON lines"}
LISTS = (".txt", ".lst", ".list")
ENGINES = ("local", "ray")
# The record of `predict --json`, flattened; lists are joined by spaces, none of their items holds one.
COLUMNS = {
    "file": "string",
    "index": "int32",
    "status": "string",
    "reasons": "string",
    "message": "string",
    "warnings": "string",
    "prediction": "string",
    **{f"probability_{name}": "float64" for name in CLASSES},
    "prediction_set": "string",
    "model": "string",
    "model_sha256": "string",
}
# Files that lie beside slices; anything else that is no slice gets a row that says so.
_BESIDE = (".xml", ".json", ".md", ".txt", ".csv", ".parquet", ".jsonl", ".html", ".pdf")


@dataclass(frozen=True)
class Scored:
    """What a run did: files found, files done before, rows by status in the table."""

    files: int
    before: int
    rows: dict[str, int]
    out: Path


# ---------------------------------------------------------------- what is in the archive


def list_files(source: str) -> list[str]:
    """The files of an archive in order of name, as paths or URIs that `open_file` takes.

    Args:
        source: a folder (searched through), a glob, a file, a list of paths or URIs (a .txt or .lst file, one a
            line), or a URI of an object store that fsspec or pyarrow knows (s3://bucket/prefix, gs://...).

    Raises `UsageError` where there is nothing, or the store can't be reached.
    """
    try:
        fs, path = _filesystem(source)
        if source.lower().endswith(LISTS) and fs.isfile(path):
            lines = fs.cat_file(path).decode("utf-8").splitlines()
            found = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        elif fs.isdir(path):
            found = [_named(fs, source, name) for name in fs.find(path) if not _hidden(name, path)]
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


def _filesystem(uri: str):
    """The file system of a path or URI, and the path in it: fsspec's, or pyarrow's where fsspec lacks a package."""
    import fsspec

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


def _named(fs, source: str, name: str) -> str:
    """As the user would name it: local paths as they are, others as URIs."""
    if {"file", "local"} & set(fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,)):
        return os.path.relpath(name) if not os.path.isabs(source.removeprefix("file://")) else name
    return fs.unstrip_protocol(name)


def _hidden(name: str, root: str) -> bool:
    parts = name[len(root) :].replace("\\", "/").strip("/").split("/")
    return any(part.startswith(".") or part == "__MACOSX" for part in parts) or name.lower().endswith(_BESIDE)


def read_file(name: str) -> bytes:
    """A file's bytes from a path or URI. Raises `UnreadableFileError` or `UnsupportedFileError`."""
    try:
        fs, path = _filesystem(name)
        if fs.size(path) > MAX_BYTES:
            raise UnsupportedFileError(f"The file is larger than {MAX_BYTES >> 20} MiB.")
        return fs.cat_file(path)
    except FileNotFoundError:
        raise UnreadableFileError("There is no such file. Check the path.") from None
    except (OSError, ValueError, ImportError) as error:
        raise UnreadableFileError(f"The file could not be opened ({type(error).__name__}).") from None


def prepare_named(name: str) -> list[Prepared]:
    """Every frame of a file, prepared; for a process that decodes."""
    try:
        return list(prepare_file(read_file(name)))
    except LungCNNError as error:
        return [Prepared(None, error=error)]
    except Exception as error:  # noqa: BLE001 - one file must never stop an archive
        return [Prepared(None, error=UnreadableFileError(f"Reading the file failed ({type(error).__name__})."))]


def row(file: str, report: SliceReport) -> dict:
    """One row of the table: the values of `COLUMNS`."""
    record = report.to_json(file)
    chances, chosen = record["probabilities"] or {}, record["prediction_set"]
    return {
        "file": file,
        "index": record["index"],
        "status": record["status"],
        "reasons": " ".join(reason["code"] for reason in record["reasons"]),
        "message": " ".join(reason["message"] for reason in record["reasons"]),
        "warnings": " ".join(warning["code"] for warning in record["warnings"]),
        "prediction": record["prediction"],
        **{f"probability_{name}": chances.get(name) for name in CLASSES},
        "prediction_set": None if chosen is None else " ".join(chosen),
        "model": record["model"]["name"],
        "model_sha256": record["model"]["sha256"],
    }


# ---------------------------------------------------------------- the run


def score_archive(
    source: str,
    out: Path,
    model: Path | None = None,
    engine: str = "local",
    workers: int | None = None,
    on_start: Callable[[int, int], None] = lambda files, done: None,
    on_file: Callable[[], None] = lambda: None,
    address: str | None = None,
) -> Scored:
    """Score every slice of an archive into one table, going on where an earlier run was stopped.

    Args:
        source: as `list_files`. out: the table; its ending names the form (.parquet, .csv, .jsonl).
        model: model file, None for the one that ships. engine: "local" or "ray".
        workers: processes that decode (local) or actors that judge (ray); None for one a core.
        on_start: called with the numbers of files in all and of those done before. on_file: after each file.
        address: of a Ray cluster; None for one on this machine.

    Raises `UsageError` for wrong arguments, a table of another model, or a table that another run is writing.
    """
    if out.suffix.lower() not in FORMATS:
        endings = ", ".join(f"{ending} ({name})" for ending, name in FORMATS.items())
        raise UsageError(f"The table {out.name} has no ending that says its form. Accepted: {endings}.")
    if engine not in ENGINES:
        raise UsageError(f"There is no engine '{engine}'. Accepted: {', '.join(ENGINES)}.")
    files = list_files(source)
    with _Parts(out) as parts:
        from lungcnn.artefact import default_model_path, load_card

        model = Path(model) if model else default_model_path()
        parts.check_model(load_card(model).sha256)
        done = parts.done()
        todo = [file for file in files if file not in done]
        on_start(len(files), len(files) - len(todo))
        results = _ENGINES[engine](todo, model, workers, address) if todo else ()
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


class _Parts:
    """The table and the parts of it that are done; every file here is whole or not there."""

    def __init__(self, out: Path):
        self.out = out
        self.folder = out.with_name(f"{out.name}.parts")

    def __enter__(self):
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.folder / ".lock").open("w")
        except OSError as error:
            raise UsageError(f"The folder {self.folder} can't be written: {error.strerror}.") from None
        try:
            import fcntl

            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system lets go of it when a run is killed
        except ImportError:
            pass
        except OSError:
            self._lock.close()
            raise UsageError(f"Another run is writing {self.out}. Wait for it, or give another --out.") from None
        for draft in self.folder.glob(".draft-*"):
            draft.unlink()
        return self

    def __exit__(self, *_):
        self._lock.close()
        if not list(self.folder.glob("*.parquet")):
            for file in self.folder.iterdir():
                file.unlink()
            self.folder.rmdir()

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("part-*.parquet"))

    def tables(self) -> list:
        """What is done: the table, where there is one, and the parts."""
        import pyarrow.parquet as pq

        return ([_read_table(self.out)] if self.out.exists() else []) + [pq.read_table(path) for path in self._paths()]

    def check_model(self, sha256: str) -> None:
        for table in self.tables():
            others = set(table.column("model_sha256").to_pylist()) - {sha256}
            if others:
                raise UsageError(
                    f"{self.out} holds rows of another model ({sorted(map(str, others))[0][:12]}). Give another --out, "
                    "or remove it."
                )

    def done(self) -> set[str]:
        return {file for table in self.tables() for file in table.column("file").to_pylist()}

    def add(self, rows: Sequence[dict]) -> None:
        """Write a part: under a name that is none until it is whole and on disk."""
        import pyarrow.parquet as pq

        taken = [int(path.stem.removeprefix("part-")) for path in self._paths()]
        path = self.folder / f"part-{max(taken, default=-1) + 1:06d}.parquet"
        self._whole(path, lambda draft: pq.write_table(_table(rows), draft))

    def finish(self) -> dict[str, int]:
        """Make the table of what there is, in order of file and frame; returns its rows by status."""
        import pyarrow as pa

        tables = self.tables()
        table = pa.concat_tables(tables) if tables else _table([])
        table = _once(table.sort_by([("file", "ascending"), ("index", "ascending")]))
        if self._paths() or not self.out.exists():
            self._whole(self.out, lambda draft: _write_table(table, draft, self.out.suffix.lower()))
        for path in self._paths():
            path.unlink()
        counts = table.column("status").value_counts().to_pylist()
        return {entry["values"]: entry["counts"] for entry in counts}

    def _whole(self, path: Path, write: Callable[[Path], None]) -> None:
        draft = self.folder / f".draft-{path.name}"
        try:
            write(draft)
            with draft.open("rb") as stream:
                os.fsync(stream.fileno())
            draft.replace(path)
        except OSError as error:
            raise UsageError(f"{path} could not be written: {error.strerror or error}.") from None


def _schema():
    import pyarrow as pa

    return pa.schema([(name, getattr(pa, kind)()) for name, kind in COLUMNS.items()])


def _table(rows: Sequence[dict]):
    import pyarrow as pa

    return pa.Table.from_pylist(list(rows), schema=_schema())


def _once(table):
    """Without rows that stand in both the table and a part: a run was killed after the one and before the other."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if table.num_rows < 2:
        return table
    files, frames = table.column("file").combine_chunks(), table.column("index").combine_chunks()
    same = pc.and_(pc.equal(files[1:], files[:-1]), pc.equal(frames[1:], frames[:-1]))
    return table.filter(pa.concat_arrays([pa.array([True]), pc.invert(same)]))


def _write_table(table, path: Path, form: str) -> None:
    if form == ".parquet":
        import pyarrow.parquet as pq

        pq.write_table(table, path)
    elif form == ".csv":
        from pyarrow import csv

        csv.write_csv(table, path)
    else:
        with path.open("w", encoding="utf-8") as stream:
            for record in table.to_pylist():
                stream.write(json.dumps(record, ensure_ascii=False) + "\n")


def _read_table(path: Path):
    import pyarrow as pa

    try:
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet as pq

            return pq.read_table(path, columns=list(COLUMNS)).cast(_schema())
        if path.suffix.lower() == ".csv":
            from pyarrow import csv

            # Written so that an empty string is quoted and a null is not.
            options = csv.ConvertOptions(
                column_types=_schema(), strings_can_be_null=True, quoted_strings_can_be_null=False
            )
            return csv.read_csv(path, convert_options=options).select(list(COLUMNS))
        return _table([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])
    except (pa.ArrowException, ValueError, KeyError, OSError):
        raise UsageError(f"{path} is no table of this command. Give another --out, or remove it.") from None


# ---------------------------------------------------------------- engines: names of files in, rows of each file out


def _local(files: Sequence[str], model: Path, workers: int | None, _: str | None) -> Iterator[list[dict]]:
    from lungcnn.pipeline import Pipeline

    pipeline = Pipeline.load(model)
    waiting: list[tuple[str, list[Prepared]]] = []
    for entry in _decoded(files, workers or _cores()):
        waiting.append(entry)
        if sum(len(prepared) for _, prepared in waiting) >= _BATCH:
            yield from _judged(pipeline, waiting)
            waiting = []
    yield from _judged(pipeline, waiting)


_BATCH = 64
_AHEAD = 16  # files a process


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _judged(pipeline, entries: list[tuple[str, list[Prepared]]]) -> Iterator[list[dict]]:
    """Rows of each file, all its slices judged in batches."""
    flat = [(name, one) for name, prepared in entries for one in prepared]
    reports = []
    for start in range(0, len(flat), _BATCH):
        reports += pipeline.judge([one for _, one in flat[start : start + _BATCH]])
    following = iter(reports)
    for name, prepared in entries:
        yield [row(name, next(following)) for _ in prepared]


def _decoded(
    files: Sequence[str], workers: int, work: Callable = prepare_named
) -> Iterator[tuple[str, list[Prepared]]]:
    """Each file prepared by a pool of processes, in order; a file that kills its process gets an error."""
    remaining = list(files)[::-1]
    while remaining:
        broken: list = []
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_process) as pool:
            ahead: list = []
            try:
                while remaining or ahead:
                    while remaining and len(ahead) < workers * _AHEAD:
                        name = remaining.pop()
                        ahead.append((name, pool.submit(work, name)))
                    name, future = ahead[0]
                    prepared = future.result()
                    ahead.pop(0)
                    yield name, prepared
            except BrokenProcessPool:
                broken = ahead
        for name, future in broken:  # one of those in flight did it: each gets a process of its own
            yield name, _alone(name, work) if future.exception() else future.result()


def _alone(name: str, work: Callable) -> list[Prepared]:
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_start_process) as pool:
            return pool.submit(work, name).result()
    except BrokenProcessPool:
        error = UnreadableFileError("Reading the file ended its process: a decoder crashed or memory ran out.")
        return [Prepared(None, error=error)]


def _start_process() -> None:
    """Set up a process that decodes."""
    import signal
    from multiprocessing import parent_process
    from threading import Thread

    import cv2

    cv2.setNumThreads(1)  # with a process a core, threads inside of one would only take turns
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which then ends its processes

    def end_with_the_run():
        parent_process().join()
        os._exit(1)  # a killed run can't tell its processes to go

    Thread(target=end_with_the_run, daemon=True).start()


def _ray(files: Sequence[str], model: Path, workers: int | None, address: str | None) -> Iterator[list[dict]]:
    try:
        import ray
    except ImportError:
        raise UsageError("The engine ray needs Ray Data, an optional extra: pip install 'ray[data]'.") from None
    import logging

    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        own = {"include_dashboard": False, "num_cpus": _cores()} if address is None else {}
        here = {"env_vars": {"PYTHONPATH": str(Path(__file__).parent.parent)}} if address is None else None
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, runtime_env=here, **own)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    cores = int(ray.cluster_resources().get("CPU", 1))
    actors = max(1, min(workers or cores, cores - 1 or 1))
    # A row a slice from the decoders; the actor is fed full batches whatever the files hold.
    blocks = max(1, min(len(files), max(4 * cores, len(files) // PART_FILES)))
    slices = ray.data.from_items([{"file": name} for name in files], override_num_blocks=blocks).flat_map(
        _prepared_rows, num_cpus=0.5
    )
    judged = slices.map_batches(
        _Judge,
        fn_constructor_args=(str(model),),
        concurrency=actors,
        batch_size=_BATCH,
        batch_format="numpy",
        num_cpus=0.5,
    )
    waiting: dict[str, list[dict]] = {}
    for record in judged.iter_rows():
        rows = waiting.setdefault(record["file"], [])
        rows.append(json.loads(record["row"]))
        if len(rows) == record["slices"]:
            yield sorted(waiting.pop(record["file"]), key=lambda one: one["index"])


def _prepared_rows(item: dict) -> Iterable[dict]:
    prepared = prepare_named(item["file"])
    for one in prepared:
        yield {"file": item["file"], "slices": len(prepared), "prepared": pickle.dumps(one)}


class _Judge:
    """A Ray actor: loads the model once and judges batches."""

    def __init__(self, model: str):
        from lungcnn.pipeline import Pipeline
        from lungcnn.quiet import import_tensorflow

        import_tensorflow()
        self.pipeline = Pipeline.load(model)

    def __call__(self, batch: dict) -> dict:
        prepared = [pickle.loads(bytes(data)) for data in batch["prepared"]]  # noqa: S301 - made by our own tasks
        reports = self.pipeline.judge(prepared)
        rows = [json.dumps(row(name, report)) for name, report in zip(batch["file"], reports, strict=True)]
        return {"file": batch["file"], "slices": batch["slices"], "row": rows}


_ENGINES = {"local": _local, "ray": _ray}
