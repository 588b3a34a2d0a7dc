"""What the findings of whole and of partial series are worth, with the model that ships or another.

`python tools/finding_figures.py ../shared/data --json docs/measurements/findings.json`

LIDC-0001 is a whole series with a tumour that readers outlined. Of other scanners a few slices of each patient are at
hand, often far apart: those of one series are read as a series. Lists of pictures have no findings.
"""

import csv
import sys
from pathlib import Path

import click

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from measurements import publish

from lungcnn.evaluation.lidc import nodule_boxes
from lungcnn.evaluation.series_findings import measure_findings
from lungcnn.reading.series_reader import read_series

CORNERS = ("x0", "y0", "x1", "y1")
# What is no chest slice as it should be makes no series.
LEFT_OUT = {"not-chest", "not-axial", "prone", "turned"}
LEAST = 4  # slices


def lidc(pipeline, folder: Path) -> dict:
    """The figures of LIDC-0001."""
    (series,) = read_series(folder).series
    boxes = nodule_boxes(folder)
    names = [Path(one.name).name for one in series.slices]
    tumour = {index: boxes[name] for index, name in enumerate(names) if name in boxes}
    return measure_findings(pipeline.run_series(series), tumour, series.slices[0].read().spacing)


def other_scanners(pipeline, folder: Path) -> dict:
    """By patient, with "tumour", "diseased" or "healthy" as its kind."""
    rows = list(csv.DictReader((folder / "slices.csv").open()))
    found = {}
    for patient in sorted({row["patient"] for row in rows if row["patient"]}):
        own = {row["file"]: row for row in rows if row["patient"] == patient and row["label"] not in LEFT_OUT}
        paths = [folder / file for file in own]
        for number, series in enumerate(read_series(paths).series if paths else (), 1):
            if not series.ordered or len(series) < LEAST:
                continue
            labels = [own[str(Path(one.name).relative_to(folder))] for one in series.slices]
            tumour = {
                index: tuple(float(row[corner]) for corner in CORNERS)
                for index, row in enumerate(labels)
                if row["label"] == "malignant" and row["x0"]
            }
            kinds = {row["label"] for row in labels}
            kind = "tumour" if "malignant" in kinds else "diseased" if kinds - {"normal"} else "healthy"
            figures = measure_findings(pipeline.run_series(series), tumour, series.slices[0].read().spacing)
            found[f"{patient}, series {number}"] = {"kind": kind, "spacing_mm": series.spacing_mm, **figures}
    return found


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--model", type=click.Path(path_type=Path), help="Model file.  [default: the one that ships]")
@click.option("--json", "target", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here.")
def main(data, model, target):
    """The figures as JSON."""
    from lungcnn.pipeline import Pipeline

    pipeline = Pipeline.load(model)
    publish(
        {
            "model": pipeline.card.sha256,
            "lidc": lidc(pipeline, data / "lidc-0001"),
            "other_scanners": other_scanners(pipeline, data / "other-scanners"),
        },
        target,
    )


if __name__ == "__main__":
    main()
