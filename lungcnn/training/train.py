"""From lung crops to a trained network: weights by class, case and source; lesions put in; one compiled step."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from itertools import count

import numpy as np

from lungcnn.classes import CLASSES, Classes
from lungcnn.dataset.crops import CropSet
from lungcnn.dataset.elsewhere import DISEASED
from lungcnn.dataset.folder import HOME
from lungcnn.errors import UsageError
from lungcnn.model.network import LAST_CONVOLUTION, LOGITS, build_network
from lungcnn.training.augmentation import Augmentation, augment
from lungcnn.training.history import Epoch, OnEpoch
from lungcnn.training.lesion_editing import INFLAMED, LesionEditing, Lesions
from lungcnn.training.nodules import NodulePatches
from lungcnn.training.predicting import forward_of, in_batches, mean_loss
from lungcnn.training.state import TrainingState


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; kept in its card.

    Attributes:
        epochs, batch: passes over the slices, slices a step.
        learning_rate: peak, reached after one epoch and then brought to zero along a cosine. weight_decay: AdamW's.
        smoothing: label smoothing. case_weight: a slice counts its case's size to the power of minus this.
        map_weight: weight of the loss that asks the malignant evidence map to lie on lesions whose place is known.
        benign_home, benign_elsewhere: weight of the benign class, where normal and malignant have 1 each. Benign
            slices look much like normal ones; counted alike, they would take whatever isn't sure.
        elsewhere: weight of all slices of other scanners together, where those of the dataset have 1.
        members: networks, each trained by itself, that are joined to one (`committee.join`). They differ by their seeds
            and by what they are taught of inflammation.
        inflamed: share of the members, rounded down, that are taught it (`LesionEditing.inflammation`).
        half_precision: convolutions in bfloat16, which takes two thirds of the time where the processor knows it.
        lesion_editing: lesions put in and taken out.
    """

    epochs: int = 80
    batch: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    smoothing: float = 0.05
    case_weight: float = 0.5
    map_weight: float = 0.3
    benign_home: float = 0.25
    benign_elsewhere: float = 0.1
    elsewhere: float = 0.5
    width: int = 24
    dropout: float = 0.2
    members: int = 5
    inflamed: float = 0.5
    half_precision: bool = True
    lesion_editing: LesionEditing = field(default_factory=LesionEditing)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        if self.members > 1 and self.width % 2:
            raise UsageError(f"Networks that are joined have an even width; the recipe's is {self.width}.")

    @property
    def of_members(self) -> list[tuple[int, Recipe]]:
        """How each member is trained: the number of its seed, and its recipe. Those taught inflammation come last."""
        if self.members == 1:
            return [(0, self)]
        taught = int(self.inflamed * self.members)
        seeds = [(number, False) for number in range(self.members - taught)]
        seeds += [(number, True) for number in range(taught)]
        return [
            (number, replace(self, members=1, lesion_editing=replace(self.lesion_editing, inflammation=inflammation)))
            for number, inflammation in seeds
        ]

    def as_dict(self) -> dict:
        """Plain numbers for the card."""
        return asdict(self)


def balanced(
    weights: np.ndarray, labels: np.ndarray, at_home: np.ndarray, recipe: Recipe, classes: Classes = CLASSES
) -> np.ndarray:
    """Weights float32 `[n]`, mean 1, at which the classes, and home and elsewhere, count as the recipe says.

    Within each source, so that the source doesn't give the class away. What editing moved between the classes is
    made up for.

    Args:
        weights: float `[n]`, of each slice by itself. labels: int `[n]`, classes, or `DISEASED` or
            `INFLAMED`, which count among the normal ones. at_home: bool `[n]`.
    """
    weights = weights.astype(float)
    if (labels < 0).any():
        labels = np.where(labels < 0, classes.index("normal"), labels)
    for inside, benign, share in (
        (at_home, recipe.benign_home, 1.0),
        (~at_home, recipe.benign_elsewhere, recipe.elsewhere),
    ):
        for label, name in enumerate(classes):
            mine = inside & (labels == label)
            if mine.any():
                weights[mine] *= (benign if name == "benign" else 1.0) / weights[mine].sum()
        if inside.any():
            weights[inside] *= share / weights[inside].sum()
    return (weights * len(weights) / weights.sum()).astype(np.float32)


def targets_of(labels: np.ndarray, classes: Classes = CLASSES) -> np.ndarray:
    """Which classes would be right, float32 `[n, classes]`, for labels int `[n]`.

    For `DISEASED` all but malignant, for `INFLAMED` benign.
    """
    right = np.eye(len(classes), dtype=np.float32)[labels]
    right[labels == DISEASED] = [name != "malignant" for name in classes]
    right[labels == INFLAMED] = [name == "benign" for name in classes]
    return right


