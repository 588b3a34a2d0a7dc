"""The leak guard: is a slice, or a copy of it, among those a model was trained on?

Identical files are found by sha256, copies (exported again, resized, mirrored, turned) by perceptual hashes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lungcnn.dataset.crops import CropSet
from lungcnn.dataset.near_duplicates import NEAR_BITS, KnownHashes, hashes_of_copies, perceptual_hashes, unpack
from lungcnn.errors import LungCNNError
from lungcnn.model.card import ModelCard
from lungcnn.reading.loading import load_slice


@dataclass(frozen=True, eq=False)
class Seen:
    """Which of `n` slices a model knows from training: bool `[n]` each, no slice in two.

    Attributes:
        identical: the same file. near: the same slice exported again. derived: a mirrored or turned copy of one.
    """

    identical: np.ndarray
    near: np.ndarray
    derived: np.ndarray

    @property
    def any(self) -> np.ndarray:
        """bool `[n]`."""
        return self.identical | self.near | self.derived


def seen_in_training(card: ModelCard, crop_set: CropSet, progress: Callable = iter) -> Seen:
    """Compare slices with those that a model's card lists.

    Args:
        progress: wraps the sequence of slices; each takes some 50 ms.
    """
    files, hashes = card.training.get("files", {}).values(), card.training.get("perceptual_hashes", ())
    identical = np.isin([item.sha256 for item in crop_set.slices], list(files))
    near, derived = np.zeros_like(identical), np.zeros_like(identical)
    if len(hashes):
        known = KnownHashes(unpack(hashes))
        near = known.bits_apart(unpack(perceptual_hashes(crop_set.crops))).min(axis=1) <= NEAR_BITS
        near &= ~identical
        for index, item in enumerate(progress(crop_set.slices)):
            if identical[index] or near[index]:
                continue
            try:
                copies = hashes_of_copies(load_slice(item.path))
            except LungCNNError:  # judged only after a correction of its window: its crop was compared above
                continue
            derived[index] = known.bits_apart(copies).min() <= NEAR_BITS
    return Seen(identical, near, derived)
