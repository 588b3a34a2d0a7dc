"""What simpler models score on the same folds: the ground that a figure of ours stands on.

Each baseline learns from some slices and gives probabilities for others. Some see no lung at all: what they can tell
is who the patient is, or what scanner it was, not disease.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from lungcnn.dataset.crops import CropSet
from lungcnn.dataset.thumbnails import thumbnail
from lungcnn.evaluation.noise import noise_level
from lungcnn.evaluation.words import BASELINE_TITLES
from lungcnn.reading.loading import load_slice
from lungcnn.windowing import AIR_HU, to_unit

SIDE = 64
BORDER = 0.12
EPOCHS = 12


@dataclass(frozen=True, eq=False)
class Material:
    """What baselines look at, a row a slice: whole slices, lung crops and lung masks, float32 `[n, 64, 64]`.

    `noise` `[n]` is the noise level of the full crop (`noise.noise_level`).
    """

    whole: np.ndarray
    crops: np.ndarray
    lungs: np.ndarray
    noise: np.ndarray

    @classmethod
    def of(cls, crop_set: CropSet) -> "Material":
        """Read the whole slices again, and reduce slices, crops and masks by area."""

        def small(picture):
            return cv2.resize(np.asarray(picture, np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)

        return cls(
            np.stack([small(to_unit(load_slice(item.path).hu)) for item in crop_set.slices]),
            np.stack([small(crop) for crop in crop_set.crops]),
            np.stack([small(lungs) for lungs in crop_set.lungs]),
            np.array([noise_level(crop) for crop in crop_set.crops]),
        )


def majority(inputs, labels, learn, seed):
    """Class shares of the slices learnt from, for every slice."""
    shares = np.bincount(labels[learn], minlength=labels.max() + 1) / learn.sum()
    return np.tile(shares, (int((~learn).sum()), 1))


def nearest_neighbour(inputs, labels, learn, seed):
    """The class of the most correlated slice learnt from; how close each class comes gives the probabilities."""
    vectors = np.stack([thumbnail(picture) for picture in inputs])
    alike = vectors[~learn] @ vectors[learn].T
    closest = np.stack([alike[:, labels[learn] == label].max(axis=1) for label in range(labels.max() + 1)], axis=1)
    odds = np.exp(50 * (closest - closest.max(axis=1, keepdims=True)))
    return odds / odds.sum(axis=1, keepdims=True)


def random_forest(inputs, labels, learn, seed):
    """A random forest on features `[n, features]`, classes weighted alike."""
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(500, class_weight="balanced_subsample", min_samples_leaf=2, random_state=seed)
    return forest.fit(inputs[learn], labels[learn]).predict_proba(inputs[~learn])


def plain_cnn(inputs, labels, learn, seed):
    """Three convolutions with pooling, a dense layer, dropout: what most published work on this dataset trains."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    blocks = []
    for channels in (16, 32, 64):
        blocks += [layers.Conv2D(channels, 3, padding="same", activation="relu"), layers.MaxPooling2D(2)]
    head = [
        layers.Flatten(),
        layers.Dense(64, "relu"),
        layers.Dropout(0.5),
        layers.Dense(int(labels.max()) + 1, "softmax"),
    ]
    network = keras.Sequential([keras.Input((SIDE, SIDE, 1)), *blocks, *head])
    network.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    shares = np.bincount(labels[learn], minlength=labels.max() + 1) / learn.sum()
    weights = {label: 1 / (len(shares) * share) for label, share in enumerate(shares) if share}
    network.fit(inputs[learn][..., None], labels[learn], 32, EPOCHS, verbose=0, class_weight=weights)
    return network(inputs[~learn][..., None], training=False).numpy()


def border_only(material: Material) -> np.ndarray:
    """Whole slices with everything but the border (12 % on each side) set to zero."""
    pictures = material.whole.copy()
    width = round(BORDER * SIDE)
    pictures[:, width:-width, width:-width] = 0
    return pictures


def lungs_blacked_out(material: Material) -> np.ndarray:
    """Lung crops with everything within the lungs set to air: what is left is the patient, not the lung."""
    return np.where(material.lungs > 0, np.float32(to_unit(AIR_HU)), material.crops).astype(np.float32)


def noise_alone(material: Material) -> np.ndarray:
    """The noise level in soft tissue, and nothing else: `[n, 1]`."""
    return material.noise[:, None]


def lung_features(material: Material) -> np.ndarray:
    """Twelve hand-made features `[n, 12]` of the lungs: how large, how dense, how even, what solid parts in them."""
    return np.stack([_features(crop, lungs > 0.5) for crop, lungs in zip(material.crops, material.lungs, strict=True)])


def _features(crop, lungs):
    values = crop[lungs] if lungs.any() else np.zeros(1, np.float32)
    solid = (crop > to_unit(-400)) & lungs
    count, _, stats, _ = cv2.connectedComponentsWithStats(solid.astype(np.uint8))
    largest = stats[1:, cv2.CC_STAT_AREA].max() if count > 1 else 0
    left, right = lungs[:, : SIDE // 2].sum(), lungs[:, SIDE // 2 :].sum()
    edges = cv2.morphologyEx(lungs.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return np.array(
        [
            lungs.mean(),
            min(left, right) / max(left, right, 1),
            edges.sum() / max(np.sqrt(lungs.sum()), 1),
            values.mean(),
            values.std(),
            *np.percentile(values, (5, 25, 50, 75, 95)),
            solid.sum() / max(lungs.sum(), 1),
            largest / max(lungs.sum(), 1),
        ]
    )


@dataclass(frozen=True)
class Baseline:
    """A name for the table, what it looks at, and how it learns."""

    title: str
    look: Callable[[Material], np.ndarray]
    learn: Callable


_WAYS = {
    "majority": (lambda material: material.whole, majority),
    "nearest_neighbour": (lambda material: material.whole, nearest_neighbour),
    "border": (border_only, nearest_neighbour),
    "noise": (noise_alone, random_forest),
    "features": (lung_features, random_forest),
    "plain_cnn": (lambda material: material.whole, plain_cnn),
    "plain_cnn_crop": (lambda material: material.crops, plain_cnn),
    "lungs_out": (lungs_blacked_out, plain_cnn),
}
BASELINES = {name: Baseline(BASELINE_TITLES[name], *ways) for name, ways in _WAYS.items()}


def probabilities(baseline: Baseline, material: Material, labels: np.ndarray, folds: np.ndarray, seed: int = 0):
    """Probabilities float `[n, classes]` of every slice, learnt from the other folds only.

    Args:
        labels, folds: int `[n]`.
    """
    inputs = baseline.look(material)
    p = np.zeros((len(labels), labels.max() + 1))
    for fold in np.unique(folds):
        p[folds == fold] = baseline.learn(inputs, labels, folds != fold, seed)
    return p
