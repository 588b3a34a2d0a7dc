"""Figures as Markdown tables."""

from lungcnn.classes import CLASSES

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
        [title, *(with_interval(part[name]) for part in columns.values())]
        for name, title in SHOWN_METRICS.items()
        if name in first
    ]
    return markdown_table(["figure", *columns], rows)


def baselines_table(figures: dict, ours: str = "**This model**") -> str:
    """Markdown table of the baselines beside the model: unseen patients first, random folds named leaky."""
    kinds = [kind for kind in ("blocked", "random_leaky") if kind in figures]
    entries = [*figures["baselines"].values(), {"title": ours, **{kind: figures[kind]["slice"] for kind in kinds}}]
    header, rows = ["model"], []
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


def with_interval(metric: dict[str, float]) -> str:
    """A figure and its interval: "0.971 (0.962–0.980)"."""
    return f"{metric['value']:.3f} ({metric['low']:.3f}–{metric['high']:.3f})"
