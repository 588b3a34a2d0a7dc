"""Disease that is no tumour, drawn into lung crops: pneumonia, fluid, scars.

The dataset knows normal, benign and malignant cases only, so to a network trained on it whatever is bright in a lung
speaks for a tumour. Slices with these changes may be called anything but malignant; where an inflammation is plain
to see, benign is what they show.
"""

from collections.abc import Callable

import cv2
import numpy as np

from lungcnn.training.lesions import textured, tissue_level

# Grey levels by which a pixel has to change to be seen to.
_SEEN = 0.12


def draw_disease(
    crop: np.ndarray, lungs: np.ndarray, rng: np.random.Generator, pneumonia: bool = False
) -> tuple[np.ndarray, float]:
    """One or two kinds of diffuse change in the lungs.

    Args:
        crop: float32 `[size, size]`, grey 0 to 1, upright. lungs: bool of the same shape. rng: source of every choice.
        pneumonia: draw it with ragged edges, too, in its own ground glass.

    Returns:
        The new crop, float32, and the share of the lungs that an inflammation is seen to have changed. Unchanged, and
        0, where there is no lung.
    """
    if not lungs.any():
        return crop, 0.0
    inflamed = np.zeros_like(lungs)
    kinds = _WITH_PNEUMONIA if pneumonia else _KINDS
    weights = np.array(list(kinds.values()))
    chosen = rng.choice(len(kinds), 1 + int(rng.random() < 0.5), replace=False, p=weights / weights.sum())
    for kind in (list(kinds)[number] for number in chosen):
        opacity = kind(crop, lungs, rng).astype(np.float32)
        tissue = tissue_level(crop) - abs(rng.normal(0, 0.02))
        level = textured(tissue, crop.shape, 0.04, rng)
        added = opacity * np.maximum(level - crop, 0)
        crop = crop + added
        if kind in _INFLAMMATIONS:
            inflamed |= added > _SEEN
    return np.clip(crop, 0, 1, dtype=np.float32), float(inflamed[lungs].mean())


def _field(shape: tuple[int, ...], scale: float, rng) -> np.ndarray:
    """A smooth random field of mean 0 and deviation 1, its blobs about `scale` pixels in size."""
    field = cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), scale)
    return (field - field.mean()) / max(float(field.std()), 1e-6)


def _ragged(shape: tuple[int, ...], scale: float, rng) -> np.ndarray:
    """As `_field`, of blobs of half that size on them, a quarter, and so on: edges as ragged as inflamed lobules."""
    octaves = [_field(shape, max(0.6, scale / 2**octave), rng) * rng.uniform(0.4, 0.7) ** octave for octave in range(4)]
    field = np.sum(octaves, axis=0)
    return field / max(float(field.std()), 1e-6)


def _step(values: np.ndarray) -> np.ndarray:
    """0 well below 0, 1 well above, and between them soft."""
    return 1 / (1 + np.exp(-values))


def _softly(lungs: np.ndarray) -> np.ndarray:
    """The lungs as opacity, float32, faded over their border."""
    return cv2.blur(lungs.astype(np.float32), (3, 3))


def _blob(rng) -> float:
    """Size of the patches: from the nodules of a bronchopneumonia to half a lobe."""
    return float(np.exp(rng.uniform(np.log(1.6), np.log(10))))


def _where(crop, lungs, rng) -> np.ndarray:
    """Where in the lungs it prefers to be: towards the back, the pleura, one side, or anywhere; about 0 to 1."""
    ys, xs = np.mgrid[: crop.shape[0], : crop.shape[1]] / crop.shape[0]
    depth = cv2.distanceTransform(lungs.astype(np.uint8), cv2.DIST_L2, 3)
    side = xs if rng.random() < 0.5 else 1 - xs
    return [ys, 1 - np.clip(depth / 12, 0, 1), np.clip(3 * (side - 0.4), 0, 1), np.ones_like(ys)][rng.integers(4)]


def _ground_glass(crop, lungs, rng) -> np.ndarray:
    field = _field(crop.shape, _blob(rng), rng) + rng.uniform(0.5, 3) * (_where(crop, lungs, rng) - 0.6)
    patches = _step((field - rng.uniform(0.2, 1.2)) * rng.uniform(2, 8))
    return rng.uniform(0.12, 0.55) * patches * _softly(lungs)


