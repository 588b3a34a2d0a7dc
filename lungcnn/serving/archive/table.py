"""The table of an archive's slices, and the parts of it that are done: every file here is whole or not there."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from lungcnn.classes import CLASSES, Classes
from lungcnn.errors import OutputError, UsageError
from lungcnn.results.slice_report import SliceReport
from lungcnn.system import write_whole

PART_FILES = 256
FORMATS = {".parquet": "Parquet", ".csv": "CSV", ".jsonl": "JSON lines"}


def columns(classes: Classes = CLASSES) -> dict[str, str]:
    """The table's columns for a model of these classes, with the names of Arrow's types.

    They are the record of `predict --json`, flattened; lists are joined by spaces, none of their items holds one.
    """
    return {
        "file": "string",
        "index": "int32",
        "status": "string",
        "reasons": "string",
        "message": "string",
        "warnings": "string",
        "prediction": "string",
        **{f"probability_{name}": "float64" for name in classes},
        "prediction_set": "string",
        "model": "string",
        "model_sha256": "string",
        "series_instance_uid": "string",
        "sop_instance_uid": "string",
    }


def row(file: str, report: SliceReport, uids: tuple[str | None, str | None] = (None, None)) -> dict:
    """One row of the table: the values of `columns`; `uids` as `stated_uids`, which no report carries."""
    record = report.to_json(file)
    chances, chosen = record["probabilities"] or {}, record["prediction_set"]
    return {
        "file": record["file"],
        "index": record["index"],
        "status": record["status"],
        "reasons": " ".join(reason["code"] for reason in record["reasons"]),
        "message": " ".join(reason["message"] for reason in record["reasons"]),
        "warnings": " ".join(warning["code"] for warning in record["warnings"]),
        "prediction": record["prediction"],
        **{f"probability_{name}": chances.get(name) for name in report.classes},
        "prediction_set": None if chosen is None else " ".join(chosen),
        "model": record["model"]["name"],
        "model_sha256": record["model"]["sha256"],
        "series_instance_uid": uids[0],
        "sop_instance_uid": uids[1],
    }


class Parts:
    """The table and the parts of it that are done; every file here is whole or not there."""

    def __init__(self, out: Path, classes: Classes = CLASSES):
        self.out = out
        self._schema = _schema(classes)
        self.folder = out.with_name(f"{out.name}.parts")
        self._lock = FileLock(self.folder / ".lock")

    def __enter__(self):
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(blocking=False)  # the system lets go of it when a run is killed
        except Timeout:
            raise UsageError(f"Another run is writing {self.out}. Wait for it, or give another --out.") from None
        except OSError as error:
            raise OutputError(f"The folder {self.folder} can't be written: {error.strerror}.") from None
        for draft in self.folder.glob(".*.draft.parquet"):  # of a run that was killed
            draft.unlink()
        return self

    def __exit__(self, *_):
        self._lock.release()
        if not list(self.folder.glob("*.parquet")):
            for file in self.folder.iterdir():
                file.unlink()
            self.folder.rmdir()

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("part-*.parquet"))

    def tables(self) -> list:
        """What is done: the table, where there is one, and the parts."""
        import pyarrow.parquet as pq

        return ([read_table(self.out, self._schema)] if self.out.exists() else []) + [
            pq.read_table(path) for path in self._paths()
        ]

    def check_model(self, sha256: str) -> None:
        """Raises `UsageError` where rows of another model are there already."""
        for table in self.tables():
            others = set(table.column("model_sha256").to_pylist()) - {sha256}
            if others:
                raise UsageError(
                    f"{self.out} holds rows of another model ({sorted(map(str, others))[0][:12]}). Give another --out, "
                    "or remove it."
                )

    def done(self, retry_errors: bool = False) -> set[str]:
        """The files whose rows stand in the table or in a part; with `retry_errors`, but those with an error."""
        done: set[str] = set()
        for table in self.tables():
            status = dict(zip(table.column("file").to_pylist(), table.column("status").to_pylist(), strict=True))
            done |= set(status)
            if retry_errors:
                done -= {file for file, said in status.items() if said == "error"}
        return done

    def add(self, rows: Sequence[dict]) -> None:
        """Write a part, which takes its name once it is whole and on disk."""
        import pyarrow.parquet as pq

        taken = [int(path.stem.removeprefix("part-")) for path in self._paths()]
        path = self.folder / f"part-{max(taken, default=-1) + 1:06d}.parquet"
        _write_whole(path, lambda draft: pq.write_table(_table(rows, self._schema), draft))

    def finish(self) -> dict[str, int]:
        """Make the table of what there is, in order of file and frame; returns its rows by status."""
        import pyarrow as pa

        table = pa.concat_tables([_table([], self._schema), *_newest(self.tables())])
        table = table.sort_by([("file", "ascending"), ("index", "ascending")])
        if self._paths() or not self.out.exists():
            _write_whole(self.out, lambda draft: _write_table(table, draft))
        for path in self._paths():
            path.unlink()
        counts = table.column("status").value_counts().to_pylist()
        return {entry["values"]: entry["counts"] for entry in counts}


def _write_whole(path: Path, write: Callable[[Path], object]) -> None:
    try:
        write_whole(path, write)
    except OSError as error:
        raise OutputError(f"{path} could not be written: {error.strerror or error}.") from None


def _schema(classes: Classes):
    import pyarrow as pa

    return pa.schema([(name, getattr(pa, kind)()) for name, kind in columns(classes).items()])


def _table(rows: Sequence[dict], schema):
    import pyarrow as pa

    return pa.Table.from_pylist(list(rows), schema=schema)


def _newest(tables: Sequence) -> list:
    """Tables without the rows of files that a later one holds as well.

    A file was tried again, or a run was killed between writing the table and removing its parts.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kept, later = [], pa.array([], pa.string())
    for table in reversed(tables):
        files = table.column("file").combine_chunks()
        kept.append(table.filter(pc.invert(pc.is_in(files, value_set=later))))
        later = pa.concat_arrays([later, files.unique()])
    return kept


def _write_table(table, path: Path) -> None:
    form = path.suffix.lower()
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


def read_table(path: Path, schema=None):
    """A table of a schema (None: that of the usual classes) as a `pyarrow.Table`.

    Raises `UsageError` for a file that this command didn't write, for a model of these classes.
    """
    import pyarrow as pa

    schema = schema or _schema(CLASSES)
    try:
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet as pq

            return pq.read_table(path, columns=schema.names).cast(schema)
        if path.suffix.lower() == ".csv":
            from pyarrow import csv

            # Written so that an empty string is quoted and a null is not.
            options = csv.ConvertOptions(
                column_types=schema, strings_can_be_null=True, quoted_strings_can_be_null=False
            )
            return csv.read_csv(path, convert_options=options).select(schema.names)
        return _table([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()], schema)
    except (pa.ArrowException, ValueError, KeyError, OSError):
        raise UsageError(
            f"{path} is not a table that this command wrote for a model of these classes. Give another "
            "--out, or remove it."
        ) from None
