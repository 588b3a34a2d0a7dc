"""What the browser needs to draw a slice and its heatmap by itself: the viewer's frame, and the data as text.

The frame stays as it is; slices and maps come and go in two hidden elements that `viewer.js` watches.
"""

import base64
import json
import zlib
from html import escape

import cv2
import numpy as np

from lungcnn import COLOUR_MAPS, METHODS, SIGNS, WINDOWS, CTSlice, colour_table

from . import texts
from .visit import Shown

# Larger pictures are reduced for the screen; results and exports keep every pixel.
LARGEST_SIDE = 1600
UNKNOWN_HU = -1024
_DIRECTIONS = ("L", "R"), ("P", "A"), ("H", "F")


def data_box(name: str, content: str = "", /, **attributes: str) -> str:
    """A hidden element with data for `viewer.js`."""
    extra = "".join(f' data-{key}="{escape(value)}"' for key, value in attributes.items())
    return f'<div id="{name}"{extra} hidden>{escape(content, quote=False)}</div>'


def slice_data(shown: Shown | None) -> str:
    """The slice that is shown, for the browser: size, HU, spacing, window, sides; an empty box where there is none."""
    if shown is None or shown.ct_slice is None:
        return data_box("slice-data")
    ct_slice = shown.ct_slice
    hu, shrink = _for_the_screen(ct_slice.hu)
    spacing = ct_slice.spacing and [value * shrink for value in ct_slice.spacing]
    window = ct_slice.window
    return data_box(
        "slice-data",
        json.dumps(
            {
                "id": shown.name,
                "series": shown.stack.name if shown.stack else "",
                "index": shown.index,
                "rows": hu.shape[0],
                "columns": hu.shape[1],
                "shrink": shrink,
                "hu": pack(hu),
                "aspect": ct_slice.aspect,
                "spacing": spacing,
                "calibrated": ct_slice.calibrated,
                "window": window and [window.centre, window.width],
                "sides": sides(ct_slice),
            }
        ),
    )


def map_data(shown: Shown | None) -> str:
    """The maps of all classes for the browser; an empty box where there are none."""
    if shown is None or shown.ct_slice is None or shown.report is None or shown.report.explanation is None:
        return data_box("map-data")
    ct_slice, explanation = shown.ct_slice, shown.report.explanation
    box = explanation.box
    _, shrink = _for_the_screen(ct_slice.hu, measure=True)
    return data_box(
        "map-data",
        json.dumps(
            {
                "slice": shown.name,
                "method": explanation.method,
                "title": METHODS[explanation.method].title,
                "signed": METHODS[explanation.method].signed,
                "unit": METHODS[explanation.method].unit,
                "classes": list(shown.report.classes),
                "class": explanation.class_name,
                "predicted": shown.report.prediction,
                "rows": explanation.cells.shape[0],
                "columns": explanation.cells.shape[1],
                "box": [value / shrink for value in (box.left, box.top, box.width, box.height)],
                "cells": _base64(box.as_stored(explanation.maps).astype("<f4").tobytes()),
                "scale": explanation.scale,
                "cell_mm": explanation.cell_mm,
            }
        ),
    )


def pack(hu: np.ndarray) -> str:
    """Whole HU `[rows, columns]` as base64 of zlib: low bytes, then high bytes, of differences along each row."""
    whole = np.clip(np.nan_to_num(hu, nan=UNKNOWN_HU, posinf=32767, neginf=-32768), -32768, 32767)
    whole = np.rint(whole).astype(np.int32)
    steps = np.diff(whole, axis=1, prepend=0).astype(np.uint16)
    planes = np.stack([steps & 0xFF, steps >> 8]).astype(np.uint8)
    return _base64(zlib.compress(planes.tobytes(), 3))


def sides(ct_slice: CTSlice) -> dict[str, str] | None:
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


