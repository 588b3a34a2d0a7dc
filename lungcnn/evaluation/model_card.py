"""Figures as Markdown: the model card, and the tables that the README shares with it, from the card's JSON alone."""

import re
from importlib import resources

from lungcnn.classes import CLASSES
from lungcnn.evaluation.localization import TITLES, method_titles
from lungcnn.explaining.methods import DEFAULT_METHOD, METHODS
from lungcnn.model.card import ModelCard
from lungcnn.results.series_rule import TITLES as RULE_TITLES
from lungcnn.results.slice_report import DISCLAIMER

SHOWN_METRICS = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "auc_malignant": "ROC AUC, malignant versus rest",
    "auc_benign": "ROC AUC, benign versus rest",
    "auc_normal": "ROC AUC, normal versus rest",
    "average_precision_malignant": "Average precision, malignant",
    "average_precision_benign": "Average precision, benign",
    "average_precision_normal": "Average precision, normal",
    "sensitivity_malignant": "Sensitivity for malignant, at the operating point",
    "specificity_malignant": "Specificity for malignant, at the operating point",
    "sensitivity_benign": "Sensitivity for benign",
    "specificity_benign": "Specificity for benign",
    "sensitivity_normal": "Sensitivity for normal",
    "specificity_normal": "Specificity for normal",
    "ece": "Expected calibration error",
    "brier": "Brier score (0 to 2)",
    "coverage": "Prediction set holds the true class (aim 0.90)",
    "set_size": "Mean size of the prediction set",
}
SERIES_SHOWN = {
    "auc_malignant": "ROC AUC, malignant versus rest",
    "average_precision_malignant": "Average precision, malignant",
    "sensitivity_malignant": "Sensitivity for malignant, at the operating point",
    "specificity_malignant": "Specificity for malignant, at the operating point",
    "ece": "Expected calibration error",
    "brier": "Brier score (0 to 1)",
}


def figures_table(figures: dict) -> str:
    """Markdown table of the figures, those of unseen patients first and the leaky ones named so.

    Args:
        figures: as in `evaluation.json`; `random_leaky` may be absent.
    """
    columns = {
        "Unseen patients, by slice": figures["blocked"]["slice"],
        "Unseen patients, by case": figures["blocked"]["case"],
    }
    if "random_leaky" in figures:
        columns["*Leaky*: slices split at random"] = figures["random_leaky"]["slice"]
    return _metrics_table(columns)


def summary_table(summary: dict) -> str:
    """Markdown table of one entry of `evaluation.json`: by slice and by case."""
    return _metrics_table({"By slice": summary["slice"], "By case": summary["case"]})


def _metrics_table(columns: dict[str, dict]) -> str:
    first = next(iter(columns.values()))
    rows = [
        [title, *(_with_interval(part[name]) for part in columns.values())]
        for name, title in SHOWN_METRICS.items()
        if name in first
    ]
    return markdown_table(["", *columns], rows)


def baselines_table(figures: dict, ours: str = "**This model**") -> str:
    """Markdown table of the baselines beside the model: unseen patients first, random folds named leaky."""
    kinds = [kind for kind in ("blocked", "random_leaky") if kind in figures]
    entries = [*figures["baselines"].values(), {"title": ours, **{kind: figures[kind]["slice"] for kind in kinds}}]
    header, rows = [""], []
    for kind in kinds:
        where = "unseen patients" if kind == "blocked" else "*leaky* random split"
        header += [f"Balanced accuracy, {where}", f"Malignant AUC, {where}"]
    for entry in entries:
        cells = [
            f"{entry[kind][name]['value']:.2f}" for kind in kinds for name in ("balanced_accuracy", "auc_malignant")
        ]
        rows.append([entry["title"], *cells])
    return markdown_table(header, rows)


