"""About this model: figures, limits and citation as in its model card. Nothing is typed in by hand."""

from html import escape

from lungcnn import (
    ModelCard,
    baselines_table,
    confusion_table,
    figures_table,
    sanity_sentence,
    shipped_file,
    shortcut_sentence,
    split_in_words,
)

from . import texts


def measured(card: ModelCard | None) -> str:
    """What the model is and how well it does, as Markdown."""
    parts = [texts.ABOUT_INTRO.format(trained=_trained_on(card))]
    figures = card.figures if card else {}
    if card:
        parts.append(f"{texts.ABOUT_FILE} `{card.name}`, sha256 `{card.sha256}`")
    if "blocked" in figures and card:
        seeds = len(card.training.get("seeds", [0]))
        parts += [f"### {texts.ABOUT_SPLIT}", split_in_words(figures, seeds), texts.ABOUT_WHY]
        parts += [f"### {texts.ABOUT_FIGURES}", figures_table(figures)]
    if "confusion_slice" in figures.get("blocked", {}):
        parts += [f"### {texts.ABOUT_CONFUSION}", confusion_table(figures["blocked"])]
    return _document(parts)


def weighed(card: ModelCard | None) -> str:
    """What to hold against it, and how to cite it, as Markdown."""
    parts = []
    figures = card.figures if card else {}
    if "baselines" in figures:
        parts += [f"### {texts.ABOUT_BASELINES}", baselines_table(figures)]
        parts += [shortcut_sentence(figures)] if "lungs_out" in figures["baselines"] else []
    if "sanity" in figures:
        parts += [f"### {texts.ABOUT_SANITY}", sanity_sentence(figures["sanity"])]
    own = () if card and card.adopted else texts.LIMITS
    parts += [f"### {texts.ABOUT_LIMITS}", _list((*own, *texts.LIMITS_OF_ANY_MODEL))]
    parts += [f"### {texts.ABOUT_CITE}", _list(citation())]
    return _document(parts)


def _trained_on(card: ModelCard | None) -> str:
    if card is None or card.dataset is None:
        return texts.ABOUT_TRAINED_UNKNOWN
    return texts.ABOUT_TRAINED.format(dataset=escape(card.dataset)) + ("" if card.adopted else texts.ABOUT_LABELS)


def _document(parts: list[str]) -> str:
    return "\n\n".join(parts)


def _list(items) -> str:
    return "\n".join(f"- {item}" for item in items)


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
