"""Lesions of known kind, place and size, painted into a phantom's lungs."""

from dataclasses import dataclass

import cv2
import numpy as np

from lungcnn.phantoms.canvas import CALCIUM, TUMOUR, Canvas, ellipse


@dataclass(frozen=True)
class Lesion:
    """What to draw into a lung: "smooth", "calcified", "spiculated" or "chest-wall".

    Attributes:
        kind: as above. x, y: centre in mm; a chest-wall lesion is moved outwards onto the pleura. diameter: mm.
    """

    kind: str
    x: float
    y: float
    diameter: float

    @property
    def malignant(self) -> bool:
        """Whether it is of a malignant form: spiculated, or grown into the chest wall."""
        return self.kind in ("spiculated", "chest-wall")


def paint_lesion(canvas: Canvas, lesion: Lesion, lungs, cavity, rng) -> np.ndarray:
    """Paint a lesion and return its mask: the body of it, without spicules and rim."""
    radius = lesion.diameter / 2
    x, y = lesion.x, lesion.y
    if lesion.kind == "chest-wall":
        # Outwards from the chest's middle until the centre lies on the pleura.
        direction = np.array([x, y]) / np.hypot(x, y)
        distance = np.hypot(x, y)
        while distance < 200:
            column, row = canvas.points(distance * direction)
            if not lungs[row, column]:
                break
            distance += 0.5
        x, y = (distance - 0.35 * radius) * direction
    wobble = {"smooth": 0.02, "calcified": 0.03, "spiculated": 0.16, "chest-wall": 0.1}[lesion.kind]
    mask = canvas.shape(ellipse(x, y, radius, radius * rng.uniform(0.88, 1.0), rng, wobble, rng.uniform(0, 3)))
    mask &= cavity if lesion.kind == "chest-wall" else lungs
    texture = cv2.resize(rng.normal(0, 9, (128, 128)).astype(np.float32), canvas.hu.shape)
    if lesion.kind == "spiculated":
        spicules = np.zeros(canvas.hu.shape, np.uint8)
        for angle in rng.uniform(0, 2 * np.pi, 14):
            reach = radius * rng.uniform(1.15, 1.75)
            tip = (x + reach * np.cos(angle), y + reach * np.sin(angle))
            start, end = ([int(v) for v in canvas.points(point)] for point in ((x, y), tip))
            cv2.line(spicules, start, end, 1, int(rng.integers(2, 5)))
        rim = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 2.2 * canvas.unit)
        canvas.hu += np.where(lungs & ~mask, 280 * rim, 0).astype(np.float32)
        canvas.paint(spicules.astype(bool) & lungs, TUMOUR - 40)
    canvas.paint(mask, TUMOUR + texture)
    if lesion.kind == "calcified":
        canvas.paint(canvas.shape(ellipse(x, y, 0.55 * radius, 0.5 * radius, rng, 0.1)), CALCIUM)
    return mask
