"""Does the heatmap point at the lesion? Pointing game and share of the map inside known lesions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from lungcnn.evaluation.metrics import RESAMPLES
from lungcnn.evaluation.targets import Target
from lungcnn.explaining.explainer import Explainer
from lungcnn.explaining.faithfulness import deletion_insertion
from lungcnn.explaining.methods import DEFAULT_METHOD, METHODS

COMPARED = tuple(name for name, method in METHODS.items() if not method.slow)
TITLES = {
    "boxes": "Real lesions of development slices (boxes drawn by eye, surely seen), out of fold",
    "second_look": "The same on the malignant slices that the first list leaves out (a second look)",
    "elsewhere": "Tumours on slices of other scanners (boxes by eye), by networks that saw none of the collection",
    "inserted": "Lesions drawn into development slices (10 mm and more), out of fold",
    "phantoms": "Phantoms with a lesion",
    "outlines": "Slices with readers' outlines",
}


@dataclass(frozen=True)
class Finding:
    """What the maps of one target did.

    Attributes:
        called: the network calls it malignant. chance: the lesion's share of the lungs' area.
        hit: by method, whether the peak cell touches the lesion. inside: by method, share of the positive map in it.
        better_than_random: of the default method, by deletion and insertion.
    """

    kind: str
    case: str
    called: bool
    chance: float
    hit: dict[str, bool]
    inside: dict[str, float]
    better_than_random: bool


def locate(
    explainer: Explainer, targets: Iterable[Target], methods: Sequence[str] = COMPARED, threshold: float | None = None
) -> list[Finding]:
    """Explain "malignant" on each target by each method, and compare with where the lesion is.

    Args:
        threshold: malignant probability from which a target counts as called; None: the most probable class decides.
    """
    findings = []
    malignant = explainer.classifier.classes.index("malignant")
    for target in targets:
        found = explainer.classifier(target.crop[None])
        p = found.probabilities[0]
        called = p.argmax() == malignant if threshold is None else p[malignant] >= threshold
        maps = {name: explainer.maps(name, target.crop, found)[malignant] for name in methods}
        default = maps[DEFAULT_METHOD]
        checked = default.max() > 0 and deletion_insertion(
            explainer.classifier, target.crop, target.lungs, default, malignant, float(p[malignant])
        )
        findings.append(
            Finding(
                kind=target.kind,
                case=target.case,
                called=bool(called),
                chance=float((target.lesion & target.lungs).sum() / max(1, target.lungs.sum())),
                hit={name: _hits(cells, target.lesion) for name, cells in maps.items()},
                inside={name: _inside(cells, target.lesion) for name, cells in maps.items()},
                better_than_random=bool(checked and checked.areas["better_than_random"]),
            )
        )
    return findings


def _hits(cells: np.ndarray, lesion: np.ndarray) -> bool:
    """Whether the map's highest cell touches the lesion; a map without positive cells hits nothing."""
    if cells.max() <= 0:
        return False
    row, column = np.unravel_index(np.argmax(cells), cells.shape)
    height, width = (full / part for full, part in zip(lesion.shape, cells.shape, strict=True))
    rows = slice(int(row * height), int(np.ceil((row + 1) * height)))
    columns = slice(int(column * width), int(np.ceil((column + 1) * width)))
    return bool(lesion[rows, columns].any())


def _inside(cells: np.ndarray, lesion: np.ndarray) -> float:
    heat = np.maximum(cv2.resize(cells, lesion.shape[::-1], interpolation=cv2.INTER_LINEAR), 0)
    return float(heat[lesion].sum() / max(float(heat.sum()), 1e-12))


def summarise_findings(findings: Sequence[Finding], resamples: int = RESAMPLES) -> dict:
    """By kind: figures over the targets that the network calls malignant, with 95 % intervals over cases.

    Returns:
        `{kind: {"slices", "called", "chance", "better_than_random", "methods": {name: {"hit", "inside"}}}}`, each
        figure as `{"value", "low", "high"}`; `chance` is the lesion's mean share of the lungs.
    """
    summary: dict[str, dict[str, Any]] = {}
    for kind in TITLES:
        every = [finding for finding in findings if finding.kind == kind]
        called = [finding for finding in every if finding.called]
        if not every:
            continue
        summary[kind] = {"slices": len(every), "called": len(called)}
        if not called:
            continue
        cases = np.array([finding.case for finding in called])

        def figure(values, cases=cases):
            return mean_by_case(np.array(values, float), cases, resamples)

        summary[kind] |= {
            "chance": figure([finding.chance for finding in called]),
            "better_than_random": figure([finding.better_than_random for finding in called]),
            "methods": {
                name: {
                    "hit": figure([finding.hit[name] for finding in called]),
                    "inside": figure([finding.inside[name] for finding in called]),
                }
                for name in called[0].hit
            },
        }
    return summary


def mean_by_case(values: np.ndarray, cases: np.ndarray, resamples: int = RESAMPLES) -> dict[str, float]:
    """The mean of values `[n]` as `{"value", "low", "high"}`: percentile bootstrap over cases; a point for one case."""
    from scipy.stats import bootstrap

    names, which = np.unique(cases, return_inverse=True)
    sums, counts = np.bincount(which, values), np.bincount(which)
    value = low = high = float(values.mean())
    if len(names) > 1:

        def mean(drawn_sums, drawn_counts, axis=-1):
            return drawn_sums.sum(axis=axis) / drawn_counts.sum(axis=axis)

        rng = np.random.default_rng(0)
        interval = bootstrap(
            (sums, counts), mean, paired=True, vectorized=True, n_resamples=resamples, method="percentile", rng=rng
        ).confidence_interval
        low, high = float(interval.low), float(interval.high)
    return {"value": round(value, 4), "low": round(low, 4), "high": round(high, 4)}


def method_titles(summary: dict) -> list[tuple[str, str]]:
    """Name and title of the methods in a summary, in the order of `METHODS`."""
    named = {name for entry in summary.values() for name in entry.get("methods", ())}
    return [(name, method.title) for name, method in METHODS.items() if name in named]
