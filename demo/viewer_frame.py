"""The viewer's picture and controls, as HTML that the script brings to life (`viewer_script.py`)."""

import base64
import json
from html import escape

from lungcnn import COLOUR_MAPS, SIGNS, WINDOWS, colour_table

from . import texts
from .say import attribute, say

_SIDES = "".join(f'<span id="ct-{side}" class="ct-side" hidden></span>' for side in ("left", "right", "top", "bottom"))


def frame() -> str:
    """All of it. What it needs of Python's constants and texts is in its attributes."""
    windows = {name: [window.centre, window.width] for name, window in WINDOWS.items()}
    colours = {name: base64.b64encode(colour_table(name).tobytes()).decode() for name in COLOUR_MAPS}
    attributes = {"windows": windows, "colours": colours, "signs": SIGNS, "texts": texts.VIEWER}
    data = " ".join(f'data-{name}="{escape(json.dumps(value))}"' for name, value in attributes.items())
    return (
        f'<section id="ct" class="empty plain keys" data-tool="move" {data}'
        f"{attribute('aria-label', texts.VIEWER_LABEL)}>"
        f'{_heatmap_bar()}<div class="ct-screen">{_stage()}{_classes()}</div>{_stack_bar()}{_picture_bar()}</section>'
    )


def _heatmap_bar() -> str:
    colour_maps = "".join(_option(name, texts.COLOUR_MAPS.get(name, name)) for name in COLOUR_MAPS)
    return (
        '<div class="ct-row">'
        + _choice("ct-mode", texts.MODE_LABEL, texts.MODES, "overlay")
        + _switch("ct-heat", texts.HEATMAP, texts.HEATMAP_HINT, True)
        + _switch("ct-signed", texts.SIGNED, texts.SIGNED_HINT)
        + _switch("ct-contour", texts.CONTOUR, texts.CONTOUR_HINT)
        + f'<label class="ct-field">{say(texts.OPACITY)}'
        '<input id="ct-opacity" type="range" min="0" max="100" value="60" autocomplete="off">'
        '<output id="ct-opacity-value" for="ct-opacity">60 %</output></label>'
        f'<span class="ct-field"><select id="ct-colours"{_hint(texts.COLOURS)} autocomplete="off">'
        f"{colour_maps}</select></span></div>"
    )


def _stage() -> str:
    return (
        f'<div id="ct-stage" tabindex="0" role="group"{attribute("aria-label", texts.STAGE_LABEL)} '
        'aria-describedby="ct-keys">'
        f'<canvas id="ct-canvas" role="img"{attribute("aria-label", texts.EMPTY_VIEW)}></canvas>'
        f'<p class="ct-empty">{say(texts.EMPTY_VIEW)}</p>'
        '<div class="ct-corner ct-tl"><strong id="ct-place"></strong><strong id="ct-caption"></strong>'
        '<span id="ct-cells"></span><span id="ct-peak-text"></span></div>'
        '<div class="ct-corner ct-bl"><span id="ct-cursor"></span><span id="ct-level"></span></div>'
        '<div id="ct-scale" hidden></div>'
        '<div id="ct-bar" hidden><canvas id="ct-gradient" aria-hidden="true"></canvas><span id="ct-most"></span>'
        f'<span id="ct-half"></span><span id="ct-least"></span><span id="ct-unit"></span></div>{_SIDES}'
        f'<div id="ct-handle" role="slider" tabindex="0"{attribute("aria-label", texts.SWIPE_LABEL)} aria-valuemin="0" '
        'aria-valuemax="100" aria-valuenow="50" hidden></div></div>'
    )


def _classes() -> str:
    """Where the maps of all classes stand, small and side by side; each chooses its class."""
    return f'<div id="ct-classes" role="group"{_hint(texts.CLASSES_LABEL)}></div>'


def _stack_bar() -> str:
    """What moves through a series."""
    return (
        f'<div class="ct-row" id="ct-stack" hidden><button type="button" id="ct-play" aria-pressed="false"'
        f"{_hint(texts.CINE)}>▶</button>"
        f'<input id="ct-slice" type="range" min="1" max="2" value="1"{attribute("aria-label", texts.SLICE)} '
        'autocomplete="off"><output id="ct-count" for="ct-slice"></output></div>'
    )


def _picture_bar() -> str:
    windows = {name: texts.WINDOWS.get(name, name.capitalize()) for name in (*WINDOWS, "file")}
    buttons = "".join(
        f'<button type="button" id="ct-{name}"{_hint(label)}>{sign}</button>'
        for name, sign, label in (("out", "−", texts.ZOOM_OUT), ("in", "+", texts.ZOOM_IN))
    )
    return (
        '<div class="ct-row">'
        + _choice("ct-window", texts.WINDOW, windows, "lung")
        + "".join(
            f'<label class="ct-field"><abbr{attribute("title", title)}>{short}</abbr>'
            f'<input id="{name}" type="number" step="10" {limits}{attribute("aria-label", title)} autocomplete="off">'
            "</label>"
            for name, short, title, limits in (
                ("ct-centre", "C", texts.CENTRE, 'min="-2000" max="4000" value="-600"'),
                ("ct-width", "W", texts.WIDTH, 'min="1" max="8000" value="1500"'),
            )
        )
        + f'<span id="ct-uncalibrated" hidden>{say(texts.UNCALIBRATED)}</span>'
        + _choice("ct-tool", texts.TOOL_LABEL, texts.TOOLS, "move")
        + '<div class="ct-end">'
        + _switch("ct-invert", texts.INVERT, texts.INVERT_HINT)
        + _switch("ct-peak", texts.PEAK, texts.PEAK_HINT, True)
        + _switch("ct-grid", texts.GRID, texts.GRID_HINT)
        + _switch("ct-drawn", texts.OUTLINE, texts.OUTLINE_HINT)
        + f'<span class="ct-zoom">{buttons}<output id="ct-zoom">100 %</output>'
        f'<button type="button" id="ct-fit">{say(texts.FIT)}</button>'
        f'<button type="button" id="ct-reset"{attribute("title", texts.RESET_HINT)}>{say(texts.RESET)}</button>'
        f'<button type="button" id="ct-help" aria-expanded="true" aria-controls="ct-keys">{say(texts.HELP)}</button>'
        '</span></div></div><p id="ct-keys">'
        f'<span class="of-stack">{say(texts.KEYS_STACK)} </span>{say(texts.KEYS)}</p>'
    )


def _choice(name: str, label: str, options: dict[str, str], value: str) -> str:
    """Radio buttons that look like one segmented button."""
    items = "".join(
        f'<label><input type="radio" name="{name}" value="{key}" autocomplete="off"'
        f"{' checked' if key == value else ''}><span>{say(title)}</span></label>"
        for key, title in options.items()
    )
    return f'<div class="ct-choice" role="radiogroup"{attribute("aria-label", label)}>{items}</div>'


def _switch(name: str, label: str, hint: str, on: bool = False) -> str:
    return (
        f'<label class="ct-switch"{attribute("title", hint)}><input id="{name}" type="checkbox" autocomplete="off"'
        f"{' checked' if on else ''}><span>{say(label)}</span></label>"
    )


def _option(value: str, label: str) -> str:
    key = getattr(label, "key", "")
    marked = f' data-t="{key}"' if key else ""
    return f'<option value="{value}"{marked}>{escape(label)}</option>'


def _hint(text: str) -> str:
    """What a control without letters is called, for eyes and ears."""
    return attribute("aria-label", text) + attribute("title", text)
