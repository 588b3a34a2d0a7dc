"""MODEL_CARD.md, from the card's JSON alone."""

import re
from importlib import resources

from lungcnn.classes import CLASSES
from lungcnn.evaluation.reports import localization_tables
from lungcnn.evaluation.sentences import (
    beside_in_words,
    elsewhere_sentence,
    other_scanner_sentence,
    sanity_sentence,
    shortcut_sentence,
    shown_sentence,
    split_in_words,
    sure_lesions_sentence,
    warning_sentence,
)
from lungcnn.evaluation.tables import baselines_table, calls_table, confusion_table, figures_table
from lungcnn.model.card import IQ_OTH_NCCD, ModelCard
from lungcnn.results.slice_report import DISCLAIMER
from lungcnn.training.train import Recipe

LESION_EDITING = (
    "Lesions are drawn, pasted and transplanted into slices of every class and erased from malignant ones, so that\n"
    "  patient and scanner tell less; domes of the diaphragm, which the dataset's normal slices lack, are drawn too,\n"
    "  and pneumonia, fluid and scars, with which a slice may be called anything but malignant; the last map's\n"
    "  malignant evidence is asked to lie on lesions whose place is known."
)
BENIGN_WEIGHS_LESS = "Normal and\n  malignant weigh alike, benign less, within each source of slices."
WEIGH_ALIKE = "The\n  classes weigh alike."
NO_LESION_EDITING = (
    "Slices were shown as they are: lesions are drawn and erased only between the classes normal and malignant."
)
MEMBERS = (
    "It is {members} networks, each trained by itself, whose logits are averaged\n"
    "  (Lakshminarayanan 2017); joined they are one network of {members} times the width.\n  "
)
TAUGHT = (
    "They differ by their seeds, and the last {taught} were taught that a plain inflammation is benign, and shown\n"
    "  pneumonia with ragged edges, too.\n  "
)
ALSO = "`--also` names a folder with the slices and nodules that are listed above ([how](../docs/training.md))."
# As the release unpacks.
DATASET_FOLDER = "The IQ-OTHNCCD lung cancer dataset"
ALSO_FOLDER = "other-scanners"


def model_card(card: ModelCard) -> str:
    """MODEL_CARD.md: what the model is, was trained on, scores, and can't do. Only for a card with figures."""
    template = resources.files("lungcnn.evaluation").joinpath("model_card.md").read_text(encoding="utf-8")
    training, figures, recipe = card.training, card.figures, card.training["recipe"]
    sections = {
        "sure_lesions": sure_lesions_sentence(figures["blocked"]),
        "shown": shown_sentence(figures["blocked"]),
        "baselines": "",
        "localization": "",
        "sanity": "",
        "other_scanner": "",
        "elsewhere": "",
        "unlike_training": warning_sentence(figures),
        "also": ALSO if _learnt_beside(training) else "",
        "figures": split_in_words(figures, len(training["seeds"])) + "\n\n" + figures_table(figures).markdown,
        "confusion": confusion_table(figures["blocked"]).markdown,
        "operating_point": _operating_point(card),
        "lesion_editing": LESION_EDITING if card.classes.lesions else NO_LESION_EDITING,
        "members": _members(recipe),
        "weights": BENIGN_WEIGHS_LESS if "benign" in card.classes else WEIGH_ALIKE,
        "whole_series": _whole_series(card),
    }
    if "elsewhere" in figures:
        found = figures["elsewhere"]
        sections["elsewhere"] = _section("Home and elsewhere", elsewhere_sentence(found), calls_table(found).markdown)
    if "baselines" in figures:
        tables = [baselines_table(figures).markdown, *filter(None, [shortcut_sentence(figures)])]
        sections["baselines"] = _section("Simpler models on the same folds", *tables)
    if "localization" in figures:
        found = localization_tables(figures["localization"])
        sections["localization"] = _section("Does the heatmap point at the lesion?", found)
    if "sanity" in figures:
        said = sanity_sentence(figures["sanity"])
        sections["sanity"] = _section(
            "Sanity of the heatmaps", f"**{said}**" if figures["sanity"]["survives"] else said
        )
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
        scaling=_scaling(card),
        prevalence=_prevalence(card),
        beside=beside_in_words(training) or "nothing.",
        sources=", in which home and elsewhere count alike" if "elsewhere" in figures else "",
        **_data_sections(card),
        versions=", ".join(f"{name} {number}" for name, number in card.versions.items()),
        **sections,
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def _members(recipe: dict) -> str:
    count = recipe.get("members", 1)
    if count == 1:
        return ""
    told = Recipe(members=count, inflamed=recipe.get("inflamed", 0.0)).of_members
    taught = sum(one.lesion_editing.inflammation for _, one in told)
    return MEMBERS.format(members=count) + (TAUGHT.format(taught=taught) if taught else "")


