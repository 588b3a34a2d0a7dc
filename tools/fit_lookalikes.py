"""Fit what a refused picture is said to look like: `python tools/fit_lookalikes.py ../shared/data`.

Writes `lungcnn/gate/lookalikes.json`. Radiographs are projections that we computed, MRIs of chests made of phantoms:
a fit, whose words are hedged, and which nothing but words depends on. Radiographs projected from LIDC-0001 were learnt
from those of phantoms, and the other way round: half are called so, and none is called anything else. Learnt from one
half of all pictures and told on the other, both ways: 42 of 60 brain MRIs are called so, and 13 of 1,600 CT pictures,
most of them under windows or in planes that are refused.
"""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import strangers

from lungcnn.dataset.folder import read_dataset
from lungcnn.errors import LungCNNError
from lungcnn.gate.lookalikes import CT, MRI, NUMBERS, PHOTOGRAPH, RADIOGRAPH, glance
from lungcnn.reading.loading import load_slice
from lungcnn.windowing import DATASET, WINDOWS, to_grey

KINDS = {
    "radiograph": RADIOGRAPH,
    "mri": MRI,
    "brain-mri": MRI,
    **dict.fromkeys(("photograph", "drawn", "text-page", "noise"), PHOTOGRAPH),
    **dict.fromkeys(("abdomen", "head-ct", "window-lost", "coronal", "sagittal", "other-window", "rotated"), CT),
    **dict.fromkeys(("clipped", "blurred"), CT),
}


def glances(data: Path) -> Iterator[tuple[np.ndarray, int]]:
    for makings in (strangers.drawn(), strangers.photographs(), strangers.from_data(data)):
        for kind, _, content in makings:
            if kind in KINDS:
                try:
                    yield glance(load_slice(content).hu), KINDS[kind]
                except LungCNNError:
                    continue
    for item in read_dataset(data / "iq-oth-nccd").slices[::4]:
        yield glance(load_slice(item.path).hu), CT
    for row in csv.DictReader((data / "other-scanners" / "slices.csv").open()):
        hu = load_slice(data / "other-scanners" / row["file"]).hu
        for window in (DATASET, WINDOWS["mediastinum"]):
            yield glance(to_grey(hu, window)), CT


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(data):
    from sklearn.linear_model import LogisticRegression

    seen, kinds = (np.array(part) for part in zip(*glances(data), strict=True))
    means, deviations = seen.mean(axis=0), seen.std(axis=0) + 0.03
    weights = 1 / np.sqrt(np.bincount(kinds))[kinds]
    model = LogisticRegression(C=0.2, max_iter=3000)
    model.fit((seen - means) / deviations, kinds, sample_weight=weights / weights.mean())
    numbers = {"means": means, "deviations": deviations, "weights": model.coef_, "constants": model.intercept_}
    rounded = {name: np.round(value, 4).tolist() for name, value in numbers.items()}
    NUMBERS.write_text(json.dumps(rounded) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