def confusion_table(matrix: list[list[int]]) -> str:
    """Markdown table of a confusion matrix, rows true and columns predicted."""
    rows = [[f"**{name}**", *map(str, row)] for name, row in zip(CLASSES, matrix, strict=True)]
    return markdown_table(["true \\\\ predicted", *CLASSES], rows)


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, its first column to the left and the others to the right."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def split_in_words(figures: dict, seeds: int) -> str:
    """How the figures were measured, in a paragraph."""
    blocked = figures["blocked"]
    text = (
        f"Case-blocked folds of the development slices ({blocked['slices']} slices, {blocked['cases']} cases), pooled"
        f"{f', mean of {seeds} seeds' if seeds > 1 else ''}; weights and calibration come from the other folds only. "
        "In brackets: 95 % intervals from resampling cases."
    )
    if "random_leaky" in figures:
        text += (
            " The last column is the same network with slices split at random, as in most published work: it measures "
            "how well patients are recognised, and no figure in it will hold for a new one."
        )
    return text


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
            [name, *(_with_interval(entry["methods"][key][what]) for what in ("hit", "inside"))]
            for key, name in method_titles(summary)
        ]
        rows.append(["*Chance: the lesion's share of the lungs*", "", f"{entry['chance']['value']:.3f}"])
        better = entry["better_than_random"]
        parts += [
            title,
            markdown_table(["", "Peak touches the lesion", "Share of the map inside it"], rows),
            f"{METHODS[DEFAULT_METHOD].title} is better than random by deletion and insertion on "
            f"{_with_interval(better)} of them.",
        ]
    return "\n\n".join(parts)


def sanity_sentence(sanity: dict) -> str:
    """What randomising the network did to its maps."""
    last = (
        "with every layer randomised their rank correlation with the trained network's is "
        f"{sanity['correlation'][-1]:.2f}"
    )
    if sanity["survives"]:
        return f"**The maps survive randomisation: {last}. They say little of what was learnt; don't rely on them.**"
    steps = ", ".join(
        f"{name} {value:.2f}" for name, value in zip(sanity["layers"], sanity["correlation"], strict=True)
    )
    return f"The maps change when the network's layers are randomised from the top (Adebayo 2018): {last} ({steps})."


def shortcut_sentence(figures: dict) -> str:
    """What the network that never sees a lung says about the score of the one that does."""
    blind, ours = (
        figures["baselines"]["lungs_out"]["blocked"]["auc_malignant"],
        figures["blocked"]["slice"]["auc_malignant"],
    )
    text = (
        f"With the lungs blacked out, a plain CNN still reaches a malignant AUC of {blind['value']:.2f}; this model "
        f"reaches {ours['value']:.2f}. "
    )
    if ours["low"] <= blind["value"]:
        return text + (
            "That is near: a malignant AUC on this dataset is no proof that lungs are read. What speaks for it is "
            "measured where the lesion is known (surely seen lesions, and where heatmaps point)."
        )
    return text + "The difference is what the lungs add."


