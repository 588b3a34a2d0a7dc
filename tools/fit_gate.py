"""Fit the gate's two small models, which tell chests from other pictures and which way they lie.

`python tools/fit_gate.py ../shared/data` writes `lungcnn/gate/likeness.json`. The network has no part in it.

Chests: development slices, LIDC-IDRI-0001, the slices of other scanners, phantoms as they are and under other windows.
Others: what `tests/strangers.py` draws and makes, and slices of other parts of the body, on which any hole with air is
taken for lung, so that bowel, stomach and windpipe are learnt as what they are.
"""

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import strangers

from lungcnn.dataset.folder import read_dataset
from lungcnn.errors import LungCNNError
from lungcnn.gate.likeness import NUMBERS, QUARTERS, Likeness, spread, stance, traits
from lungcnn.gate.measures import Measures, measure
from lungcnn.gate.views import GRID, Views, find_views
from lungcnn.preprocessing import lungs as lung_masks
from lungcnn.preprocessing.anatomy import crop_anatomy, find_masks
from lungcnn.preprocessing.turn import AS_STORED, upright_by
from lungcnn.reading.exported_window import correct_levels
from lungcnn.reading.loading import load_slice

CHESTS = frozenset({"normal", "malignant", "other", "unclear", "prone", "turned"})
# Labelled normal, but looked at: colon and stomach hold the air on these.
NO_LUNG_SEEN = frozenset(f"tcga-lihc-a10x/{number}.dcm" for number in ("020", "023", "026", "029", "030"))
# Kinds of strangers that show chests, with another fault.
CHESTS_TOO = frozenset({"other-window", "inverted"})
FAULTY = frozenset(
    {"clipped", "blurred", "too-small", "text", "rotated", "colour", "window-lost", "not-finite", "screenshot"}
)
# Where less of the air is as empty as outside the body, a slice that is called no chest shows the ends of lungs.
LEAST_GAS = 0.3
RIDGE_UPRIGHT, RIDGE_CELLS, RIDGE_TRAITS = 0.01, 250.0, 10.0


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture: where it is from, whether it shows a chest, and what was seen of it: of a chest, upright."""

    group: str
    chest: bool
    views: Views
    measures: Measures


def samples(data: Path) -> Iterator[Sample]:
    """Everything at hand; drawn chests are of the group "phantom"."""
    for row in csv.DictReader((data / "other-scanners" / "slices.csv").open()):
        chest = row["label"] in CHESTS and row["file"] not in NO_LUNG_SEEN
        if chest or row["label"] == "not-axial":
            yield from _sample(row["collection"], chest, data / "other-scanners" / row["file"])
        else:
            yield from _sample(row["collection"], False, data / "other-scanners" / row["file"], any_air=True)
    for item in read_dataset(data / "iq-oth-nccd").slices:
        yield from _sample("IQ-OTH/NCCD", True, item.path)
    for path in sorted((data / "lidc-0001").glob("*.dcm")):
        yield from _sample("LIDC-0001", True, path)
    for hu in strangers.chests().values():
        yield from _sample("phantom", True, strangers.as_16_bit(hu))
    for makings in (strangers.drawn(), strangers.photographs(), strangers.from_data(data)):
        for kind, name, content in makings:
            if kind in CHESTS_TOO:
                yield from _sample("phantom" if "phantom" in name else "LIDC-0001", True, content)
            elif kind not in FAULTY or "desktop" in name:
                yield from _sample(kind, False, content)


def _sample(group: str, chest: bool, content, any_air: bool = False) -> Iterator[Sample]:
    try:
        ct_slice = correct_levels(load_slice(content))
        masks = partial(find_masks, ct_slice.hu, ct_slice.aspect)
        body, lungs = _with_any_air(masks) if any_air else masks()
    except LungCNNError:
        return
    stated = ct_slice.facts and ct_slice.facts.orientation
    anatomy = crop_anatomy(ct_slice, body, lungs, upright_by(stated) if stated and chest else AS_STORED)
    views = find_views(ct_slice.hu, ct_slice.aspect, anatomy)
    measures = measure(ct_slice, anatomy, views)
    if any_air and measures.gas < LEAST_GAS:
        return
    yield Sample(group, chest, views, measures)


def _with_any_air(masks):
    """Masks for which a hole that is too small for a lung counts, too."""
    kept = lung_masks.LEAST_PIECE, lung_masks.LEAST_LUNG
    lung_masks.LEAST_PIECE, lung_masks.LEAST_LUNG = 0.002, 0.003
    try:
        return masks()
    finally:
        lung_masks.LEAST_PIECE, lung_masks.LEAST_LUNG = kept


def fit(known: list[Sample]) -> Likeness:
    """Both models on these samples; a group counts by the root of its number, chests as much as the others."""
    chests = [one for one in known if one.chest]
    cells, couch_and_aspect = _fit_upright(chests, _weights(chests))
    blank = Likeness(cells, couch_and_aspect, *[np.zeros(0)] * 5, constant=0.0)
    upright = [one if one.chest else _turned(one, blank) for one in known]
    return replace(blank, **_fit_chest(upright, _weights(upright)))


def _turned(one: Sample, likeness: Likeness) -> Sample:
    """A stranger as the gate would turn it."""
    best = QUARTERS[int(likeness.upright_scores(one.views).argmax())]
    views = one.views.turned(best)
    return replace(one, views=views, measures=replace(one.measures, aspect=float(np.exp(views.log_aspect))))


def _weights(known: list[Sample]) -> np.ndarray:
    keys = [(one.chest, one.group) for one in known]
    weights = np.array([1 / np.sqrt(keys.count(key)) for key in keys])
    chest = np.array([one.chest for one in known])
    for kind in (True, False):
        if (chest == kind).any():
            weights[chest == kind] /= weights[chest == kind].mean()
    return weights


def _halves(cells: np.ndarray) -> np.ndarray:
    """Cells `[..., 4, GRID, GRID]` folded about the middle, flat: what weights that are alike left and right see."""
    folded = cells[..., : GRID // 2] + cells[..., : GRID // 2 - 1 : -1]
    return folded.reshape(*cells.shape[:-3], -1)


def _fit_upright(chests: list[Sample], weights: np.ndarray, steps: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Softmax over the four quarter turns of each slice, of which the first is upright, by Adam."""
    seen = [[one.views.turned(turn) for turn in QUARTERS] for one in chests]
    inputs = np.stack([[[*_halves(v.cells), *(0.3 * stance(v))] for v in four] for four in seen])
    inputs -= inputs.mean(axis=(0, 1))
    flat, found = inputs.reshape(-1, inputs.shape[-1]), np.zeros(inputs.shape[-1])
    first, second = np.zeros_like(found), np.zeros_like(found)
    for step in range(1, steps + 1):
        scores = inputs @ found
        wrong = np.exp(scores - scores.max(axis=1, keepdims=True))
        wrong /= wrong.sum(axis=1, keepdims=True)
        wrong[:, 0] -= 1
        slope = (weights[:, None] * wrong).ravel() @ flat / weights.sum() + RIDGE_UPRIGHT * found
        first, second = 0.9 * first + 0.1 * slope, 0.99 * second + 0.01 * slope**2
        found -= 0.03 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    return found[:-2].reshape(4, GRID, GRID // 2), 0.3 * found[-2:]


def _fit_chest(known: list[Sample], weights: np.ndarray) -> dict:
    from sklearn.linear_model import LogisticRegression

    chest = np.array([one.chest for one in known])
    values = np.stack([traits(one.views, one.measures) for one in known])
    means = np.average(values[chest], axis=0, weights=weights[chest])
    deviations = np.sqrt(np.average((values[chest] - means) ** 2, axis=0, weights=weights[chest]))
    cells = _halves(np.stack([one.views.cells for one in known]))
    middle, widths = cells[chest].mean(axis=0), cells[chest].std(axis=0) + 0.1
    # One penalty for all: what is to be held back more is made smaller.
    less = np.sqrt(RIDGE_TRAITS / RIDGE_CELLS)
    both = spread(values, means, deviations)
    both[:, values.shape[1] :] /= 2
    model = LogisticRegression(C=1 / RIDGE_TRAITS, max_iter=5000)
    model.fit(np.concatenate([both, (cells - middle) / widths * less], axis=1), chest, sample_weight=weights)
    found, count = model.coef_[0], values.shape[1]
    of_cells = found[2 * count :] * less / widths
    return {
        "chest_cells": of_cells.reshape(4, GRID, GRID // 2),
        "means": means,
        "deviations": deviations,
        "linear": found[:count],
        "squares": found[count : 2 * count] / 2,
        "constant": float(model.intercept_[0] - of_cells @ middle),
    }


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(data):
    found = fit(list(samples(data)))
    numbers = {name: np.round(np.asarray(value), 4).tolist() for name, value in vars(found).items()}
    NUMBERS.write_text(json.dumps(numbers) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
