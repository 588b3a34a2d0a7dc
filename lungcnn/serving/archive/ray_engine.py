"""The Ray engine: tasks read and crop, actors that each load the model once judge."""

import json
import os
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lungcnn.errors import UsageError
from lungcnn.serving.archive.decoding import prepare_named
from lungcnn.serving.archive.local import BATCH
from lungcnn.serving.archive.table import PART_FILES, row
from lungcnn.system import usable_cores


def judge_by_ray(files: Sequence[str], model: Path, workers: int | None, address: str | None) -> Iterator[list[dict]]:
    """Yield the rows of each file as they come; raises `UsageError` where Ray isn't installed."""
    try:
        import ray
    except ImportError:
        raise UsageError("The engine ray needs Ray Data, an optional extra: pip install 'ray[data]'.") from None
    import logging

    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        own: dict[str, Any] = {}
        if address is None:
            here = {"env_vars": {"PYTHONPATH": str(Path(__file__).parents[3])}}
            own = {"include_dashboard": False, "num_cpus": usable_cores(), "runtime_env": here}
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
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
        batch_size=BATCH,
        batch_format="numpy",
        num_cpus=0.5,
    )
    waiting: dict[str, list[dict]] = {}
    for record in judged.iter_rows():
        rows = waiting.setdefault(record["file"], [])
        rows.append(json.loads(record["row"]))
        if len(rows) == record["slices"]:
            yield sorted(waiting.pop(record["file"]), key=lambda one: one["index"])


def _prepared_rows(item: dict) -> Iterator[Any]:
    prepared = prepare_named(item["file"])
    for one in prepared:
        yield {"file": item["file"], "slices": len(prepared), "prepared": pickle.dumps(one)}


class _Judge:
    """A Ray actor: loads the model once and judges batches."""

    def __init__(self, model: str):
        from lungcnn.pipeline import Pipeline

        self.pipeline = Pipeline.load(model)

    def __call__(self, batch: dict) -> dict:
        prepared = [pickle.loads(bytes(data)) for data in batch["prepared"]]  # noqa: S301 - made by our own tasks
        reports = self.pipeline.judge(prepared)
        told = zip(batch["file"], reports, prepared, strict=True)
        rows = [json.dumps(row(name, report, one.uids)) for name, report, one in told]
        return {"file": batch["file"], "slices": batch["slices"], "row": rows}
