"""A canvas in HU at twice a slice's resolution, with brushes in mm, and what the scanner makes of it.

Averaging down gives partial volume at every edge. Positions are in mm from the image's centre: `x` to the right of the
image (the patient's left), `y` to the back.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from lungcnn.windowing import AIR_HU

SIZE = 512
SPACING = 0.7
SCALE = 2
# Hounsfield units of tissues, unenhanced.
LUNG, FAT, MUSCLE, BLOOD, LIVER = -850, -100, 55, 42, 58
SKIN, CORTEX, MARROW, TUMOUR, CALCIUM, COUCH, FOAM = 25, 750, 190, 38, 420, 120, -930
NOISE = 18.0


@dataclass(frozen=True, eq=False)
class Drawing:
    """A drawn slice: `hu` float32 `[512, 512]` and bool masks of the same shape."""

    hu: np.ndarray
    body: np.ndarray
    lungs: np.ndarray
    lesion: np.ndarray


class Canvas:
    """HU at twice the slice's resolution, with brushes in mm."""

    def __init__(self):
        self.side = SIZE * SCALE
        self.unit = SCALE / SPACING
        self.hu = np.full((self.side, self.side), AIR_HU, np.float32)
        axis = (np.arange(self.side, dtype=np.float32) + 0.5 - self.side / 2) / self.unit
        self.x, self.y = axis[None, :], axis[:, None]

    def points(self, xy) -> np.ndarray:
        """mm `[n, 2]` to canvas pixels, int32."""
        return np.round(np.asarray(xy) * self.unit + self.side / 2).astype(np.int32)

    def shape(self, xy) -> np.ndarray:
        """Bool mask of a closed outline in mm."""
        mask = np.zeros(self.hu.shape, np.uint8)
        cv2.fillPoly(mask, [self.points(xy)], 1)
        return mask.astype(bool)

    def paint(self, mask, hu) -> None:
        self.hu[mask] = hu if np.isscalar(hu) else hu[mask]

    def bone(self, xy, thickness: float = 1.6) -> None:
        """An outline in mm as bone: a cortex of that thickness around marrow."""
        mask = self.shape(xy)
        self.paint(mask, CORTEX)
        self.paint(shrunk(mask, thickness * self.unit), MARROW)

    def down(self, image) -> np.ndarray:
        return cv2.resize(np.asarray(image, np.float32), (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def ellipse(x, y, half_width, half_depth, rng=None, wobble=0.0, turn=0.0, power=2.0) -> np.ndarray:
    """A closed outline `[n, 2]` in mm: a superellipse, made uneven by low harmonics where `wobble` is positive."""
    angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    radius = np.ones_like(angle)
    for order in range(2, 7):
        if wobble:
            radius += rng.normal(0, wobble / order) * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    cos, sin = np.cos(angle), np.sin(angle)
    xs = half_width * radius * np.sign(cos) * np.abs(cos) ** (2 / power)
    ys = half_depth * radius * np.sign(sin) * np.abs(sin) ** (2 / power)
    return np.stack([x + xs * np.cos(turn) - ys * np.sin(turn), y + xs * np.sin(turn) + ys * np.cos(turn)], axis=1)


def shrunk(mask: np.ndarray, pixels: float) -> np.ndarray:
    return cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3) > pixels


def scanned(canvas: Canvas, body, lungs, lesion, rng) -> Drawing:
    """The canvas as a scanner shows it, at the slice's resolution with blur and noise, and the masks beside it."""
    hu = cv2.GaussianBlur(canvas.down(canvas.hu), (0, 0), 0.6)
    body, lungs, lesion = (canvas.down(mask) > 0.5 for mask in (body, lungs, lesion))
    hu += _noise(body, rng)
    return Drawing(np.maximum(np.round(hu), -1024).astype(np.float32), body, lungs, lesion)


def _noise(body: np.ndarray, rng) -> np.ndarray:
    """CT noise: white noise filtered to the spectrum of filtered back projection, a ramp under a smooth roll-off
    (Riederer 1978); stronger in the middle of the body, weaker in the air around it."""
    f = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None, :])
    spectrum = f * np.exp(-((f / 0.22) ** 2))
    noise = np.fft.irfft2(np.fft.rfft2(rng.normal(0, 1, (SIZE, SIZE))) * spectrum, (SIZE, SIZE))
    noise *= NOISE / noise.std()
    depth = cv2.GaussianBlur(body.astype(np.float32), (0, 0), 45)
    return (noise * (0.45 + 0.65 * depth)).astype(np.float32)
