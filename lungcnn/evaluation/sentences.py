"""What was measured, in sentences."""

from lungcnn.evaluation.tables import classes_of, with_interval


def split_in_words(figures: dict, seeds: int) -> str:
    """How the figures were measured, in a paragraph."""
    blocked = figures["blocked"]
    text = (
        f"Case-blocked folds of the development slices ({blocked['slices']} slices, {blocked['cases']} cases), pooled"
        f"{f', mean of {seeds} seeds' if seeds > 1 else ''}; weights and calibration come from the other folds only. "
        "In brackets: 95 % intervals from resampling cases."
    )
    if "random_leaky" in figures:
        text += (
            " The last column is the same network with slices split at random, as in most published work: it measures "
            "how well patients are recognised, and no figure in it will hold for a new one."
        )
    return text


def elsewhere_sentence(found: dict) -> str:
    """How the figures of `elsewhere.calls_by_collection` came about."""
    auc = f" Tumours against healthy slices, elsewhere: AUC {with_interval(found['auc'])}." if "auc" in found else ""
    return (
        "By the most probable class. Home is the dataset; of its malignant slices only those count on which a lesion "
        "is surely seen. No network saw the case at home, or any slice of the collection elsewhere, that it is "
        "measured on here, and neither did its calibration. Slices elsewhere were labelled by eye for this project, "
        f"not by a radiologist. In brackets: 95 % intervals from resampling patients.{auc}"
    )


def beside_in_words(training: dict) -> str:
    """What a network learnt from beside its dataset, by its card's `training`; empty for nothing."""
    others, nodules = training.get("elsewhere") or {}, training.get("nodules") or {}
    parts = []
    if others:
        listed = ", ".join(f"{name} ({count})" for name, count in others.items())
        parts.append(
            f"{sum(others.values())} slices of other hospitals' scanners, labelled by eye for this project, not by a "
            f"radiologist: {listed}"
        )
    if nodules:
        parts.append(
            f"nodules of LIDC-IDRI, pasted into slices: {nodules['malignant']} that its readers found suspicious, "
            f"{nodules['benign']} that they found harmless"
        )
    return "; ".join(parts) + "." if parts else ""


def sanity_sentence(sanity: dict) -> str:
    """What randomising the network did to its maps."""
    last = (
        "with every layer randomised their rank correlation with the trained network's is "
        f"{sanity['correlation'][-1]:.2f}"
    )
    if sanity["survives"]:
        return f"**The maps survive randomisation: {last}. They say little of what was learnt; don't rely on them.**"
    steps = ", ".join(
        f"{name} {value:.2f}" for name, value in zip(sanity["layers"], sanity["correlation"], strict=True)
    )
    return f"The maps change when the network's layers are randomised from the top (Adebayo 2018): {last} ({steps})."


def shortcut_sentence(figures: dict) -> str:
    """What the network that never sees a lung says about the score of the one that does; empty without a suspect."""
    suspicious = classes_of(figures["blocked"]).suspicious
    if suspicious is None:
        return ""
    blind, ours = (
        figures["baselines"]["lungs_out"]["blocked"][f"auc_{suspicious}"],
        figures["blocked"]["slice"][f"auc_{suspicious}"],
    )
    text = (
        f"With the lungs blacked out, a plain CNN still reaches a {suspicious} AUC of {blind['value']:.2f}; this model "
        f"reaches {ours['value']:.2f}. "
    )
    if ours["low"] <= blind["value"]:
        return text + (
            f"That is near: a {suspicious} AUC on this dataset is no proof that lungs are read. What speaks for it is "
            "measured where the lesion is known (surely seen lesions, and where heatmaps point)."
        )
    return text + "The difference is what the lungs add."


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
