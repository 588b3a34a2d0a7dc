"""The words in which figures are told: English here, another language's by whoever shows them."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

# Sentences, and titles of tables, by name; another language's have the same places.
FIGURE_WORDS = {
    "split": (
        "Case-blocked folds of the development slices ({slices} slices, {cases} cases), {pooled}; weights and "
        "calibration come from the other folds only. In brackets: 95 % intervals from resampling cases."
    ),
    "pooled": "pooled",
    "pooled_seeds": "pooled, mean of {seeds} seeds",
    "split_and_leaky": (
        "{split} The last column is one such network with slices split at random, as in most published work: it "
        "measures how well patients are recognised, and no figure in it will hold for a new one."
    ),
    "elsewhere": (
        "By the most probable class. Home is the dataset; of its malignant slices only those count on which a lesion "
        "is surely seen. No network saw the case at home, or any slice of the collection elsewhere, that it is "
        "measured on here, and neither did its calibration. Slices elsewhere were labelled by eye for this project, "
        "not by a radiologist. In brackets: 95 % intervals from resampling patients."
    ),
    "elsewhere_auc": "{elsewhere} Tumours against healthy slices, elsewhere: AUC {auc}.",
    "beside_slices": (
        "{count} slices of other hospitals' scanners, labelled by eye for this project, not by a radiologist: {listed}"
    ),
    "beside_nodules": (
        "nodules of LIDC-IDRI, pasted into slices: {malignant} that its readers found suspicious, {benign} that they "
        "found harmless"
    ),
    "beside_both": "{slices}; {nodules}",
    "beside": "{all}.",
    "randomised": ("with every layer randomised their rank correlation with the trained network's is {correlation}"),
    "sanity_fails": (
        "The maps survive randomisation: {randomised}. They say little of what was learnt; don't rely on them."
    ),
    "sanity": (
        "The maps change when the network's layers are randomised from the top (Adebayo 2018): {randomised} ({steps})."
    ),
    "shortcut": (
        "With the lungs blacked out, a plain CNN still reaches a {name} AUC of {blind}; this model reaches {ours}. "
        "{reading}"
    ),
    "shortcut_near": (
        "That is near: a {name} AUC on this dataset is no proof that lungs are read. What speaks for it is measured "
        "where the lesion is known (surely seen lesions, and where heatmaps point)."
    ),
    "shortcut_far": "The difference is what the lungs add.",
    "figure": "figure",
    "by_slice": "By slice",
    "by_case": "By case",
    "unseen_by_slice": "Unseen patients, by slice",
    "unseen_by_case": "Unseen patients, by case",
    "leaky": "Leaky: slices split at random",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "auc": "ROC AUC, {name} versus rest",
    "average_precision": "Average precision, {name}",
    "sensitivity": "Sensitivity for {name}",
    "specificity": "Specificity for {name}",
    "at_operating_point": "{figure}, at the operating point",
    "ece": "Expected calibration error",
    "ece_shown": "Expected calibration error, against what a slice shows",
    "brier": "Brier score (0 to 2)",
    "coverage": "Prediction set holds the true class (aim 0.90)",
    "set_size": "Mean size of the prediction set",
    "model": "model",
    "this_model": "This model",
    "suspicious_auc": "{name} AUC",
    "on_unseen": "{figure}, unseen patients",
    "on_leaky": "{figure}, leaky random split",
    "slices_from": "Slices from",
    "healthy_normal": "Healthy: called normal",
    "healthy_malignant": "Healthy: called malignant",
    "tumour_malignant": "Tumour seen: called malignant",
    "diseased_malignant": "Other disease: called malignant",
    "home": "Home",
    "elsewhere_all": "Elsewhere",
    "of": "{share} of {count}",
    "true_and_called": "true \\ predicted",
}

# Simpler models beside the network, by their names in `evaluation.json`.
BASELINE_TITLES = {
    "majority": "Majority class",
    "nearest_neighbour": "Nearest neighbour on 64 x 64 thumbnails",
    "border": "Border of the image alone, nearest neighbour",
    "noise": "Noise level of the soft tissue alone, random forest",
    "features": "Random forest on 12 lung features",
    "plain_cnn": "Plain CNN, whole slice",
    "plain_cnn_crop": "Plain CNN, lung crop",
    "lungs_out": "Plain CNN, lung crop with the lungs blacked out",
}


class Language(NamedTuple):
    """How figures are told.

    Attributes:
        words: as `FIGURE_WORDS`. class_name: what a class is called. baseline: what a simpler model is called, by its
            name in `evaluation.json` and its title there.
    """

    words: Mapping[str, str]
    class_name: Callable[[str], str] = str
    baseline: Callable[[str, str], str] = lambda _name, title: title


ENGLISH = Language(FIGURE_WORDS)
