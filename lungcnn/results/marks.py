"""What stands on and around a picture that leaves the house, as the viewer shows it: without it a picture misleads.

On it the patient's sides, the peak, the colours' scale and a ruler; around it what is shown, which slice it is, the
verdict, and what it is not for. Nothing of it names the upload.
"""

from typing import TYPE_CHECKING

import cv2
import numpy as np

from lungcnn.explaining.methods import METHODS
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.results.rendering import AGAINST, FOR, colour_table
from lungcnn.results.slice_report import DISCLAIMER, SliceReport

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

    from lungcnn.results.export import View

LEAST_SIDE = 512  # smaller pictures are enlarged by a whole factor, so that letters fit
_DIRECTIONS = ("L", "R"), ("P", "A"), ("H", "F")
_RULERS_MM = (200, 100, 50, 20, 10, 5, 2, 1)
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


def patient_sides(ct_slice: CTSlice) -> dict[str, str] | None:
    """Which side of the patient each side of the image shows (PS3.3 C.7.6.1.1.1), or None where that is unknown."""
    cosines = ct_slice.facts and ct_slice.facts.orientation
    if not cosines:
        return None
    right, bottom = _towards(cosines[:3]), _towards(cosines[3:])
    opposite = {a: b for pair in _DIRECTIONS for a, b in (pair, pair[::-1])}
    return {"left": opposite[right], "right": right, "top": opposite[bottom], "bottom": bottom}


def _towards(cosines) -> str:
    axis = int(np.argmax(np.abs(cosines)))
    return _DIRECTIONS[axis][0 if cosines[axis] > 0 else 1]


def what_is_shown(report: SliceReport, view: "View") -> list[str]:
    """The lines above a picture: the class and method, the scale, the peak, the window, and which slice it is."""
    explanation, lines = report.explanation, []
    if explanation:
        method = METHODS[explanation.method]
        lines.append(f"Evidence for {explanation.class_name}, {method.title} ({method.source})")
        lines.append(scale_in_words(report, view))
        if explanation.peak_xy:
            lines[-1] += "; strongest at x {:.0f}, y {:.0f}".format(*explanation.peak_xy)
    lines.append(f"{place_in_words(view)}Window {window_in_words(view)}")
    return lines


def window_in_words(view: "View") -> str:
    """Centre and width, and whether black and white are exchanged."""
    return f"{view.window.centre:.0f}/{view.window.width:.0f} HU{', inverted' if view.inverted else ''}"


def scale_in_words(report: SliceReport, view: "View") -> str:
    """What the colours or the outline stand for."""
    explanation = report.require_explanation()
    unit = METHODS[explanation.method].unit
    if view.contour is not None:
        return f"Outline at {100 * view.contour:.0f} % of the peak"
    if view.signed:
        return f"Orange for the class, up to {explanation.scale:.2g} {unit}, blue against it"
    return f"Colours from 0 to {explanation.scale:.2g} {unit}"


def place_in_words(view: "View") -> str:
    """Number and position of the slice, each as far as it is known, with a separator behind."""
    said = f"Slice {view.place[0]} of {view.place[1]}. " if view.place else ""
    return said + (f"At {view.position_mm:.1f} mm. " if view.position_mm is not None else "")


