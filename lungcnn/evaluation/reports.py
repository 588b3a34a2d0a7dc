"""What was measured, as Markdown: tables with the sentences that they need."""

from lungcnn.evaluation.localization import TITLES, method_titles
from lungcnn.evaluation.tables import confusion_table, markdown_table, summary_table, with_interval
from lungcnn.explaining.methods import DEFAULT_METHOD, METHODS


def localization_tables(summary: dict) -> str:
    """A table for each kind of lesion in a summary of `localization.summarise_findings`."""
    parts = [
        "Of the slices that the network calls malignant: how often the peak cell of the map for malignant touches the "
        "lesion, and how much of the map lies in it. In brackets: 95 % intervals from resampling cases."
    ]
    for kind, entry in summary.items():
        title = f"{TITLES[kind]}: {entry['called']} of {entry['slices']} slices called malignant."
        if not entry["called"]:
            parts.append(title)
            continue
        rows = [
            [name, *(with_interval(entry["methods"][key][what]) for what in ("hit", "inside"))]
            for key, name in method_titles(summary)
        ]
        rows.append(["*Chance: the lesion's share of the lungs*", "", f"{entry['chance']['value']:.3f}"])
        better = entry["better_than_random"]
        parts += [
            title,
            markdown_table(["", "Peak touches the lesion", "Share of the map inside it"], rows),
            f"{METHODS[DEFAULT_METHOD].title} is better than random by deletion and insertion on "
            f"{with_interval(better)} of them.",
        ]
    return "\n\n".join(parts)


def evaluation_report(evaluation) -> str:
    """Short Markdown report of an `evaluate.Evaluation`."""
    summary = evaluation.summary
    parts = [
        "# Evaluation",
        f"{summary['slices']} slices, {summary['cases']} cases; model {evaluation.model[:12]}. In brackets: 95 % "
        "intervals from resampling cases.",
        _seen_in_training(evaluation),
        summary_table(summary).markdown,
        "Slices, by the most probable class:",
        confusion_table(summary).markdown,
    ]
    if evaluation.refused:
        reasons = ", ".join(f"{code} {count}" for code, count in evaluation.refused.items())
        total = sum(evaluation.refused.values())
        parts.insert(3, f"Refused, as in use, and left out of the figures: {total} slices ({reasons}).")
    if evaluation.unreadable:
        parts.insert(3, f"Files that could not be read: {evaluation.unreadable}.")
    return "\n\n".join(parts)


def _seen_in_training(evaluation) -> str:
    if not evaluation.training_known:
        calibrated = (
            f" It was calibrated on {evaluation.calibrated_on}: on those, its calibration, prediction sets and "
            "operating point are flattered."
        )
        return (
            "**Which slices the model learnt from is not known**, so none were left out. If these are among them, the "
            "figures mean nothing for a new patient." + (calibrated if evaluation.calibrated_on else "")
        )
    seen = (
        f"{evaluation.identical} slices are among the model's training slices, {evaluation.near} are near-duplicates "
        f"of one, and {evaluation.derived} mirrored or turned copies"
    )
    if evaluation.guarded:
        return f"{seen}; they were left out."
    return f"**LEAKY: {seen}, and they count here.** These figures mean nothing for a new patient."