def model_card(card: ModelCard) -> str:
    """MODEL_CARD.md: what the model is, was trained on, scores, and can't do. Only for a card with figures."""
    template = resources.files("lungcnn.evaluation").joinpath("model_card.md").read_text(encoding="utf-8")
    training, figures, recipe = card.training, card.figures, card.training["recipe"]
    sections = {
        "sure_lesions": sure_lesions_sentence(figures["blocked"]),
        "baselines": "",
        "localization": "",
        "sanity": "",
        "other_scanner": "",
        "series": "",
        "figures": split_in_words(figures, len(training["seeds"])) + "\n\n" + figures_table(figures),
        "confusion": confusion_table(figures["blocked"]["confusion_slice"]),
    }
    if "baselines" in figures:
        tables = [baselines_table(figures), shortcut_sentence(figures)]
        sections["baselines"] = _section("Simpler models on the same folds", *tables)
    if "localization" in figures:
        found = localization_tables(figures["localization"])
        sections["localization"] = _section("Does the heatmap point at the lesion?", found)
    if "series" in figures and card.series:
        sections["series"] = _section("Whole series", *series_paragraphs(card.series, figures["series"]))
    if "sanity" in figures:
        sections["sanity"] = _section("Sanity of the heatmaps", sanity_sentence(figures["sanity"]))
    if "other_scanner" in figures:
        sections["other_scanner"] = _section("Another scanner", other_scanner_sentence(figures["other_scanner"]))
    seeds = len(training["seeds"])
    text = template.format(
        card=card,
        calibration=card.calibration,
        training=training,
        recipe=recipe,
        disclaimer=DISCLAIMER,
        shape=" x ".join(map(str, card.input_shape)),
        classes=", ".join(card.classes),
        command=f"python -m lungcnn train DATASET --folds {training['folds']} --seed {training['seed']}"
        + (f" --seeds {seeds}" if seeds > 1 else ""),
        versions=", ".join(f"{name} {number}" for name, number in card.versions.items()),
        **sections,
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def other_scanner_sentence(calls: dict) -> str:
    """What the network made of a series of another scanner."""
    away, through = calls["away"], calls["through"]
    return (
        "On one series of another maker's scanner (one patient: a smoke test, not a validation), "
        f"{away['called']} of {away['slices']} slices away from its nodule and {through['called']} of "
        f"{through['slices']} slices through it are called malignant."
    )


def series_paragraphs(rule: dict, measured: dict) -> list[str]:
    """How a series is judged, and a Markdown table of how that does on cases that took no part in it."""
    fewest, middle, most = measured["slices_per_case"]
    losses = ", ".join(f"{RULE_TITLES[name]} {loss:.3f}" for name, loss in measured["candidates"].items())
    text = (
        f"The malignant probability of a series is the {RULE_TITLES[rule['rule']]}, put on a logistic curve; from "
        f"{rule['threshold']:.2f} it is called malignant. The rule was chosen by log loss out of fold ({losses}), and "
        f"the curve fitted, by case. In the table, each fold's cases are judged by a rule chosen without them: "
        f"{measured['cases']} cases of {fewest} to {most} slices (median {middle}), which the dataset's makers picked. "
        "A longer series is thinned to that length, from each start, and the mean is given: not measured, and said so."
    )
    rows = [
        [SERIES_SHOWN[name], _with_interval(measured["figures"][name])]
        for name in SERIES_SHOWN
        if name in measured["figures"]
    ]
    return [text, markdown_table(["", "Unseen cases"], rows)]


def _section(title: str, *parts: str) -> str:
    return "\n\n".join([f"### {title}", *parts])


def sure_lesions_sentence(blocked: dict) -> str:
    """How well slices that surely show a lesion stand out from normal ones; empty where there are none."""
    parts = [
        f"{_with_interval(blocked[name]['auc_malignant'])} on {blocked[name]['slices']} slices{where}"
        for name, where in (("sure_lesions", ""), ("second_look", " of the others, boxed in a second look"))
        if name in blocked
    ]
    if not parts:
        return ""
    return (
        "Slices of malignant cases on which a lesion is surely seen, against all normal slices: malignant AUC "
        + ", and ".join(parts)
        + "."
    )


def evaluation_report(evaluation) -> str:
    """Short Markdown report of an `evaluation.Evaluation`."""
    summary = evaluation.summary
    seen = (
        f"{evaluation.identical} slices are among the model's training slices and {evaluation.near} are near-duplicates"
    )
    parts = [
        "# Evaluation",
        f"{summary['slices']} slices, {summary['cases']} cases; model {evaluation.model[:12]}. In brackets: 95 % "
        "intervals from resampling cases.",
        f"{seen} of one; they were left out."
        if evaluation.guarded
        else f"**LEAKY: {seen} of one, and they count here.** These figures mean nothing for a new patient.",
        summary_table(summary),
        "Slices, by the most probable class:",
        confusion_table(summary["confusion_slice"]),
    ]
    if evaluation.unreadable:
        parts.insert(3, f"{evaluation.unreadable} files could not be read or show no lungs, and don't count.")
    return "\n\n".join(parts)


def _with_interval(metric: dict[str, float]) -> str:
    return f"{metric['value']:.3f} ({metric['low']:.3f}–{metric['high']:.3f})"
