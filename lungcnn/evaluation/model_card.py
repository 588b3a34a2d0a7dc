"""MODEL_CARD.md, from the card's JSON alone."""

import re
from importlib import resources

from lungcnn.evaluation.reports import localization_tables, series_paragraphs
from lungcnn.evaluation.sentences import (
    other_scanner_sentence,
    sanity_sentence,
    shortcut_sentence,
    split_in_words,
    sure_lesions_sentence,
)
from lungcnn.evaluation.tables import baselines_table, confusion_table, figures_table
from lungcnn.model.card import ModelCard
from lungcnn.results.slice_report import DISCLAIMER


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


def _section(title: str, *parts: str) -> str:
    return "\n\n".join([f"### {title}", *parts])