def _consolidation(crop, lungs, rng) -> np.ndarray:
    """Airless lung in patches of all sizes, with open bronchi in it."""
    field = _field(crop.shape, _blob(rng), rng) + rng.uniform(1.5, 4) * (_where(crop, lungs, rng) - 0.7)
    patches = _step((field - rng.uniform(0.6, 1.6)) * rng.uniform(2, 6))
    bronchi = np.abs(_field(crop.shape, rng.uniform(1.5, 3), rng)) < rng.uniform(0.05, 0.2)
    patches = patches * (1 - 0.6 * cv2.GaussianBlur(bronchi.astype(np.float32), (0, 0), 0.6))
    return rng.uniform(0.6, 1.0) * patches * _softly(lungs)


def _pneumonia(crop, lungs, rng) -> np.ndarray:
    """Airless lobules with ragged edges that run together, in ground glass; at the back or the pleura as a rule."""
    field = _ragged(crop.shape, np.exp(rng.uniform(np.log(3), np.log(12))), rng)
    field += rng.uniform(2, 6) * (_where(crop, lungs, rng) - 0.7)
    core = rng.uniform(0.6, 2.2)
    airless = _step((field - core) * rng.uniform(2, 8))
    halo = _step((field - core + rng.uniform(0.2, 1.2)) * rng.uniform(1.5, 5))
    return np.maximum(rng.uniform(0.7, 1.0) * airless, rng.uniform(0.1, 0.5) * halo) * _softly(lungs)


def _fluid(crop, lungs, rng) -> np.ndarray:
    """An effusion: it lies at the back, of one side or both, and rises along the chest wall."""
    middle, opacity = crop.shape[1] // 2, np.zeros_like(crop)
    for side in (slice(None, middle), slice(middle, None)) if rng.random() < 0.4 else (_side(middle, rng),):
        ys, xs = np.nonzero(lungs[:, side])
        if not len(ys):
            continue
        level = np.quantile(ys, 1 - rng.uniform(0.03, 0.4))
        across = np.arange(lungs[:, side].shape[1])
        rim = rng.uniform(0.0, 0.5) * np.abs(across - xs.mean()) ** 1.3
        rows = np.arange(len(crop))[:, None]
        opacity[:, side] = _step((rows - (level - rim + 4)[None]) * rng.uniform(0.8, 2.5))
    return opacity * cv2.dilate(lungs.astype(np.float32), np.ones((3, 3), np.uint8))


def _side(middle: int, rng) -> slice:
    return slice(None, middle) if rng.random() < 0.5 else slice(middle, None)


def _bands(crop, lungs, rng) -> np.ndarray:
    """Scars and plates of collapse: straight or bent lines that start at the pleura."""
    edge = lungs & (cv2.erode(lungs.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0)
    ys, xs = np.nonzero(edge if edge.any() else lungs)
    canvas = np.zeros(crop.shape, np.uint8)
    for _ in range(rng.integers(1, 5)):
        pick, angle, length = rng.integers(len(ys)), rng.uniform(0, np.pi), rng.uniform(8, 30)
        steps = np.linspace(-0.5, 0.5, 12)
        bent = angle + rng.normal(0, 0.5) * steps
        points = np.stack([xs[pick] + length * steps * np.cos(bent), ys[pick] + length * steps * np.sin(bent)], axis=1)
        scaled = np.round(points * 16).astype(np.int32)
        cv2.polylines(canvas, [scaled], False, 255, int(rng.integers(1, 3)), cv2.LINE_AA, shift=4)
    lines = cv2.GaussianBlur(canvas.astype(np.float32) / 255, (0, 0), rng.uniform(0.3, 0.9))
    return rng.uniform(0.5, 1.0) * lines * lungs


def _reticulation(crop, lungs, rng) -> np.ndarray:
    """A net of fine lines under the pleura."""
    net = np.abs(_field(crop.shape, rng.uniform(0.8, 1.6), rng)) < rng.uniform(0.15, 0.4)
    depth = cv2.distanceTransform(lungs.astype(np.uint8), cv2.DIST_L2, 3)
    rim = np.exp(-depth / rng.uniform(3, 10)) * (_field(crop.shape, 10, rng) > rng.uniform(-1, 0.5))
    return rng.uniform(0.2, 0.6) * cv2.GaussianBlur(net.astype(np.float32), (0, 0), 0.6) * rim * lungs


# How often each is drawn, beside the others.
_KINDS: dict[Callable, float] = {
    _ground_glass: 0.35,
    _consolidation: 0.25,
    _fluid: 0.15,
    _bands: 0.15,
    _reticulation: 0.1,
}
_WITH_PNEUMONIA: dict[Callable, float] = {
    _pneumonia: 0.3,
    _ground_glass: 0.2,
    _consolidation: 0.15,
    _fluid: 0.15,
    _bands: 0.12,
    _reticulation: 0.08,
}
_INFLAMMATIONS = {_pneumonia, _ground_glass, _consolidation, _reticulation}