def _for_the_screen(hu: np.ndarray, measure: bool = False) -> tuple[np.ndarray, int]:
    shrink = -(-max(hu.shape) // LARGEST_SIDE)
    if shrink == 1 or measure:
        return hu, shrink
    rows, columns = (-(-side // shrink) for side in hu.shape)
    return cv2.resize(np.asarray(hu), (columns, rows), interpolation=cv2.INTER_AREA), shrink


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# ---------------------------------------------------------------- the frame


def frame() -> str:
    """The viewer's picture and controls, which `viewer.js` brings to life."""
    windows = {name: [window.centre, window.width] for name, window in WINDOWS.items()}
    colours = {name: _base64(colour_table(name).tobytes()) for name in COLOUR_MAPS}
    attributes = {"windows": windows, "colours": colours, "signs": SIGNS, "texts": texts.VIEWER}
    data = " ".join(f'data-{name}="{escape(json.dumps(value))}"' for name, value in attributes.items())
    return (
        f'<section id="ct" class="empty" aria-label="{texts.VIEWER_LABEL}" {data}>'
        f"{_top_bar()}{_stage()}{_bottom_bar()}</section>"
    )


def _top_bar() -> str:
    colour_maps = "".join(
        f'<option value="{name}">{escape(texts.COLOUR_MAPS.get(name, name))}</option>' for name in COLOUR_MAPS
    )
    return (
        '<div class="ct-row">'
        + _choice("ct-mode", texts.MODE_LABEL, texts.MODES, "overlay")
        + _switch("ct-heat", texts.HEATMAP, texts.HEATMAP_HINT, True)
        + _switch("ct-signed", texts.SIGNED, texts.SIGNED_HINT)
        + _switch("ct-contour", texts.CONTOUR, texts.CONTOUR_HINT)
        + f'<label class="ct-field"><span>{texts.OPACITY}</span>'
        '<input id="ct-opacity" type="range" min="0" max="100" value="60" autocomplete="off">'
        '<output id="ct-opacity-value" for="ct-opacity">60 %</output></label>'
        f'<label class="ct-field"><span>{texts.COLOURS}</span>'
        f'<select id="ct-colours" autocomplete="off">{colour_maps}</select></label></div>'
    )


def _stage() -> str:
    sides_of = "".join(f'<span id="ct-{side}" class="ct-side" hidden></span>' for side in ("left", "right"))
    sides_of += "".join(f'<span id="ct-{side}" class="ct-side" hidden></span>' for side in ("top", "bottom"))
    return (
        f'<div id="ct-stage" tabindex="0" role="group" aria-label="{texts.STAGE_LABEL}" '
        f'aria-describedby="ct-keys"><canvas id="ct-canvas" role="img" aria-label="{texts.EMPTY_VIEW}"></canvas>'
        f'<p class="ct-empty">{texts.EMPTY_VIEW}</p>'
        '<div class="ct-corner ct-tl"><strong id="ct-caption"></strong><span id="ct-cells"></span>'
        '<span id="ct-peak-text"></span></div>'
        '<div class="ct-corner ct-bl"><span id="ct-cursor"></span><span id="ct-level"></span></div>'
        '<div id="ct-scale" hidden></div>'
        '<div id="ct-bar" hidden><canvas id="ct-gradient" aria-hidden="true"></canvas><span id="ct-most"></span>'
        '<span id="ct-half"></span><span id="ct-least"></span><span id="ct-unit"></span></div>'
        f"{sides_of}"
        f'<div id="ct-handle" role="slider" tabindex="0" aria-label="{texts.SWIPE_LABEL}" aria-valuemin="0" '
        'aria-valuemax="100" aria-valuenow="50" hidden></div></div>'
    )


def _bottom_bar() -> str:
    windows = {name: texts.WINDOWS.get(name, name.capitalize()) for name in (*WINDOWS, "file")}
    buttons = "".join(
        f'<button type="button" id="ct-{name}" aria-label="{label}" title="{label}">{sign}</button>'
        for name, sign, label in (("out", "−", texts.ZOOM_OUT), ("in", "+", texts.ZOOM_IN))
    )
    return (
        '<div class="ct-row">'
        + _choice("ct-window", texts.WINDOW, windows, "lung")
        + "".join(
            f'<label class="ct-field"><abbr title="{title}">{short}</abbr>'
            f'<input id="{name}" type="number" step="10" {limits} autocomplete="off"></label>'
            for name, short, title, limits in (
                ("ct-centre", "C", texts.CENTRE, 'min="-2000" max="4000" value="-600"'),
                ("ct-width", "W", texts.WIDTH, 'min="1" max="8000" value="1500"'),
            )
        )
        + f'<span id="ct-uncalibrated" hidden>{texts.UNCALIBRATED}</span>'
        + '<div class="ct-end">'
        + _switch("ct-grid", texts.GRID, texts.GRID_HINT)
        + _switch("ct-peak", texts.PEAK, texts.PEAK_HINT, True)
        + f'<span class="ct-zoom">{buttons}<output id="ct-zoom">100 %</output>'
        f'<button type="button" id="ct-fit">{texts.FIT}</button>'
        f'<button type="button" id="ct-help" aria-expanded="false" aria-controls="ct-keys">{texts.HELP}</button></span>'
        f'</div></div><p id="ct-keys" hidden>{texts.KEYS}</p>'
    )


def _choice(name: str, label: str, options: dict[str, str], value: str) -> str:
    """Radio buttons that look like one segmented button."""
    items = "".join(
        f'<label><input type="radio" name="{name}" value="{key}" autocomplete="off"'
        f"{' checked' if key == value else ''}><span>{title}</span></label>"
        for key, title in options.items()
    )
    return f'<div class="ct-choice" role="radiogroup" aria-label="{label}">{items}</div>'


def _switch(name: str, label: str, hint: str, on: bool = False) -> str:
    return (
        f'<label class="ct-switch" title="{escape(hint)}"><input id="{name}" type="checkbox" autocomplete="off"'
        f"{' checked' if on else ''}><span>{label}</span></label>"
    )
