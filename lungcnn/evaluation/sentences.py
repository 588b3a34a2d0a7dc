"""What was measured, in sentences."""

from lungcnn.evaluation.tables import classes_of, with_interval
from lungcnn.evaluation.words import ENGLISH, Language


def split_in_words(figures: dict, seeds: int, language: Language = ENGLISH) -> str:
    """How the figures were measured, in a paragraph."""
    words, blocked = language.words, figures["blocked"]
    pooled = words["pooled_seeds"].format(seeds=seeds) if seeds > 1 else words["pooled"]
    text = words["split"].format(slices=blocked["slices"], cases=blocked["cases"], pooled=pooled)
    return words["split_and_leaky"].format(split=text) if "random_leaky" in figures else text


def elsewhere_sentence(found: dict, language: Language = ENGLISH) -> str:
    """How the figures of `elsewhere.calls_by_collection` came about."""
    text = language.words["elsewhere"]
    if "auc" not in found:
        return text
    return language.words["elsewhere_auc"].format(elsewhere=text, auc=with_interval(found["auc"]))


def beside_in_words(training: dict, language: Language = ENGLISH) -> str:
    """What a network learnt from beside its dataset, by its card's `training`; empty for nothing."""
    words, others, nodules = language.words, training.get("elsewhere") or {}, training.get("nodules") or {}
    parts = {}
    if others:
        listed = ", ".join(f"{name} ({count})" for name, count in others.items())
        parts["slices"] = words["beside_slices"].format(count=sum(others.values()), listed=listed)
    if nodules:
        found = {name: nodules[name] for name in ("malignant", "benign")}
        parts["nodules"] = words["beside_nodules"].format(**found)
    if not parts:
        return ""
    both = words["beside_both"].format(**parts) if len(parts) > 1 else next(iter(parts.values()))
    return words["beside"].format(all=both)


def sanity_sentence(sanity: dict, language: Language = ENGLISH) -> str:
    """What randomising the network did to its maps."""
    words = language.words
    randomised = words["randomised"].format(correlation=f"{sanity['correlation'][-1]:.2f}")
    if sanity["survives"]:
        return words["sanity_fails"].format(randomised=randomised)
    steps = ", ".join(
        f"{name} {value:.2f}" for name, value in zip(sanity["layers"], sanity["correlation"], strict=True)
    )
    return words["sanity"].format(randomised=randomised, steps=steps)


def shortcut_sentence(figures: dict, language: Language = ENGLISH) -> str:
    """What the network that never sees a lung says about the score of the one that does; empty without a suspect."""
    suspicious = classes_of(figures["blocked"]).suspicious
    if suspicious is None:
        return ""
    blind, ours = (
        figures["baselines"]["lungs_out"]["blocked"][f"auc_{suspicious}"],
        figures["blocked"]["slice"][f"auc_{suspicious}"],
    )
    words, name = language.words, language.class_name(suspicious)
    reading = words["shortcut_near" if ours["low"] <= blind["value"] else "shortcut_far"].format(name=name)
    return words["shortcut"].format(
        name=name, blind=f"{blind['value']:.2f}", ours=f"{ours['value']:.2f}", reading=reading
    )


def other_scanner_sentence(calls: dict) -> str:
    """What the network made of a series of another scanner."""
    away, through = calls["away"], calls["through"]
    return (
        "On one series of another maker's scanner (one patient: a smoke test, not a validation), "
        f"{away['called']} of {away['slices']} slices away from its nodule and {through['called']} of "
        f"{through['slices']} slices through it are called malignant."
    )


def sure_lesions_sentence(blocked: dict) -> str:
    """How well slices that surely show a lesion stand out from normal ones; empty where there are none."""
    parts = [
        f"{with_interval(blocked[name]['auc_malignant'])} on {blocked[name]['slices']} slices{where}"
        for name, where in (("sure_lesions", ""), ("second_look", " of the others, boxed in a second look"))
        if name in blocked
    ]
    if not parts:
        return ""
    return (
        "Slices of malignant cases on which a lesion is surely seen, against all normal slices: malignant AUC "
        + ", and ".join(parts)
        + "."
    )


def shown_sentence(blocked: dict) -> str:
    """The figures by what each slice shows by itself, which the probabilities are calibrated to; "" without any."""
    if "shown" not in blocked:
        return ""
    found = blocked["shown"]
    return (
        f"Probabilities are calibrated to what a slice shows by itself: on {found['nothing']} slices of malignant "
        "cases nothing is seen, and they are normal then. Counted so, the expected calibration error is "
        f"{with_interval(found['ece'])} and balanced accuracy {with_interval(found['balanced_accuracy'])}."
    )


def warning_sentence(figures: dict) -> str:
    """How often the warning "unlike the training slices" falls, by right and wrong answers; empty if not measured."""
    parts = [
        f"{where} on {_of(found['right'])} right and {_of(found['wrong'])} wrong answers"
        for where, found in (
            ("on slices of unseen patients", figures.get("unlike_training")),
            ("on a series of another scanner", figures.get("other_scanner", {}).get("unlike_training")),
        )
        if found
    ]
    if not parts:
        return ""
    return f"The warning that a slice is unlike the training slices falls {'; '.join(parts)}."


def _of(counts: dict) -> str:
    share = f" ({counts['warned'] / counts['slices']:.1%})" if counts["slices"] else ""
    return f"{counts['warned']} of {counts['slices']}{share}"
