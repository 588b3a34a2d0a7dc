"""A network learns from others of its recipe: from what they say of a slice, beside its label.

Networks that differ in their seed alone err on different slices. Their mean errs less, and a network that learns from
it nearly as little, at the price of one (Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network",
2015).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lungcnn.model.network import LOGITS

if TYPE_CHECKING:
    from lungcnn.training.train import Recipe


def of_teachers(recipe: Recipe) -> Recipe:
    """How teachers are trained: the same without any."""
    return replace(recipe, teachers=0)


def mean_logits(teachers: Sequence[Any], build: Callable[[], Any]) -> Callable[[Any], Any]:
    """What teachers say of images `[n, size, size, 1]`: the mean of their logits `[n, classes]`, a function of tensors.

    Args:
        teachers: trained networks. build: makes one to compute in, of a precision that may be lower.
    """
    import keras
    import tensorflow as tf

    asked = []
    for teacher in teachers:
        copy = build()
        copy.set_weights(teacher.get_weights())
        copy.trainable = False
        asked.append(keras.Model(copy.input, copy.get_layer(LOGITS).output))
    return lambda images: tf.add_n([tf.cast(one(images, training=False), tf.float32) for one in asked]) / len(asked)
