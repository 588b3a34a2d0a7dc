"""MODEL_CARD.md, from the card's JSON alone."""

import re
from importlib import resources

from lungcnn.evaluation.reports import localization_tables
from lungcnn.evaluation.sentences import (
    other_scanner_sentence,
    sanity_sentence,
    shortcut_sentence,
    split_in_words,
    sure_lesions_sentence,
    warning_sentence,
)
from lungcnn.evaluation.tables import baselines_table, confusion_table, figures_table
from lungcnn.model.card import IQ_OTH_NCCD, ModelCard
from lungcnn.results.slice_report import DISCLAIMER
from lungcnn.training.train import Recipe

# As the release unpacks.
DATASET_FOLDER = "The IQ-OTHNCCD lung cancer dataset"


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
        "unlike_training": warning_sentence(figures),
        "figures": split_in_words(figures, len(training["seeds"])) + "\n\n" + figures_table(figures),
        "confusion": confusion_table(figures["blocked"]["confusion_slice"]),
    }
    if "baselines" in figures:
        tables = [baselines_table(figures), shortcut_sentence(figures)]
        sections["baselines"] = _section("Simpler models on the same folds", *tables)
    if "localization" in figures:
        found = localization_tables(figures["localization"])
        sections["localization"] = _section("Does the heatmap point at the lesion?", found)
    if "sanity" in figures:
        sections["sanity"] = _section("Sanity of the heatmaps", sanity_sentence(figures["sanity"]))
    if "other_scanner" in figures:
        sections["other_scanner"] = _section("Another scanner", other_scanner_sentence(figures["other_scanner"]))
    text = template.format(
        card=card,
        calibration=card.calibration,
        training=training,
        recipe=recipe,
        disclaimer=DISCLAIMER,
        shape=" x ".join(map(str, card.input_shape)),
        classes=", ".join(card.classes),
        command=reproduce_command(card),
        **_data_sections(card),
        versions=", ".join(f"{name} {number}" for name, number in card.versions.items()),
        **sections,
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def reproduce_command(card: ModelCard) -> str:
    """The command that trains the model of a card again."""
    training = card.training
    ours = card.dataset == IQ_OTH_NCCD
    words = [
        f'python -m lungcnn train "{DATASET_FOLDER}"' if ours else "python -m lungcnn train DATASET --cases CASES.csv"
    ]
    words.append(f"--out my-model --folds {training['folds']} --seed {training['seed']}")
    if len(training["seeds"]) > 1:
        words.append(f"--seeds {len(training['seeds'])}")
    if training["recipe"] != Recipe().as_dict():
        words.append(f"--recipe {card.name}.json")
    return " ".join(words)


def _data_sections(card: ModelCard) -> dict[str, str]:
    """What is said of the data: as much as is known of it."""
    if card.dataset == IQ_OTH_NCCD:
        text = resources.files("lungcnn.evaluation").joinpath("iq_oth_nccd.md").read_text(encoding="utf-8")
        return dict(re.findall(r"^# (\w+)\n\n(.*?)\s*(?=^# |\Z)", text, re.MULTILINE | re.DOTALL))
    return {
        "source": f"{card.dataset}. What they are, and who collected them, isn't written in the JSON card.",
        "lesions": "not known to this card.",
        "failures": "- **Not known.** What this model fails on was not looked into.",
    }


def _section(title: str, *parts: str) -> str:
    return "\n\n".join([f"### {title}", *parts])
