"""Drawing an axial abdomen in HU with the brushes of the thorax: what the gate must refuse, for visitors to see."""

from dataclasses import replace

import numpy as np

from lungcnn.phantoms.canvas import BLOOD, FAT, LIVER, MUSCLE, Drawing, ellipse, scanned, shrunk
from lungcnn.phantoms.levels import Level
from lungcnn.phantoms.thorax import draw_airways, draw_spine, draw_trunk

SPLEEN, KIDNEY, STOMACH, PANCREAS = 50, 34, 18, 42
# At the upper poles of the kidneys: liver, stomach with an air bubble, spleen, kidneys, aorta and vena cava, bowel.
ABDOMEN = Level(
    body=(156, 110),
    wall=(15, 11),
    cavity=(127, 92, 2),
    mediastinum=(0, 0, 0),
    organs=(
        (LIVER, -62, -18, 60, 58),
        (LIVER, -8, -44, 44, 26),
        (STOMACH, 58, -36, 42, 28),
        (SPLEEN, 92, 22, 24, 38),
        (KIDNEY, -58, 52, 25, 22),
        (KIDNEY, 58, 54, 25, 22),
        (PANCREAS, 24, 4, 38, 9),
        (BLOOD, 10, 30, 11, 11),
        (BLOOD, -20, 26, 12, 9),
        (MUSCLE, 62, 8, 20, 13),
        (MUSCLE, -30, 66, 14, 13),
        (MUSCLE, 30, 66, 14, 13),
    ),
    airways=((52, -52, 19, 8), (64, 6, 9, 5), (98, -24, 8, 6)),
    hila=(0, 0),
)


def draw_abdomen(rng: np.random.Generator, size: float = 1.0, gas: float = 1.0) -> Drawing:
    """Draw one slice without lungs.

    Args:
        rng: source of every choice. size: scale of the body. gas: scale of the air in stomach and bowel, 1 a little.
    """
    level = ABDOMEN
    canvas, body, cavity = draw_trunk(level, rng, size)
    inside = shrunk(cavity, 3 * canvas.unit)
    for hu, x, y, half_width, half_depth in level.organs:
        organ = ellipse(x, y, half_width, half_depth, rng, 0.05, rng.normal(0, 0.1))
        canvas.paint(canvas.shape(organ) & inside, hu)
    for _ in range(int(rng.integers(6, 12))):  # bowel in front
        x, y = rng.uniform(-70, 90), rng.uniform(-66, -30) + 40
        loop = ellipse(x, y, rng.uniform(7, 13), rng.uniform(7, 13), rng, 0.1)
        canvas.paint(canvas.shape(loop) & inside & (canvas.hu == FAT), STOMACH)
    for side in (-1, 1):
        for angle in np.linspace(-0.6, 1.1, 4) + rng.normal(0, 0.06, 4):
            x, y = side * (level.cavity[0] + 5) * np.cos(angle), (level.cavity[1] + 5) * np.sin(angle)
            canvas.bone(ellipse(x, y, rng.uniform(8, 15), 4, rng, 0.06, np.pi / 2 + side * (angle - np.pi / 2)), 1.3)
    draw_spine(canvas, level)
    bubbles = tuple((x, y, gas * width, gas * depth) for x, y, width, depth in level.airways)
    draw_airways(canvas, replace(level, airways=bubbles))
    nothing = np.zeros_like(body)
    return scanned(canvas, body, nothing, nothing, rng)
