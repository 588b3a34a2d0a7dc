"""Figures as Markdown tables."""

from lungcnn.classes import CLASSES, Classes

_PER_CLASS = {"auc": "ROC AUC, {name} versus rest", "average_precision": "Average precision, {name}"}
_BY_THRESHOLD = {"sensitivity": "Sensitivity for {name}", "specificity": "Specificity for {name}"}


def shown_metrics(classes: Classes = CLASSES) -> dict[str, str]:
    """Titles of the figures that are shown, in their order, by their names in `evaluation.json`."""
    names = classes.suspicious_first
    titles = {"accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy"}
    titles |= {f"{key}_{name}": title.format(name=name) for key, title in _PER_CLASS.items() for name in names}
    for name in names:
        where = ", at the operating point" if name == classes.suspicious else ""
        titles |= {f"{key}_{name}": title.format(name=name) + where for key, title in _BY_THRESHOLD.items()}
    return titles | {
        "ece": "Expected calibration error",
        "brier": "Brier score (0 to 2)",
        "coverage": "Prediction set holds the true class (aim 0.90)",
        "set_size": "Mean size of the prediction set",
    }


def classes_of(summary: dict) -> Classes:
    """The classes of an entry of `evaluation.json`; those before version 0.2 don't name them."""
    return Classes(summary.get("classes", CLASSES), summary.get("suspicious"))


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
    return _metrics_table(columns, classes_of(figures["blocked"]))


def summary_table(summary: dict) -> str:
    """Markdown table of one entry of `evaluation.json`: by slice and by case."""
    return _metrics_table({"By slice": summary["slice"], "By case": summary["case"]}, classes_of(summary))


def _metrics_table(columns: dict[str, dict], classes: Classes) -> str:
    first = next(iter(columns.values()))
    rows = [
        [title, *(with_interval(part[name]) for part in columns.values())]
        for name, title in shown_metrics(classes).items()
        if name in first
    ]
    return markdown_table(["figure", *columns], rows)


def baselines_table(figures: dict, ours: str = "**This model**") -> str:
    """Markdown table of the baselines beside the model: unseen patients first, random folds named leaky."""
    kinds = [kind for kind in ("blocked", "random_leaky") if kind in figures]
    entries = [*figures["baselines"].values(), {"title": ours, **{kind: figures[kind]["slice"] for kind in kinds}}]
    suspicious = classes_of(figures["blocked"]).suspicious
    shown = {"balanced_accuracy": "Balanced accuracy"}
    if suspicious:
        shown[f"auc_{suspicious}"] = f"{suspicious.capitalize()} AUC"
    header, rows = ["model"], []
    for kind in kinds:
        where = "unseen patients" if kind == "blocked" else "*leaky* random split"
        header += [f"{title}, {where}" for title in shown.values()]
    for entry in entries:
        cells = [f"{entry[kind][name]['value']:.2f}" for kind in kinds for name in shown]
        rows.append([entry["title"], *cells])
    return markdown_table(header, rows)


def calls_table(found: dict) -> str:
    """Markdown table of `elsewhere.calls_by_collection`: home first, then elsewhere, all together and by collection."""
    rows = [_calls("**Home**", found["home"]), _calls("**Elsewhere**", found["elsewhere"])]
    rows += [_calls(name, kinds) for name, kinds in found["collections"].items()]
    header = [
        "Slices from",
        "Healthy: called normal",
        "Healthy: called malignant",
        "Tumour seen: called malignant",
        "Other disease: called malignant",
    ]
    return markdown_table(header, rows)


def _calls(title: str, kinds: dict) -> list[str]:
    def cell(kind: str, name: str) -> str:
        entry = kinds.get(kind)
        if entry is None:
            return "–"
        value = entry[name]
        shown = with_interval(value) if isinstance(value, dict) else f"{value:.2f}"
        return f"{shown} of {entry['slices']}"

    wanted = (("healthy", "normal"), ("healthy", "malignant"), ("tumour", "malignant"), ("diseased", "malignant"))
    return [title, *(cell(*one) for one in wanted)]


def confusion_table(summary: dict) -> str:
    """Markdown table of the confusion matrix of slices in an entry of `evaluation.json`, rows true."""
    classes = classes_of(summary)
    rows = [[f"**{name}**", *map(str, row)] for name, row in zip(classes, summary["confusion_slice"], strict=True)]
    return markdown_table(["true \\\\ predicted", *classes], rows)


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, its first column to the left and the others to the right."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def with_interval(metric: dict[str, float]) -> str:
    """A figure and its interval: "0.971 (0.962–0.980)"."""
    return f"{metric['value']:.3f} ({metric['low']:.3f}–{metric['high']:.3f})"
