"""Random variations of lung crops in tf.data: the same slice as other scanners and positions might show it."""

from dataclasses import dataclass

from lungcnn.anatomy import AIR_HU
from lungcnn.windowing import to_unit


@dataclass(frozen=True)
class Augmentation:
    """How far each variation goes; every range is symmetric around no change.

    Attributes:
        flip: chance of a left-right flip.
        rotation: degrees. shift: share of the crop's side. zoom, contrast, brightness, gamma: shares.
        blur: largest share of a strong blur mixed in; a third as much sharpening is drawn as well.
        noise: largest standard deviation of noise in grey levels 0 to 1; half of the crops get none.
    """

    flip: float = 0.5
    rotation: float = 12.0
    shift: float = 0.06
    zoom: float = 0.12
    contrast: float = 0.15
    brightness: float = 0.05
    gamma: float = 0.0
    blur: float = 0.0
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
    seeds = tf.unstack(tf.random.split(seed, 10))

    def uniform(index, low, high, shape=()):
        return tf.random.stateless_uniform([count, *shape], seeds[index], low, high)

    matrix = _affine(
        flip=tf.where(uniform(0, 0.0, 1.0) < how.flip, -1.0, 1.0),
        angle=uniform(1, -how.rotation, how.rotation) * (3.14159265 / 180),
        zoom=uniform(2, 1 - how.zoom, 1 + how.zoom),
        shift=uniform(3, -how.shift, how.shift, (2,)) * float(crops.shape[1]),
        centre=(crops.shape[1] - 1) / 2,
    )
    crops = _warp(crops, matrix, air)
    masks = _warp(masks, matrix, 0.0)

    def per_image(index, reach):
        return uniform(index, -reach, reach)[:, None, None, None]

    if how.blur:
        mix = uniform(4, -how.blur / 3, how.blur)[:, None, None, None]
        crops = crops + mix * (_smooth(crops) - crops)
    if how.gamma:
        crops = tf.pow(tf.clip_by_value(crops, 1e-4, 1.0), tf.exp(per_image(5, how.gamma)))
    mean = tf.reduce_mean(crops, axis=(1, 2, 3), keepdims=True)
    crops = mean + (crops - mean) * (1 + per_image(6, how.contrast)) + per_image(7, how.brightness)
    if how.noise:
        strength = tf.maximum(uniform(8, -how.noise, how.noise), 0.0)[:, None, None, None]
        crops += strength * tf.random.stateless_normal(tf.shape(crops), seeds[9])
    return tf.clip_by_value(crops, 0.0, 1.0), masks


def _smooth(crops):
    """A Gaussian of 1.2 pixels (3 mm): what is left of a sharp, noisy slice looks like a soft kernel's."""
    import tensorflow as tf

    taps = tf.exp(-(tf.range(-3.0, 4.0) ** 2) / (2 * 1.2**2))
    taps /= tf.reduce_sum(taps)
    padded = tf.pad(crops, [[0, 0], [3, 3], [3, 3], [0, 0]], "REFLECT")
    rows = tf.nn.conv2d(padded, taps[:, None, None, None], 1, "VALID")
    return tf.nn.conv2d(rows, taps[None, :, None, None], 1, "VALID")


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


def _warp(images, matrix, fill: float):
    import tensorflow as tf

    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=matrix,
        output_shape=tf.shape(images)[1:3],
        fill_value=fill,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
