"""What the gate does with everything at hand.

`python tools/gate_figures.py ../shared/data --json docs/measurements/gate.json`

The whole gate is asked, the familiarity of the shipped model included. That model was trained on the development
slices, so for those the features are left out of count: by how its threshold is made, few held-out ones lie beyond it.
"""

import csv
import statistics
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import click

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import strangers
from fit_gate import CHESTS, NO_LUNG_SEEN, fit, samples
from measurements import publish

from lungcnn.dataset.folder import read_dataset
from lungcnn.errors import LungCNNError
from lungcnn.gate.examine import admit, examine
from lungcnn.gate.likeness import Likeness, shipped_likeness
from lungcnn.reading.loading import load_slice


def verdict(pipeline, content) -> str:
    """ "ok", "corrected", or the code of the refusal."""
    try:
        report = pipeline.run(load_slice(content), checks=False)
    except LungCNNError as error:
        return error.code
    if report.reasons:
        return report.reasons[0].code
    return strangers.outcome(report.warnings)


def development(data: Path) -> dict:
    """Of the development slices: how many are refused and why, and the gate's milliseconds a slice."""
    refused, seconds = Counter(), []
    slices = read_dataset(data / "iq-oth-nccd").slices
    for item in slices:
        ct_slice = load_slice(item.path)
        start = time.perf_counter()
        try:
            admit(ct_slice)
        except LungCNNError as error:
            refused[error.code] += 1
        seconds.append(time.perf_counter() - start)
    return {
        "slices": len(slices),
        "refused": sum(refused.values()),
        "why": dict(refused),
        "median_ms": round(1000 * statistics.median(seconds), 2),
    }


def other_scanners(data: Path) -> dict:
    """By collection: chests judged, slices judged after turning, others refused; by the models that ship (a fit) and
    by ones fitted without that collection."""
    known = list(samples(data))
    rows = list(csv.DictReader((data / "other-scanners" / "slices.csv").open()))
    found = {}
    for collection in sorted({row["collection"] for row in rows}):
        without = fit([one for one in known if one.group != collection])
        own = [row for row in rows if row["collection"] == collection and row["file"] not in NO_LUNG_SEEN]
        found[collection] = {
            "fit": _counted(data, own, shipped_likeness()),
            "left_out": _counted(data, own, without),
        }
    return found


def _counted(data: Path, rows: list[dict], likeness: Likeness) -> dict:
    """`{"chests": [judged, all], "turned": [judged upright, all], "others": [refused, all]}`, and why chests aren't."""
    counts, why = {"chests": [0, 0], "turned": [0, 0], "others": [0, 0]}, Counter()
    for row in rows:
        examined = examine(load_slice(data / "other-scanners" / row["file"]), likeness)
        codes = {warning.code for warning in examined.warnings}
        if row["label"] in {"prone", "turned"}:
            kind, right = "turned", examined.refusal is None and "turned" in codes
        elif row["label"] in CHESTS:
            kind, right = "chests", examined.refusal is None
        else:
            kind, right = "others", examined.refusal is not None
        counts[kind][0] += int(right)
        counts[kind][1] += 1
        if kind != "others" and examined.refusal is not None:
            why[examined.refusal.code] += 1
    return {**counts, "why": dict(why)}


def features_elsewhere(pipeline, data: Path) -> dict:
    """Of other scanners' chests that the gate admits: how many the network's features refuse and warn of."""
    counts = Counter()
    for row in csv.DictReader((data / "other-scanners" / "slices.csv").open()):
        if row["label"] in CHESTS and row["file"] not in NO_LUNG_SEEN:
            report = pipeline.run(load_slice(data / "other-scanners" / row["file"]), checks=False)
            counts["slices"] += 1
            counts["refused"] += int(any(reason.code == "unknown_image" for reason in report.reasons))
            counts["warned"] += int(any(warning.code == "unlike_training" for warning in report.warnings))
    return dict(counts)


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "target", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here.")
def main(data, target):
    """The figures as JSON; strangers that were judged are named."""
    from lungcnn.pipeline import Pipeline

    pipeline = Pipeline.load()
    found, judged = defaultdict(Counter), []
    for makings in (strangers.drawn(), strangers.photographs(), strangers.from_data(data)):
        for group, name, content in makings:
            said = verdict(pipeline, content)
            found[group][said if said in {"ok", "corrected"} else "refused"] += 1
            if not strangers.caught(group, name, said):
                judged.append(f"{group}: {name}")
    total = sum(sum(counts.values()) for counts in found.values())
    lidc = [path.read_bytes() for path in sorted((data / "lidc-0001").glob("*.dcm"))]
    figures = {
        "development": development(data),
        "lidc": dict(Counter(verdict(pipeline, content) for content in lidc)),
        "other_scanners": other_scanners(data),
        "features_elsewhere": features_elsewhere(pipeline, data),
        "strangers": {group: dict(counts) for group, counts in sorted(found.items())},
        "made": total,
        "judged_wrongly": judged,
        "share_right": round(1 - len(judged) / total, 4),
    }
    publish(figures, target)


if __name__ == "__main__":
    main()
