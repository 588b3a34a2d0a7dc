"""Drawing an axial thorax in HU: outline, bones, mediastinum, lungs with vessels and airways, lesion, couch, noise.

Everything is painted on a canvas of twice the slice's resolution and averaged down, which gives partial volume at
every edge. Positions are in mm from the image's centre: `x` to the right of the image (the patient's left), `y` to
the back.
"""

import cv2
import numpy as np

from lungcnn.masks import disc
from lungcnn.phantoms.canvas import (
    BLOOD,
    COUCH,
    FAT,
    FOAM,
    LUNG,
    MUSCLE,
    SKIN,
    Canvas,
    Drawing,
    ellipse,
    scanned,
    shrunk,
)
from lungcnn.phantoms.lesion import Lesion, paint_lesion
from lungcnn.phantoms.levels import Level
from lungcnn.windowing import AIR_HU


def draw_thorax(level: Level, lesion: Lesion | None, rng: np.random.Generator, size: float = 1.0) -> Drawing:
    """Draw one slice.

    Args:
        level: one of `LEVELS`. lesion: what to draw into a lung, or None. rng: source of every choice.
        size: scale of the body.
    """
    canvas, body, cavity = draw_trunk(level, rng, size)
    lungs = _mediastinum(canvas, level, cavity, rng)
    _ribs(canvas, level, rng)
    draw_spine(canvas, level)
    _parenchyma(canvas, lungs, rng)
    _vessels(canvas, level, lungs, rng)
    draw_airways(canvas, level)
    lesion_mask = np.zeros_like(lungs)
    if lesion:
        lesion_mask = paint_lesion(canvas, lesion, lungs, cavity, rng)
    return scanned(canvas, body, lungs | lesion_mask & cavity, lesion_mask, rng)


def draw_trunk(level: Level, rng, size: float) -> tuple[Canvas, np.ndarray, np.ndarray]:
    """Couch, wall and a cavity full of fat, the body scaled by `size`: the canvas, the body's mask, the cavity's."""
    canvas = Canvas()
    canvas.unit *= size
    canvas.x, canvas.y = canvas.x / size, canvas.y / size
    _couch(canvas, level)
    body = _wall(canvas, level, rng)
    cavity = canvas.shape(ellipse(0, level.cavity[2] - 4, *level.cavity[:2], rng, 0.02, power=2.1))
    canvas.paint(cavity, FAT)
    return canvas, body, cavity


def _couch(canvas: Canvas, level: Level) -> None:
    bottom = level.body[1] + 7
    depth = canvas.y - bottom + 0.0011 * canvas.x**2
    inside = np.abs(canvas.x) < 205
    canvas.paint((depth > 0) & (depth < 26) & inside, FOAM)
    for top in (0, 24):
        canvas.paint((depth > top) & (depth < top + 2) & inside, COUCH)


def _wall(canvas: Canvas, level: Level, rng) -> np.ndarray:
    """Skin, fat, muscle with fat planes, scapulae and clavicles; returns the body mask."""
    outline = ellipse(0, 0, *level.body, rng, 0.018, power=2.25)
    body = canvas.shape(outline)
    canvas.paint(body, SKIN)
    canvas.paint(shrunk(body, 1.8 * canvas.unit), FAT)
    fat, muscle = level.wall
    canvas.paint(shrunk(body, (2 + fat) * canvas.unit), MUSCLE)
    for side in (-1, 1):
        for _ in range(5):  # fat planes between the muscles, along the wall
            angle = rng.uniform(-1.2, 1.2)
            reach = rng.uniform(0.35, 0.9)
            x = side * (level.body[0] - 2 - fat - reach * muscle) * np.cos(angle)
            y = (level.body[1] - 2 - fat - reach * muscle) * np.sin(angle)
            turn = np.arctan2(np.cos(angle) * level.body[1], -side * np.sin(angle) * level.body[0])
            plane = canvas.shape(ellipse(x, y, rng.uniform(12, 26), rng.uniform(0.8, 1.8), rng, 0.1, turn))
            canvas.paint(plane & shrunk(body, (3 + fat) * canvas.unit), FAT)
        if level.shoulders > 0.2:
            x = side * (level.cavity[0] + 0.4 * (level.body[0] - level.cavity[0]))
            blade = ellipse(x, 0.42 * level.body[1], 9 + 26 * level.shoulders, 3.6, rng, 0.12, side * -0.75)
            canvas.bone(blade, 1.2)
        if level.shoulders > 0.9:
            canvas.bone(ellipse(side * 44, -58, 23, 6, rng, 0.08, side * 0.35), 1.5)
            canvas.bone(ellipse(side * 138, 6, 17, 17, rng, 0.05), 1.8)
    return body