def train_network(
    crop_set: CropSet,
    recipe: Recipe,
    seed: int = 0,
    on_epoch: OnEpoch | None = None,
    name: str = "",
    held_out: CropSet | None = None,
    state: TrainingState | None = None,
    nodules: dict[str, NodulePatches] | None = None,
):
    """Train a new network, one member; the same arguments on the same machine give the same weights.

    Args:
        on_epoch: called after each epoch. name: of the network, for that.
        held_out: slices whose loss is told with each epoch; they have no part in the training.
        state: kept after each epoch, and gone on from.
        nodules: as `read_nodules` gives them, to be put into slices.

    Returns:
        `keras.Model` as `build_network` makes it.
    """
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    precision = "mixed_bfloat16" if recipe.half_precision else "float32"
    network = build_network(recipe.width, recipe.dropout, len(crop_set.classes), precision)
    steps = -(-len(crop_set.slices) // recipe.batch)
    schedule = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate / 20,
        (recipe.epochs - 1) * steps or 1,
        alpha=0.0,
        warmup_target=recipe.learning_rate,
        warmup_steps=steps,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay)
    step = _compile_step(network, optimizer, recipe, crop_set.classes)
    done = 0
    if state:
        state.restore(network, optimizer)
        done = state.done
    batches = _batches(crop_set, recipe, seed, done, nodules)
    forward = forward_of(network) if on_epoch and held_out else None
    for number in range(done + 1, recipe.epochs + 1):
        begun = time.monotonic()
        losses = [step(*batch) for batch in batches]
        if on_epoch:
            loss = float(tf.reduce_mean(losses))
            validation = None
            if held_out and forward:
                validation = mean_loss(in_batches(forward, held_out.crops), held_out.labels)
            on_epoch(Epoch(name, number, recipe.epochs, loss, validation, round(time.monotonic() - begun, 2)))
        if state:
            state.save(network, optimizer, number)
    trained = build_network(recipe.width, recipe.dropout, len(crop_set.classes))
    trained.set_weights(network.get_weights())
    return trained


def _batches(crop_set: CropSet, recipe: Recipe, seed: int, done: int = 0, nodules=None):
    """A tf.data pipeline over one epoch, the one after `done`; each iteration goes on with new random numbers."""
    import tensorflow as tf

    sizes = Counter(crop_set.cases)
    weights = np.array([sizes[case] ** -recipe.case_weight for case in crop_set.cases])
    weights *= recipe.lesion_editing.weights(crop_set)
    at_home = crop_set.collections == HOME
    lesions = Lesions.of(crop_set, nodules)
    epochs = count(done)

    def one_epoch():
        rng = np.random.default_rng([seed, next(epochs)])
        order = rng.permutation(len(weights))
        shown = [recipe.lesion_editing.edit(crop_set, index, lesions, rng) for index in order]
        labels = np.array([label for *_, label in shown])
        counts = balanced(weights[order], labels, at_home[order], recipe, crop_set.classes)
        for start in range(0, len(order), recipe.batch):
            part = slice(start, start + recipe.batch)
            pairs = [augment(crop, mask, recipe.augmentation, rng) for crop, mask, _ in shown[part]]
            crops, masks = (np.stack(images)[..., None] for images in zip(*pairs, strict=True))
            yield crops, masks, targets_of(labels[part], crop_set.classes), counts[part]

    size = crop_set.crops.shape[1]
    picture = tf.TensorSpec((None, size, size, 1), tf.float32)
    targets = tf.TensorSpec((None, len(crop_set.classes)), tf.float32)
    signature = (picture, picture, targets, tf.TensorSpec((None,), tf.float32))
    return tf.data.Dataset.from_generator(one_epoch, output_signature=signature).prefetch(8)


def _compile_step(network, optimizer, recipe: Recipe, classes: Classes):
    import keras
    import tensorflow as tf

    found = network.get_layer(LAST_CONVOLUTION).output
    outputs = keras.Model(network.input, [found, network.get_layer(LOGITS).output])
    embedding, logits_layer = network.get_layer("embedding"), network.get_layer(LOGITS)
    optimizer.build(network.trainable_variables)
    _, malignant = classes.lesions or (0, 0)

    def evidence_map(maps):
        """Malignant evidence a cell `[n, cells]`: the dense layers have no activation, so it is a weighted sum."""
        weights = tf.linalg.matvec(embedding.kernel, logits_layer.kernel[:, malignant])
        evidence = tf.tensordot(maps, weights, 1)
        return tf.reshape(evidence, [tf.shape(evidence)[0], -1])

    @tf.function(reduce_retracing=True)
    def step(images, masks, targets, weights):
        with tf.GradientTape() as tape:
            maps, logits = outputs(images, training=True)
            maps = tf.cast(maps, tf.float32)
            logs = tf.nn.log_softmax(logits)
            # Where several classes would be right, their probabilities add up.
            right = tf.reduce_logsumexp(tf.where(targets > 0, logs, -1e9), axis=1)
            spread = tf.reduce_mean(logs, axis=1)
            right = (1 - recipe.smoothing) * right + recipe.smoothing * spread
            loss = -tf.reduce_mean(weights * right)
            if recipe.map_weight and classes.lesions:
                cells = masks.shape[1] // maps.shape[1]
                covered = tf.reshape(tf.nn.avg_pool2d(masks, cells, cells, "VALID"), [tf.shape(masks)[0], -1])
                mass = tf.reduce_sum(covered, axis=1)
                drawn = tf.cast(mass > 0.02, tf.float32)
                place = covered / tf.maximum(mass[:, None], 1e-6)
                off_lesion = tf.nn.softmax_cross_entropy_with_logits(place, evidence_map(maps))
                loss += recipe.map_weight * tf.reduce_sum(drawn * off_lesion) / tf.maximum(tf.reduce_sum(drawn), 1.0)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return loss

    return step
