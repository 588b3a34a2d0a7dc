"""Lesions drawn into lung crops, transplanted between them and erased from them, for training.

In this dataset a patient's own look gives the class away, and so does the scanner's. A lesion drawn or transplanted
into a slice shows the network the same background with and without it, and tells where it lies; a lesion erased
leaves a slice of the same patient and scanner without one.
"""

import cv2
import numpy as np

from lungcnn.windowing import to_unit

_SUPERSAMPLING = 4
_DOME_RADII = (8, 30)  # crop pixels of about 2.5 mm
_SOFT_TISSUE = float(to_unit(35))


def insert_lesion(crop: np.ndarray, lungs: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw one to three lesions into a lung crop.

    Args:
        crop: float32 `[size, size]`, grey 0 to 1 under the dataset's window.
        lungs: bool `[size, size]`, where lesions may be centred.
        rng: source of every choice.

    Returns:
        The new crop and the lesions' opacity, float32 `[size, size]` 0 to 1. Unchanged where there is no lung.
    """
    alpha = np.zeros_like(crop)
    if not lungs.any():
        return crop, alpha
    radius = _radius(rng)
    count = 1 + (rng.random() < 0.2) + (rng.random() < 0.1)
    for _ in range(count):
        alpha = np.maximum(alpha, _lesion(_centre(lungs, radius, rng), radius, crop.shape[0], rng))
        radius = max(1.6, radius * rng.uniform(0.2, 0.7))
    return _paint(crop, lungs, alpha, rng)


def draw_dome(crop: np.ndarray, lungs: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw the dome of a diaphragm into one lung: smooth, and the softer at its edge the flatter it meets the slice.

    The dataset's normal slices stop above the diaphragm; without this, a network takes a dome for a mass.

    Args:
        crop, lungs, rng: as in `insert_lesion`.

    Returns:
        The new crop, and the lungs that are left, bool `[size, size]`. Unchanged where there is no lung.
    """
    size = crop.shape[0]
    ys, xs = np.nonzero(lungs)
    middle = size / 2
    side = xs < middle if rng.random() < 0.5 else xs >= middle
    if side.sum() < 100:
        return crop, lungs
    ys, xs = ys[side], xs[side]
    radius = float(np.exp(rng.uniform(*np.log(_DOME_RADII))))
    centre = np.median(xs) + rng.normal(0, 0.16) * np.ptp(xs), np.median(ys) + rng.normal(-0.06, 0.16) * np.ptp(ys)
    canvas = np.zeros((size * _SUPERSAMPLING,) * 2, np.uint8)
    axes = radius * rng.uniform(0.75, 1.33), radius
    middle_drawn, axes_drawn = ([round(v * _SUPERSAMPLING) for v in pair] for pair in (centre, axes))
    cv2.ellipse(canvas, middle_drawn, axes_drawn, rng.uniform(0, 180), 0, 360, 255, -1)
    alpha: np.ndarray = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    # Partial volume: near its top a dome of 100 mm radius fades over centimetres, further down it has an edge.
    alpha = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.4, 2.0) + max(0.0, (14 - radius) / 4))
    drawn, alpha = _paint(crop, lungs, alpha, rng)
    return drawn, lungs & (alpha < 0.5)


def _paint(crop, lungs, alpha, rng) -> tuple[np.ndarray, np.ndarray]:
    """Soft tissue of this crop's own level where `alpha` says, and the opacity used."""
    # It grows into the chest wall and the mediastinum, not through them.
    alpha = alpha * cv2.blur(cv2.dilate(lungs.astype(np.float32), np.ones((9, 9), np.uint8)), (3, 3))
    tissue = tissue_level(crop) + rng.normal(0, 0.012)
    body = textured(tissue, crop.shape, 0.03, rng)
    # Ribs and calcium stay brighter than the tissue that meets them.
    drawn = crop + alpha * (np.maximum(body.astype(np.float32), crop) - crop)
    return np.clip(drawn, 0, 1), alpha


def erase_lesion(crop: np.ndarray, box) -> np.ndarray:
    """The crop with the other lung's mirror image where a lesion was, faded in over its border.

    A chest is symmetric enough for lung to meet lung and chest wall to meet chest wall.

    Args:
        crop: float32 `[size, size]`. box: x0, y0, x1, y1 around the lesion in pixels of the crop.
    """
    return _blend(crop, crop[:, ::-1], _ellipse(crop.shape[0], box, grow=1.25, margin=2.0, fade=1.5))


