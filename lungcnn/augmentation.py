"""Random variations of lung crops in tf.data: the same slice as other scanners and positions might show it."""

from dataclasses import dataclass

from lungcnn.anatomy import AIR_HU
from lungcnn.windowing import to_unit


@dataclass(frozen=True)
class Augmentation:
    """How far each variation goes; every range is symmetric around no change.

    Attributes:
        flip: chance of a left-right flip.
        rotation: degrees. shift: share of the crop's side. zoom, contrast, brightness: shares.
        noise: largest standard deviation of noise in grey levels 0 to 1; half of the crops get none.
    """

    flip: float = 0.5
    rotation: float = 12.0
    shift: float = 0.06
    zoom: float = 0.12
    contrast: float = 0.15
    brightness: float = 0.05
    noise: float = 0.0


def augment(crops, masks, seed, how: Augmentation):
    """Vary a batch of crops, and move the lesion masks with them.

    Args:
        crops: float32 tensor `[n, size, size, 1]`, grey 0 to 1. masks: float32 tensor of the same shape.
        seed: int32 tensor `[2]`; the same seed gives the same variations.

    Returns:
        The varied crops (clipped to 0 to 1) and masks.
    """
    import tensorflow as tf

    count = tf.shape(crops)[0]
    air = float(to_unit(AIR_HU))
    seeds = tf.unstack(tf.random.split(seed, 8))

    def uniform(index, low, high, shape=()):
        return tf.random.stateless_uniform([count, *shape], seeds[index], low, high)

    matrix = _affine(
        flip=tf.where(uniform(0, 0.0, 1.0) < how.flip, -1.0, 1.0),
        angle=uniform(1, -how.rotation, how.rotation) * (3.14159265 / 180),
        zoom=uniform(2, 1 - how.zoom, 1 + how.zoom),
        shift=uniform(3, -how.shift, how.shift, (2,)) * float(crops.shape[1]),
        centre=(crops.shape[1] - 1) / 2,
    )
    # Beyond the border there is air around the body, and no lesion: zero in both after the shift by air.
    warped = _warp(tf.concat([crops - air, masks], axis=-1), matrix)
    crops, masks = warped[..., :1] + air, warped[..., 1:]

    def per_image(index, low, high):
        return uniform(index, low, high)[:, None, None, None]

    mean = tf.reduce_mean(crops, axis=(1, 2, 3), keepdims=True)
    crops = mean + (crops - mean) * (1 + per_image(4, -how.contrast, how.contrast))
    crops += per_image(5, -how.brightness, how.brightness)
    if how.noise:
        strength = tf.maximum(per_image(6, -how.noise, how.noise), 0.0)
        crops += strength * tf.random.stateless_normal(tf.shape(crops), seeds[7])
    return tf.clip_by_value(crops, 0.0, 1.0), masks


def _affine(flip, angle, zoom, shift, centre):
    """Rows of `ImageProjectiveTransformV3`: where each output pixel is taken from, about the crop's centre."""
    import tensorflow as tf

    cos, sin = tf.cos(angle) / zoom, tf.sin(angle) / zoom
    a, b, c, d = cos * flip, -sin * flip, sin, cos
    x, y = shift[:, 0], shift[:, 1]
    zero = tf.zeros_like(angle)
    return tf.stack(
        [
            a,
            b,
            centre - a * (centre + x) - b * (centre + y),
            c,
            d,
            centre - c * (centre + x) - d * (centre + y),
            zero,
            zero,
        ],
        axis=1,
    )


def _warp(images, matrix):
    import tensorflow as tf

    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=matrix,
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
