"""Random variations of lung crops: the same slice as other positions, sizes and exposures might show it."""

from dataclasses import dataclass

import cv2
import numpy as np

from lungcnn.windowing import AIR_HU, to_unit


@dataclass(frozen=True)
class Augmentation:
    """How far each variation goes; every range is symmetric around no change.

    Attributes:
        flip: chance of a left-right flip.
        rotation: degrees. shift: share of the crop's side. zoom, contrast, brightness: shares.
        noise: largest standard deviation of noise in grey levels 0 to 1; half of the crops get none.
        restyle: chance that a crop looks as if another kernel, dose or display had made it.
    """

    flip: float = 0.5
    rotation: float = 12.0
    shift: float = 0.06
    zoom: float = 0.12
    contrast: float = 0.15
    brightness: float = 0.05
    noise: float = 0.0
    restyle: float = 0.3


def augment(
    crop: np.ndarray, mask: np.ndarray, how: Augmentation, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Vary a crop, and move its lesions' mask with it.

    Args:
        crop: float32 `[size, size]`, grey 0 to 1. mask: float32 of the same shape. rng: source of every choice.

    Returns:
        The varied crop (clipped to 0 to 1) and mask. Beyond the old border there is air, and no lesion.
    """
    if rng.random() < how.restyle:
        crop = _restyled(crop, rng)
    matrix = _affine(crop.shape[0], how, rng)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    air = float(to_unit(AIR_HU))
    varied = cv2.warpAffine(crop, matrix, crop.shape[::-1], flags=flags, borderValue=air)
    if mask.any():
        mask = cv2.warpAffine(mask, matrix, mask.shape[::-1], flags=flags, borderValue=0)
    mean = varied.mean()
    varied = mean + (varied - mean) * (1 + rng.uniform(-how.contrast, how.contrast))
    varied += rng.uniform(-how.brightness, how.brightness)
    strength = rng.uniform(-how.noise, how.noise)
    if strength > 0:
        varied += strength * rng.standard_normal(crop.shape, np.float32)
    return np.clip(varied, 0, 1, dtype=np.float32), mask


def _restyled(crop: np.ndarray, rng) -> np.ndarray:
    """Softer, noisier, sharper, or under another gamma."""
    kind = rng.random()
    if kind < 0.35:
        return cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.3, 1.0))
    if kind < 0.7:
        noise = cv2.GaussianBlur(rng.standard_normal(crop.shape, np.float32), (0, 0), rng.uniform(0.3, 0.9))
        return crop + noise * np.float32(rng.uniform(0.005, 0.05))
    if kind < 0.85:
        return crop + (crop - cv2.GaussianBlur(crop, (0, 0), 1.0)) * np.float32(rng.uniform(0.3, 1.2))
    return np.clip(crop, 0, 1) ** np.float32(rng.uniform(0.85, 1.18))


def _affine(size: int, how: Augmentation, rng) -> np.ndarray:
    """Where each pixel of the varied crop is taken from, about the crop's centre: float64 `[2, 3]`."""
    flip = -1.0 if rng.random() < how.flip else 1.0
    angle = np.deg2rad(rng.uniform(-how.rotation, how.rotation))
    zoom = 1 + rng.uniform(-how.zoom, how.zoom)
    shift = rng.uniform(-how.shift, how.shift, 2) * size
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    turn = np.array([[cos * flip, -sin * flip], [sin, cos]])
    centre = np.full(2, (size - 1) / 2)  # pixel index of the middle, as OpenCV counts
    return np.hstack([turn, (centre - turn @ (centre + shift))[:, None]])
