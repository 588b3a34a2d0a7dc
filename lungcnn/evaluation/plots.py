"""Figures of an evaluation, with matplotlib: ROC, reliability, confusion matrix, risk against coverage."""

from pathlib import Path

import numpy as np

from lungcnn.classes import CLASS_COLOURS, class_colours
from lungcnn.evaluation.metrics import Predictions, confusion, reliability

STYLES = ("-", "--", "-.", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))  # they come again from the seventh class on
BINS = 10


def write_figures(predictions: Predictions, folder: Path) -> list[Path]:
    """Draw every figure into `folder` (made if missing) as PNG; returns the files."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    drawings = {"roc": _roc, "reliability": _reliability, "confusion": _confusion, "risk-coverage": _risk_coverage}
    for name, draw in drawings.items():
        figure = Figure(figsize=(4.8, 4.4), layout="constrained")
        draw(figure.subplots(), predictions)
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=150)
    return paths


def _roc(axis, predictions: Predictions) -> None:
    from sklearn.metrics import roc_auc_score, roc_curve

    for label, (name, colour) in enumerate(class_colours(predictions.classes).items()):
        true, score = predictions.labels == label, predictions.p[:, label]
        false_rate, true_rate, _ = roc_curve(true, score)
        area = roc_auc_score(true, score)
        style = STYLES[label % len(STYLES)]
        axis.plot(false_rate, true_rate, ls=style, color=colour, label=f"{name} (AUC {area:.2f})")
    axis.plot([0, 1], [0, 1], ":", color="grey", linewidth=1)
    axis.set(xlabel="1 - specificity", ylabel="sensitivity", title="ROC, each class against the rest")
    axis.legend(loc="lower right")


def _reliability(axis, predictions: Predictions) -> None:
    for part in reliability([predictions], BINS):
        middle = (part["from"] + part["to"]) / 2
        axis.bar(middle, part["right"], 0.9 / BINS, color=CLASS_COLOURS["normal"])
        axis.text(middle, 0.02, str(part["slices"]), ha="center", fontsize=7, color="white")
    axis.plot([0, 1], [0, 1], ":", color="grey")
    axis.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability of the called class", ylabel="share that is right")
    axis.set_title("Reliability (slices in each bar)")


def _confusion(axis, predictions: Predictions) -> None:
    matrix = np.array(confusion([predictions]))
    axis.imshow(matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(matrix):
        dark = count > 0.6 * matrix[row].sum()
        axis.text(column, row, str(count), ha="center", va="center", color="white" if dark else "black")
    axis.set_xticks(range(len(predictions.classes)), predictions.classes)
    axis.set_yticks(range(len(predictions.classes)), predictions.classes)
    axis.set(xlabel="called", ylabel="true", title="Confusion matrix, slices")


def _risk_coverage(axis, predictions: Predictions) -> None:
    order = np.argsort(-predictions.p.max(axis=1), kind="stable")
    wrong = (predictions.p.argmax(axis=1) != predictions.labels)[order]
    coverage = np.arange(1, len(wrong) + 1) / len(wrong)
    axis.plot(coverage, np.cumsum(wrong) / np.arange(1, len(wrong) + 1), color=CLASS_COLOURS["malignant"])
    axis.set(xlim=(0, 1), ylim=(0, None), xlabel="share of slices judged, surest first", ylabel="share that is wrong")
    axis.set_title("Risk against coverage")
