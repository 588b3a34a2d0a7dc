"""`python tools/fit_evidence.py DATASET --cases CSV [--model FILE]`: a model's evidence scale, written into its card.

`train` measures it by itself; this is for cards that were written before it did.
"""

import dataclasses
import json
import sys
from functools import partial
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parent.parent))

from lungcnn.cli.common import MODEL, QUIET
from lungcnn.cli.dataset_crops import crop_slices
from lungcnn.explaining.evidence_scale import fit_evidence_scale
from lungcnn.model.card import card_path, default_model_path
from lungcnn.pipeline import Pipeline
from lungcnn.system import write_whole


@click.command()
@click.argument("dataset", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--cases", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@MODEL
@QUIET
def main(dataset: Path, cases: Path | None, model: Path | None, quiet: bool) -> None:
    crop_set = crop_slices(dataset, cases, "dev", quiet)
    scale = fit_evidence_scale(Pipeline.load(model).classifier, crop_set.crops, crop_set.labels)
    path = card_path(model or default_model_path())
    fields = json.loads(path.read_text(encoding="utf-8")) | {"evidence": dataclasses.asdict(scale)}
    text = json.dumps(fields, indent=1) + "\n"
    write_whole(path, partial(Path.write_text, data=text, encoding="utf-8"))


if __name__ == "__main__":
    main()
