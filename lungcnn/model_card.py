"""Figures as Markdown: what README and model card show, made from `evaluation.json` and nothing else."""

from lungcnn.network import CLASSES

SHOWN = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "auc_malignant": "ROC AUC, malignant versus rest",
    "auc_benign": "ROC AUC, benign versus rest",
    "auc_normal": "ROC AUC, normal versus rest",
    "sensitivity_malignant": "Sensitivity for malignant, at the operating point",
    "specificity_malignant": "Specificity for malignant, at the operating point",
    "ece": "Expected calibration error",
    "brier": "Brier score (0 to 2)",
    "coverage": "Prediction set holds the true class (aim 0.90)",
    "set_size": "Mean size of the prediction set",
}


def figures_table(evaluation: dict) -> str:
    """Markdown table of the figures, those of unseen patients first and the leaky ones named so.

    Args:
        evaluation: as in `evaluation.json`; `random_leaky` may be absent.
    """
    columns = {
        "Unseen patients, by slice": evaluation["blocked"]["slice"],
        "Unseen patients, by case": evaluation["blocked"]["case"],
    }
    if "random_leaky" in evaluation:
        columns["*Leaky*: slices split at random"] = evaluation["random_leaky"]["slice"]
    rows = [[title, *(_with_interval(part[name]) for part in columns.values())] for name, title in SHOWN.items()]
    return markdown_table(["", *columns], rows)


def confusion_table(matrix: list[list[int]]) -> str:
    """Markdown table of a confusion matrix, rows true and columns predicted."""
    rows = [[f"**{name}**", *map(str, row)] for name, row in zip(CLASSES, matrix, strict=True)]
    return markdown_table(["true \\ predicted", *CLASSES], rows)


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, its first column to the left and the others to the right."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _with_interval(metric: dict[str, float]) -> str:
    return f"{metric['value']:.3f} ({metric['low']:.3f}–{metric['high']:.3f})"