def _mediastinum(canvas: Canvas, level: Level, cavity, rng) -> np.ndarray:
    """Vessels and organs in fat between the lungs; returns the lungs' mask."""
    front, middle, back = level.mediastinum
    top, bottom = -level.cavity[1], level.cavity[1]
    column = np.array(
        [
            (-front, top), (-front * 0.35, top * 0.75), (-front * 0.6, top * 0.5), (-middle, -14), (-middle * 0.85, 12),
            (-back * 0.9, bottom * 0.4), (-back, bottom * 0.62), (-back * 1.9, bottom), (back * 1.9, bottom),
            (back, bottom * 0.62), (back * 0.9, bottom * 0.4), (middle * 0.85, 12), (middle, -14),
            (front * 0.6, top * 0.5), (front * 0.35, top * 0.75), (front, top),
        ]
    )  # fmt: skip
    between = canvas.shape(column)
    organs = np.zeros_like(between)
    for hu, x, y, half_width, half_depth in level.organs:
        organ = canvas.shape(ellipse(x, y, half_width, half_depth, rng, 0.05, rng.normal(0, 0.08))) & cavity
        canvas.paint(organ, hu)
        organs |= organ
    solid = cv2.dilate((organs | between).astype(np.uint8), _disc(1.6 * canvas.unit)).astype(bool)
    lungs = shrunk(cavity & ~solid, 1.5 * canvas.unit)
    # Rounding: a lung has no sharp corners, and no slivers.
    return cv2.morphologyEx(lungs.astype(np.uint8), cv2.MORPH_OPEN, _disc(8 * canvas.unit)).astype(bool)


def _ribs(canvas: Canvas, level: Level, rng) -> None:
    half_width, half_depth, forward = level.cavity
    for side in (-1, 1):
        for angle in np.linspace(-1.15, 1.2, 6) + rng.normal(0, 0.05, 6):
            x, y = side * (half_width + 6) * np.cos(angle), (half_depth + 6) * np.sin(angle) + forward - 4
            turn = np.arctan2((half_depth + 6) * np.cos(angle), -side * (half_width + 6) * np.sin(angle))
            canvas.bone(ellipse(x, y, rng.uniform(9, 17), rng.uniform(3.4, 4.6), rng, 0.06, turn), 1.3)
    canvas.bone(ellipse(0, -half_depth + forward - 11, 20, 5.5, rng, 0.05, power=3), 1.2)  # sternum


def draw_spine(canvas: Canvas, level: Level) -> None:
    y = level.cavity[1] * 0.62
    for side in (-1, 1):
        canvas.bone(ellipse(side * 21, y + 21, 14, 4.5, turn=side * -0.25), 1.3)  # transverse processes
        canvas.bone(ellipse(side * 9, y + 25, 11, 4, turn=side * 0.6), 1.3)  # laminae
    canvas.bone(ellipse(0, y + 38, 4, 14), 1.3)  # spinous process
    canvas.bone(ellipse(0, y, 17, 14, power=2.4), 1.6)
    canvas.paint(canvas.shape(ellipse(0, y + 19, 9, 7.5)), 25)  # canal


