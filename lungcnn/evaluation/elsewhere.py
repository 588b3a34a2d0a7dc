"""What slices are called at home and elsewhere, collection by collection, by networks that saw none of a collection."""

from collections.abc import Sequence

import numpy as np

from lungcnn.classes import CLASSES, MALIGNANT, NORMAL
from lungcnn.dataset.crops import CropSet
from lungcnn.dataset.elsewhere import DISEASED
from lungcnn.dataset.folder import HOME
from lungcnn.evaluation.localization import mean_by_case
from lungcnn.evaluation.metrics import RESAMPLES, Predictions, auc_against_normal, with_intervals

# What a slice shows, as far as is known: no finding, a tumour, disease without a tumour.
KINDS = {"healthy": NORMAL, "tumour": MALIGNANT, "diseased": DISEASED}


def calls_by_collection(runs: Sequence[Predictions], crop_set: CropSet, resamples: int = RESAMPLES) -> dict:
    """What slices are called, by where they are from and what they show.

    At home only malignant slices on which a lesion is surely seen count as showing a tumour.

    Args:
        runs: predictions of the `n` slices out of fold, one a seed; labels may be `DISEASED`. crop_set: those slices.

    Returns:
        `{"home": kinds, "elsewhere": kinds, "collections": {name: kinds}, "auc": {...}}`, where kinds is
        `{kind: {"slices", "normal", "benign", "malignant"}}`: the share called each class (mean over runs), in the
        first two as `{"value", "low", "high"}` with 95 % intervals over patients. `auc`: tumours against healthy
        slices, elsewhere.
    """
    called = np.mean([np.eye(len(CLASSES))[run.p.argmax(axis=1)] for run in runs], axis=0)
    collections, cases = crop_set.collections, crop_set.cases
    at_home = collections == HOME
    seen = np.logical_or.reduce(list(crop_set.sure_lesions.values()))
    counts = (crop_set.labels != MALIGNANT) | ~at_home | seen

    def kinds(inside: np.ndarray, figure) -> dict:
        chosen = {kind: inside & counts & (crop_set.labels == label) for kind, label in KINDS.items()}
        return {
            kind: {
                "slices": int(mine.sum()),
                **{name: figure(called[mine, index], cases[mine]) for index, name in enumerate(CLASSES)},
            }
            for kind, mine in chosen.items()
            if mine.any()
        }

    def interval(values, of):
        return mean_by_case(values, of, resamples)

    def share(values, of):
        return round(float(values.mean()), 4)

    found = {"home": kinds(at_home, interval), "elsewhere": kinds(~at_home, interval)}
    found["collections"] = {str(name): kinds(collections == name, share) for name in np.unique(collections[~at_home])}
    compared = ~at_home & (crop_set.labels != DISEASED)
    if {NORMAL, MALIGNANT} <= set(crop_set.labels[compared]):
        chosen = [run.take(compared) for run in runs]
        found["auc"] = with_intervals(chosen, auc_against_normal, resamples)["auc_malignant"]
    return found