def _scaling(card: ModelCard) -> str:
    found = card.calibration
    text = f"Logits are divided by {found.temperature:.2f} (temperature scaling, Guo 2017)"
    if found.offsets is None:
        return text + "."
    offset = sum(found.offsets)
    moved = f"{abs(offset):.2f} is {'taken from' if offset < 0 else 'added to'} that of {card.classes.suspicious}"
    return f"{text}; then {moved}, which counted as much as other classes in training."


def _prevalence(card: ModelCard) -> str:
    found = card.calibration.prevalence
    if found is None:
        return "The probabilities hold where the classes are as frequent as among these slices."
    return (
        f"The probabilities hold where {found:.0%} of the slices are {card.classes.suspicious}; where fewer are,\n"
        "fewer of those that are called so are."
    )


def _operating_point(card: ModelCard) -> str:
    found = card.calibration
    if found.malignant_threshold is None:
        return "No class is said to be the suspicious one: there is no operating point."
    return (
        f"At a {card.classes.suspicious} probability of {found.malignant_threshold:.2f} and more, sensitivity out of "
        f"fold was {found.malignant_sensitivity:.2f} (of the slices on which it is seen) and specificity "
        f"{found.malignant_specificity:.2f}."
    )


def _whole_series(card: ModelCard) -> str:
    if card.classes.suspicious is None:
        return "A series gets no result of its own: no class is said to be the suspicious one."
    return (
        "A series gets no probability of its own: what was fitted on the dataset's cases, of 1 to 35 slices that its\n"
        "makers picked, did not hold for whole series. In its place stand findings: places that speak for "
        f"{card.classes.suspicious}\nover neighbouring slices, each with the highest probability that it keeps over\n"
        "5 mm or two slices, by that place alone, to be held against the operating\npoint above."
    )


def reproduce_command(card: ModelCard) -> str:
    """The command that trains the model of a card again."""
    training = card.training
    ours = card.dataset == IQ_OTH_NCCD
    words = [
        f'python -m lungcnn train "{DATASET_FOLDER}"' if ours else "python -m lungcnn train DATASET --cases CASES.csv"
    ]
    words.append(f"--out my-model --folds {training['folds']} --seed {training['seed']}")
    if _learnt_beside(training):
        words.append(f"--also {ALSO_FOLDER}")
    if card.classes != CLASSES:
        words.append(f"--classes {','.join(card.classes)}")
    if card.classes.suspicious not in (None, "malignant"):
        words.append(f"--suspicious {card.classes.suspicious}")
    if len(training["seeds"]) > 1:
        words.append(f"--seeds {len(training['seeds'])}")
    if training["recipe"] != Recipe().as_dict():
        words.append(f"--recipe {card.name}.json")
    return " ".join(words)


def _learnt_beside(training: dict) -> bool:
    return bool(training.get("elsewhere") or training.get("nodules"))


def _data_sections(card: ModelCard) -> dict[str, str]:
    """What is said of the data: as much as is known of it."""
    if card.dataset == IQ_OTH_NCCD:
        text = resources.files("lungcnn.evaluation").joinpath("iq_oth_nccd.md").read_text(encoding="utf-8")
        sections = dict(re.findall(r"^# (\w+)\n\n(.*?)\s*(?=^# |\Z)", text, re.MULTILINE | re.DOTALL))
        return sections | {"tried": " What was tried is in `models/EXPERIMENTS.md`."}
    return {
        "source": f"{card.dataset}. What they are, and who collected them, isn't written in the JSON card.",
        "lesions": "not known to this card.",
        "failures": "- **Not known.** What this model fails on was not looked into.",
        "reference": "the folder that a slice lies in. Who decided on it, and by what, isn't written in the JSON card.",
        "partition": "case groups as the case list has them. Where `python -m lungcnn cases` wrote it, they are\n  "
        "inferred from the order and the look of the slices, not known.",
        "licence": "Of the code: Apache License 2.0; cite it by `CITATION.cff`. "
        "Of data and weights: not known to this card.",
        "tried": "",
    }


def _section(title: str, *parts: str) -> str:
    return "\n\n".join([f"### {title}", *parts])