def _parenchyma(canvas: Canvas, lungs, rng) -> None:
    """Aerated lung: denser towards the back, with slow and fine unevenness."""
    coarse, fine = (
        cv2.resize(rng.normal(0, 1, (n, n)).astype(np.float32), canvas.hu.shape, interpolation=cv2.INTER_CUBIC)
        for n in (24, 170)
    )
    canvas.paint(lungs, LUNG + 0.35 * canvas.y + 12 * coarse + 10 * fine)


def _vessels(canvas: Canvas, level: Level, lungs, rng) -> None:
    """A tree from each hilum, and the cut ends of vessels that run through the slice."""
    tree = np.zeros(canvas.hu.shape, np.uint8)
    start, calibre = level.hila
    for side in (-1, 1):
        root = np.array([side * (level.mediastinum[1] + 2), start])
        for heading in np.linspace(-1.25, 1.25, 5) + rng.normal(0, 0.12, 5):
            _branch(canvas, tree, root, heading if side > 0 else np.pi - heading, 0.75 * calibre, 24, rng)
    inside = shrunk(lungs, 3 * canvas.unit)
    ys, xs = np.nonzero(inside)
    if len(ys):
        depth = cv2.distanceTransform(lungs.astype(np.uint8), cv2.DIST_L2, 3)
        for pick in rng.integers(0, len(ys), 170):
            near_hilum = np.exp(-np.abs(canvas.x[0, xs[pick]]) / 90)
            # Thinner towards the pleura, as the tree is.
            radius = min(rng.gamma(2.0, 0.36) * (0.6 + near_hilum), 0.1 * depth[ys[pick], xs[pick]] / canvas.unit)
            if radius > 0.3:
                axes = (round(radius * canvas.unit * rng.uniform(1, 1.9)), max(1, round(radius * canvas.unit)))
                centre = (int(xs[pick]), int(ys[pick]))
                cv2.ellipse(tree, centre, axes, rng.uniform(0, 180), 0, 360, 1, -1)
    canvas.paint(tree.astype(bool) & shrunk(lungs, 1.0 * canvas.unit), BLOOD)


def _branch(canvas, tree, start, heading, radius, length, rng) -> None:
    """One vessel with its branches: radii shrink by Murray's law for a fork into two."""
    if radius < 0.28 or length < 4:
        return
    shown = rng.random() < 0.72  # vessels wind through the slice: parts of a tree lie above or below it
    point = np.asarray(start, float)
    for _ in range(4):
        heading += rng.normal(0, 0.13)
        following = point + length / 4 * np.array([np.cos(heading), np.sin(heading)])
        a, b = (tuple(int(v) for v in canvas.points(p)) for p in (point, following))
        if shown:
            cv2.line(tree, a, b, 1, max(1, round(1.6 * radius * canvas.unit)))
        point, radius = following, radius * 0.96
    if rng.random() < 0.22:
        return  # leaves the slice for good
    split = rng.uniform(0.35, 0.65)
    for share, turn in ((split, rng.uniform(0.25, 0.7)), (1 - split, -rng.uniform(0.25, 0.7))):
        _branch(
            canvas, tree, point, heading + turn, 0.9 * radius * share ** (1 / 3), length * rng.uniform(0.65, 0.9), rng
        )


def draw_airways(canvas: Canvas, level: Level) -> None:
    for x, y, half_width, half_depth in level.airways:
        canvas.paint(canvas.shape(ellipse(x, y, half_width + 1.6, half_depth + 1.6)), 20)
        canvas.paint(canvas.shape(ellipse(x, y, half_width, half_depth)), AIR_HU)


def _disc(pixels: float) -> np.ndarray:
    """A round structuring element of that radius, at least one pixel."""
    return disc(2 * max(1, round(pixels)) + 1)
