"""About this model: figures, limits and citation as in its model card. Nothing is typed in by hand."""

from itertools import groupby
from typing import NamedTuple

from lungcnn import (
    ModelCard,
    baselines_table,
    beside_in_words,
    calls_table,
    confusion_table,
    elsewhere_sentence,
    figures_table,
    sanity_sentence,
    shipped_file,
    shortcut_sentence,
    split_in_words,
)

from . import texts
from .say import say


class Part(NamedTuple):
    """A stretch of the text.

    Attributes:
        ours: HTML with texts of the catalogue; else Markdown in English, from the card, which is cleaned when shown.
    """

    ours: bool
    text: str


def measured(card: ModelCard | None) -> list[Part]:
    """What the model is and how well it does."""
    parts = [_paragraph(texts.ABOUT_INTRO.format(trained=_trained_on(card)))]
    figures = card.figures if card else {}
    if card:
        parts.append(Part(False, f"`{card.name}`, sha256 `{card.sha256}`"))
        beside = beside_in_words(card.training)
        parts += [_paragraph(texts.ABOUT_BESIDE), Part(False, beside)] if beside else []
    if "blocked" in figures and card:
        seeds = len(card.training.get("seeds", [0]))
        parts += [_title(texts.ABOUT_SPLIT), _paragraph(texts.ABOUT_WHY), _paragraph(texts.ABOUT_ENGLISH, "foreign")]
        parts += [Part(False, split_in_words(figures, seeds))]
        parts += [_title(texts.ABOUT_FIGURES), Part(False, figures_table(figures))]
    if "elsewhere" in figures:
        found = figures["elsewhere"]
        parts += [
            _title(texts.ABOUT_ELSEWHERE),
            Part(False, elsewhere_sentence(found)),
            Part(False, calls_table(found)),
        ]
    if "confusion_slice" in figures.get("blocked", {}):
        parts += [_title(texts.ABOUT_CONFUSION), Part(False, confusion_table(figures["blocked"]))]
    return _joined(parts)


def weighed(card: ModelCard | None) -> list[Part]:
    """What to hold against it, and how to cite it."""
    parts = []
    figures = card.figures if card else {}
    if "baselines" in figures:
        parts += [_title(texts.ABOUT_BASELINES), Part(False, baselines_table(figures))]
        parts += [Part(False, shortcut_sentence(figures))] if "lungs_out" in figures["baselines"] else []
    if "sanity" in figures:
        parts += [_title(texts.ABOUT_SANITY), Part(False, sanity_sentence(figures["sanity"]))]
    own = () if card and card.adopted else texts.LIMITS
    limits = "".join(f"<li>{say(text)}</li>" for text in (*own, *texts.LIMITS_OF_ANY_MODEL))
    parts += [_title(texts.ABOUT_LIMITS), Part(True, f"<ul>{limits}</ul>")]
    parts += [_title(texts.ABOUT_CITE), Part(False, "\n".join(f"- {reference}" for reference in citation()))]
    return _joined(parts)


def _trained_on(card: ModelCard | None) -> str:
    if card is None or card.dataset is None:
        return texts.ABOUT_TRAINED_UNKNOWN
    said = texts.ABOUT_TRAINED if card.adopted else texts.ABOUT_TRAINED_LABELS
    return said.format(dataset=card.dataset)


def _title(text: str) -> Part:
    return Part(True, f"<h3>{say(text)}</h3>")


def _paragraph(text: str, kind: str = "") -> Part:
    return Part(True, f'<p class="{kind}">{say(text)}</p>')


def _joined(parts: list[Part]) -> list[Part]:
    """Neighbours of one kind as one."""
    return [
        Part(ours, ("" if ours else "\n\n").join(part.text for part in group))
        for ours, group in groupby(parts, key=lambda part: part.ours)
    ]


def citation() -> list[str]:
    """How to cite software and dataset, read from CITATION.cff."""
    import yaml

    try:
        found = yaml.safe_load(shipped_file("CITATION.cff").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return []
    return [_reference(entry) for entry in (found, *found.get("references", ()))]


def _reference(entry: dict) -> str:
    authors = ", ".join(
        author.get("name") or f"{author['given-names']} {author['family-names']}".title() for author in entry["authors"]
    )
    year = entry.get("year") or str(entry.get("date-released", ""))[:4]
    parts = [f"{authors} ({year}). {entry['title']}."]
    if "version" in entry:
        parts.append(f"Version {entry['version']}.")
    if "publisher" in entry:
        parts.append(f"{entry['publisher']['name']}.")
    if "doi" in entry:
        parts.append(f"doi {entry['doi']}")
    return " ".join(parts)