def transplant_lesion(crop: np.ndarray, donor: np.ndarray, box, mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
    """A real lesion of another crop at the same place of this one, or at its mirror image.

    Args:
        crop, donor: float32 `[size, size]`. box: x0, y0, x1, y1 around the donor's lesion.

    Returns:
        The new crop, and float32 `[size, size]`, 1 inside the lesion's box and 0 elsewhere.
    """
    size = crop.shape[0]
    if mirrored:
        donor, box = donor[:, ::-1], (size - box[2], box[1], size - box[0], box[3])
    fading = _ellipse(size, box, grow=1.1, margin=1.0, fade=1.2)
    return _blend(crop, donor, fading), boxes_mask([box], size)


def boxes_mask(boxes, size: int) -> np.ndarray:
    """Float32 `[size, size]`: 1 inside the boxes (x0, y0, x1, y1), whole pixels, and 0 elsewhere."""
    mask = np.zeros((size, size), np.float32)
    for x0, y0, x1, y1 in boxes:
        mask[max(0, round(y0)) : round(y1) + 1, max(0, round(x0)) : round(x1) + 1] = 1
    return mask


def _ellipse(size, box, grow, margin, fade) -> np.ndarray:
    """Opacity of an ellipse that covers the box, with a soft border."""
    x0, y0, x1, y1 = box
    ys, xs = np.mgrid[:size, :size] + 0.5
    across = (xs - (x0 + x1) / 2) / ((x1 - x0) / 2 * grow + margin)
    down = (ys - (y0 + y1) / 2) / ((y1 - y0) / 2 * grow + margin)
    return cv2.GaussianBlur((across**2 + down**2 < 1.2).astype(np.float32), (0, 0), fade)


def _blend(crop, other, opacity) -> np.ndarray:
    return (crop * (1 - opacity) + other * opacity).astype(np.float32)


def _radius(rng) -> float:
    """In crop pixels (about 2.5 mm): diameters of 8 to 75 mm, the smaller ones more often."""
    return float(np.exp(rng.uniform(np.log(1.8), np.log(14))))


def _centre(lungs, radius, rng) -> tuple[float, float]:
    """Anywhere in the lungs; half of the time close to their edge, as tumours at pleura and hilum are."""
    depth = cv2.distanceTransform(lungs.astype(np.uint8), cv2.DIST_L2, 3)
    near = lungs & (depth <= max(2.0, 0.6 * radius)) if rng.random() < 0.5 else lungs
    ys, xs = np.nonzero(near if near.any() else lungs)
    pick = rng.integers(len(ys))
    return xs[pick] + rng.uniform(), ys[pick] + rng.uniform()


def tissue_level(crop) -> float:
    """Grey of soft tissue on this crop, so that a lesion shares its calibration and contrast."""
    values = crop[(crop > _SOFT_TISSUE - 0.08) & (crop < _SOFT_TISSUE + 0.08)]
    return float(np.median(values)) if values.size > 50 else _SOFT_TISSUE


def textured(level: float, shape: tuple[int, ...], strongest: float, rng) -> np.ndarray:
    """Tissue of a grey level with a fine grain, float32 `[*shape]`: its deviation is 0.005 to `strongest`."""
    grain = cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), rng.uniform(0.6, 1.6))
    return level + grain * (rng.uniform(0.005, strongest) / max(float(grain.std()), 1e-6))


def _lesion(centre, radius, size, rng) -> np.ndarray:
    """Opacity of one lesion: lobes with an irregular outline, often spicules, sometimes a cavity or a halo."""
    scale = _SUPERSAMPLING
    canvas = np.zeros((size * scale, size * scale), np.uint8)
    x, y = centre
    for _ in range(1 + rng.integers(3)):
        offset = rng.normal(0, 0.35 * radius, 2)
        outline = _outline((x + offset[0], y + offset[1]), radius * rng.uniform(0.7, 1.0), rng)
        cv2.fillPoly(canvas, [np.round(outline * scale).astype(np.int32)], 255)
    if rng.random() < 0.5:
        _spicules(canvas, (x, y), radius, rng)
    if radius > 5 and rng.random() < 0.12:
        cavity = _outline((x, y), radius * rng.uniform(0.25, 0.5), rng)
        cv2.fillPoly(canvas, [np.round(cavity * scale).astype(np.int32)], 0)
    alpha: np.ndarray = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    alpha = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.3, 0.8))  # point spread and slice thickness
    if rng.random() < 0.2:
        halo = cv2.GaussianBlur(alpha, (0, 0), 0.5 * radius + 0.5)
        alpha = np.maximum(alpha, rng.uniform(0.2, 0.6) * halo)
    if rng.random() < 0.12:
        alpha *= rng.uniform(0.4, 0.8)  # part-solid
    return alpha


def _outline(centre, radius, rng) -> np.ndarray:
    """A closed, irregular curve `[points, 2]` around `centre`."""
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    shape = np.ones_like(angles)
    for order in range(2, 8):
        shape += rng.normal(0, 0.28 / order) * np.cos(order * angles + rng.uniform(0, 2 * np.pi))
    stretch, turn = rng.uniform(0.65, 1.0), rng.uniform(0, np.pi)
    xs, ys = radius * shape * np.cos(angles), radius * shape * stretch * np.sin(angles)
    return np.stack(
        [
            centre[0] + xs * np.cos(turn) - ys * np.sin(turn),
            centre[1] + xs * np.sin(turn) + ys * np.cos(turn),
        ],
        axis=1,
    )


def _spicules(canvas, centre, radius, rng) -> None:
    scale = _SUPERSAMPLING
    for _ in range(rng.integers(4, 14)):
        angle = rng.uniform(0, 2 * np.pi)
        reach = radius * rng.uniform(1.1, 1.9)
        ends = [(centre[0] + r * np.cos(angle), centre[1] + r * np.sin(angle)) for r in (0.5 * radius, reach)]
        start, end = (tuple(round(v * scale) for v in point) for point in ends)
        cv2.line(canvas, start, end, 255, thickness=int(rng.integers(1, 4)), lineType=cv2.LINE_AA)
