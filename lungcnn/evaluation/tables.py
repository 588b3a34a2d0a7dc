"""Figures as tables: as they are, and as Markdown."""

import re
from typing import NamedTuple

from lungcnn.classes import CLASSES, Classes
from lungcnn.evaluation.words import ENGLISH, Language

_WHOLE = ("accuracy", "balanced_accuracy"), ("ece", "ece_shown", "brier", "coverage", "set_size")
_PER_CLASS, _BY_THRESHOLD = ("auc", "average_precision"), ("sensitivity", "specificity")


class Table(NamedTuple):
    """Cells in words. Attributes: strong: the numbers of rows that stand out."""

    header: list[str]
    rows: list[list[str]]
    strong: tuple[int, ...] = ()

    @property
    def markdown(self) -> str:
        """As Markdown, where what is leaky stands out, too."""
        rows = [[f"**{row[0]}**", *row[1:]] if number in self.strong else row for number, row in enumerate(self.rows)]
        header = [re.sub(r"(?i)\bleaky\b", r"*\g<0>*", title).replace("\\", "\\\\") for title in self.header]
        return markdown_table(header, rows)


def shown_metrics(classes: Classes = CLASSES, language: Language = ENGLISH) -> dict[str, str]:
    """Titles of the figures that are shown, in their order, by their names in `evaluation.json`."""
    words, names = language.words, classes.suspicious_first
    first, last = ({key: words[key] for key in keys} for keys in _WHOLE)

    def title(key: str, name: str) -> str:
        return words[key].format(name=language.class_name(name))

    titles = first | {f"{key}_{name}": title(key, name) for key in _PER_CLASS for name in names}
    for name in names:
        for key in _BY_THRESHOLD:
            said = title(key, name)
            at_point = name == classes.suspicious
            titles[f"{key}_{name}"] = words["at_operating_point"].format(figure=said) if at_point else said
    return titles | last


def classes_of(summary: dict) -> Classes:
    """The classes of an entry of `evaluation.json`; those before version 0.2 don't name them."""
    return Classes(summary.get("classes", CLASSES), summary.get("suspicious"))


def figures_table(figures: dict, language: Language = ENGLISH) -> Table:
    """The figures, those of unseen patients first and the leaky ones named so.

    Args:
        figures: as in `evaluation.json`; `random_leaky` may be absent.
    """
    words, blocked = language.words, figures["blocked"]
    by_slice = blocked["slice"] | ({"ece_shown": blocked["shown"]["ece"]} if "shown" in blocked else {})
    columns = {words["unseen_by_slice"]: by_slice, words["unseen_by_case"]: blocked["case"]}
    if "random_leaky" in figures:
        columns[words["leaky"]] = figures["random_leaky"]["slice"]
    return _metrics_table(columns, classes_of(blocked), language)


def summary_table(summary: dict) -> Table:
    """One entry of `evaluation.json`: by slice and by case."""
    words = ENGLISH.words
    columns = {words["by_slice"]: summary["slice"], words["by_case"]: summary["case"]}
    return _metrics_table(columns, classes_of(summary), ENGLISH)


def _metrics_table(columns: dict[str, dict], classes: Classes, language: Language) -> Table:
    first = next(iter(columns.values()))
    rows = [
        [title, *(with_interval(part[name]) if name in part else "–" for part in columns.values())]
        for name, title in shown_metrics(classes, language).items()
        if name in first
    ]
    return Table([language.words["figure"], *columns], rows)


def baselines_table(figures: dict, language: Language = ENGLISH) -> Table:
    """The baselines beside the model: unseen patients first, random folds named leaky."""
    words = language.words
    kinds = [kind for kind in ("blocked", "random_leaky") if kind in figures]
    suspicious = classes_of(figures["blocked"]).suspicious
    shown = {"balanced_accuracy": words["balanced_accuracy"]}
    if suspicious:
        name = language.class_name(suspicious).capitalize()
        shown[f"auc_{suspicious}"] = words["suspicious_auc"].format(name=name)
    header = [words["model"]]
    for kind in kinds:
        where = words["on_unseen" if kind == "blocked" else "on_leaky"]
        header += [where.format(figure=title) for title in shown.values()]
    entries = {language.baseline(name, one["title"]): one for name, one in figures["baselines"].items()}
    entries[words["this_model"]] = {kind: figures[kind]["slice"] for kind in kinds}
    rows = [
        [title, *(f"{entry[kind][name]['value']:.2f}" for kind in kinds for name in shown)]
        for title, entry in entries.items()
    ]
    return Table(header, rows, (len(rows) - 1,))


_CALLS = (("healthy", "normal"), ("healthy", "malignant"), ("tumour", "malignant"), ("diseased", "malignant"))


def calls_table(found: dict, language: Language = ENGLISH) -> Table:
    """`elsewhere.calls_by_collection`: home first, then elsewhere, all together and by collection."""
    words = language.words
    everywhere = {words["home"]: found["home"], words["elsewhere_all"]: found["elsewhere"], **found["collections"]}
    header = [words["slices_from"], *(words[f"{kind}_{name}"] for kind, name in _CALLS)]
    return Table(header, [[title, *_calls(kinds, language)] for title, kinds in everywhere.items()], (0, 1))


def _calls(kinds: dict, language: Language) -> list[str]:
    def cell(kind: str, name: str) -> str:
        entry = kinds.get(kind)
        if entry is None:
            return "–"
        value = entry[name]
        shown = with_interval(value) if isinstance(value, dict) else f"{value:.2f}"
        return language.words["of"].format(share=shown, count=entry["slices"])

    return [cell(*one) for one in _CALLS]


def confusion_table(summary: dict, language: Language = ENGLISH) -> Table:
    """The confusion matrix of slices in an entry of `evaluation.json`, rows true."""
    names = [language.class_name(name) for name in classes_of(summary)]
    rows = [[name, *map(str, row)] for name, row in zip(names, summary["confusion_slice"], strict=True)]
    return Table([language.words["true_and_called"], *names], rows, tuple(range(len(rows))))


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, its first column to the left and the others to the right."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def with_interval(metric: dict[str, float]) -> str:
    """A figure and its interval: "0.971 (0.962–0.980)"."""
    return f"{metric['value']:.3f} ({metric['low']:.3f}–{metric['high']:.3f})"
