"""How often the warning `unlike_training` falls among right and wrong answers: one worth heeding falls on the wrong."""

from collections.abc import Sequence

import numpy as np

from lungcnn.gate.familiarity import WARN_PERCENTILE, held_out_distances


def rates(warned: np.ndarray, right: np.ndarray) -> dict[str, dict[str, int]]:
    """Counts `{"right": {"slices", "warned"}, "wrong": {...}}` of bool `[n]` each."""
    return {
        name: {"slices": int(chosen.sum()), "warned": int(warned[chosen].sum())}
        for name, chosen in (("right", right), ("wrong", ~right))
    }


def rates_out_of_fold(folds: Sequence[tuple[np.ndarray, np.ndarray]], right: Sequence[np.ndarray]) -> dict:
    """As `rates`, of slices whose network, and whose threshold, never saw them.

    Args:
        folds: as `fit_familiarity`, at least two. right: of each fold's held-out slices whether the answer was right,
            bool `[n]`.
    """
    distances = [held_out_distances(known, held_out) for known, held_out in folds]
    warned = []
    for fold, own in enumerate(distances):
        others = np.concatenate(distances[:fold] + distances[fold + 1 :])
        warned.append(own > np.percentile(others, WARN_PERCENTILE))
    return rates(np.concatenate(warned), np.concatenate(right))