def marked(picture: np.ndarray, report: SliceReport, view: "View") -> np.ndarray:
    """A picture of a report's slice (uint8 RGB) with sides, peak, scale and ruler on it, large enough to be read."""
    from PIL import Image, ImageDraw

    factor = max(1, -(-LEAST_SIDE // max(picture.shape[:2])))
    large = picture.repeat(factor, 0).repeat(factor, 1)
    peak = report.explanation and report.explanation.peak_xy
    if peak and view.peak:
        centre = tuple(round(factor * value) for value in peak)
        for colour, width in ((_BLACK, 4), (_WHITE, 2)):
            cv2.circle(large, centre, max(8, large.shape[1] // 50), colour, width, cv2.LINE_AA)
    image = Image.fromarray(large)
    pen = ImageDraw.Draw(image)
    _write_sides(pen, image.size, report.require_slice())
    _draw_ruler(pen, image.size, report.require_slice(), factor)
    if report.explanation and view.contour is None:
        _draw_scale(image, pen, report, view)
    return np.asarray(image)


def _text(pen: "ImageDraw", at: tuple[float, float], text: str, anchor: str, size: int) -> None:
    pen.text(at, text, _WHITE, _font(size), anchor, stroke_width=2, stroke_fill=_BLACK)


def _font(size: float):
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _write_sides(pen: "ImageDraw", size: tuple[int, int], ct_slice: CTSlice) -> None:
    width, height = size
    found = patient_sides(ct_slice) or {}
    places = {
        "left": ((8, height / 2), "lm"),
        "right": ((width - 8, height / 2), "rm"),
        "top": ((width / 2, 6), "ma"),
        "bottom": ((width / 2, height - 6), "md"),
    }
    for side, letter in found.items():
        _text(pen, *places[side][:1], letter, places[side][1], max(14, width // 32))


def _draw_ruler(pen: "ImageDraw", size: tuple[int, int], ct_slice: CTSlice, factor: int) -> None:
    if not ct_slice.spacing:
        return
    per_mm = factor / ct_slice.spacing[1]
    length = next((mm for mm in _RULERS_MM if mm * per_mm <= size[0] / 5), None)
    if length is None:
        return
    right, bottom = size[0] - 10, size[1] - 10
    pen.line((right - length * per_mm, bottom, right, bottom), _WHITE, 3)
    _text(pen, (right, bottom - 6), f"{length} mm", "rd", max(12, size[0] // 40))


def _draw_scale(image, pen: "ImageDraw", report: SliceReport, view: "View") -> None:
    """A bar of the colours with the values at its ends, at the upper right."""
    from PIL import Image

    scale = report.require_explanation().scale
    height, width = image.height // 4, max(8, image.width // 50)
    both = np.array([FOR] * 128 + [AGAINST] * 128, np.uint8)
    ramp = both if view.signed else colour_table(view.colour_map)[::-1]
    bar = np.ascontiguousarray(ramp[np.linspace(0, 255, height).astype(int), None].repeat(width, 1))
    left, top = image.width - width - 10, 10
    image.paste(Image.fromarray(bar), (left, top))
    size = max(12, image.width // 40)
    _text(pen, (left - 5, top), f"{scale:.2g}", "ra", size)
    _text(pen, (left - 5, top + height), f"{-scale:.2g}" if view.signed else "0", "rd", size)


def framed(picture: np.ndarray, report: SliceReport, view: "View") -> np.ndarray:
    """A picture with what is shown above it, and the verdict and the disclaimer below: uint8 RGB."""
    from PIL import Image, ImageDraw

    below = [report.verdict.sentence] if report.verdict else [reason.message for reason in report.reasons]
    width, font = picture.shape[1], _font(max(12, picture.shape[1] // 42))
    bands = [_wrapped(lines, font, width - 16) for lines in (what_is_shown(report, view), [*below, DISCLAIMER])]
    step = round(font.size * 1.35)
    heights = [step * len(lines) + 10 for lines in bands]
    image = Image.new("RGB", (width, sum(heights) + picture.shape[0]))
    image.paste(Image.fromarray(picture), (0, heights[0]))
    pen = ImageDraw.Draw(image)
    for lines, top in zip(bands, (0, heights[0] + picture.shape[0]), strict=True):
        for number, line in enumerate(lines):
            pen.text((8, top + 5 + number * step), line, _WHITE, font)
    return np.asarray(image)


def _wrapped(lines: list[str], font, width: float) -> list[str]:
    """Lines broken between words where they are too long."""
    done = []
    for line in lines:
        now = ""
        for word in line.split():
            longer = f"{now} {word}".strip()
            if now and font.getlength(longer) > width:
                done.append(now)
                longer = word
            now = longer
        done.append(now)
    return done
