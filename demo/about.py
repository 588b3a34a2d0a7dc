"""About this model, as HTML: figures, limits and citation as in its model card. Nothing is typed in by hand."""

from html import escape

from lungcnn import (
    Language,
    ModelCard,
    Table,
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
from .say import Text, say
from .views import class_name

LANGUAGE = Language(texts.FIGURE_WORDS, class_name, lambda name, title: texts.BASELINES.get(name, title))


def measured(card: ModelCard | None) -> str:
    """What the model is and how well it does."""
    parts = [_paragraph(texts.ABOUT_INTRO.format(trained=_trained_on(card)))]
    figures = card.figures if card else {}
    if card:
        name = f"<code>{escape(card.name)}</code>, sha256 <code>{escape(card.sha256)}</code>"
        parts.append(f'<p lang="en" dir="ltr">{name}</p>')
        beside = beside_in_words(card.training, LANGUAGE)
        parts += [_paragraph(texts.ABOUT_BESIDE), _paragraph(beside)] if beside else []
    if "blocked" in figures and card:
        seeds = len(card.training.get("seeds", [0]))
        parts += [_title(texts.ABOUT_SPLIT), _paragraph(texts.ABOUT_WHY)]
        parts += [_paragraph(split_in_words(figures, seeds, LANGUAGE))]
        parts += [_title(texts.ABOUT_FIGURES), _table(figures_table(figures, LANGUAGE))]
    if "elsewhere" in figures:
        found = figures["elsewhere"]
        said = _paragraph(elsewhere_sentence(found, LANGUAGE))
        parts += [_title(texts.ABOUT_ELSEWHERE), said, _table(calls_table(found, LANGUAGE))]
    if "confusion_slice" in figures.get("blocked", {}):
        parts += [_title(texts.ABOUT_CONFUSION), _table(confusion_table(figures["blocked"], LANGUAGE))]
    return "".join(parts)


def weighed(card: ModelCard | None) -> str:
    """What to hold against it, and how to cite it."""
    parts = []
    figures = card.figures if card else {}
    if "baselines" in figures:
        parts += [_title(texts.ABOUT_BASELINES), _table(baselines_table(figures, LANGUAGE))]
        if "lungs_out" in figures["baselines"]:
            parts.append(_paragraph(shortcut_sentence(figures, LANGUAGE)))
    if "sanity" in figures:
        parts += [_title(texts.ABOUT_SANITY), _paragraph(sanity_sentence(figures["sanity"], LANGUAGE))]
    own = () if card and card.adopted else texts.LIMITS
    parts += [_title(texts.ABOUT_LIMITS), _list([say(text) for text in (*own, *texts.LIMITS_OF_ANY_MODEL)])]
    parts += [_title(texts.ABOUT_CITE), _list([_in_english(reference) for reference in citation()])]
    return "".join(parts)


def _trained_on(card: ModelCard | None) -> str:
    if card is None or card.dataset is None:
        return texts.ABOUT_TRAINED_UNKNOWN
    said = texts.ABOUT_TRAINED if card.adopted else texts.ABOUT_TRAINED_LABELS
    return said.format(dataset=texts.IQ_OTH_NCCD if card.dataset == texts.IQ_OTH_NCCD else card.dataset)


def _title(text: str) -> str:
    return f"<h3>{say(text)}</h3>"


def _paragraph(text: str) -> str:
    return f"<p>{say(text)}</p>"


def _list(items: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def _in_english(text: str) -> str:
    """A name or a reference, which is the same in every language."""
    return f'<span lang="en" dir="ltr">{escape(text)}</span>'


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{say(title)}</th>' for title in table.header)
    rows = []
    for number, (title, *cells) in enumerate(table.rows):
        kind = ' class="strong"' if number in table.strong else ""
        named = say(title) if isinstance(title, Text) else _in_english(title)
        rows.append(f'<tr{kind}><th scope="row">{named}</th>{"".join(f"<td>{say(cell)}</td>" for cell in cells)}</tr>')
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


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
