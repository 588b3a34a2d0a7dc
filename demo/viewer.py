"""What the browser needs to draw a slice and its heatmap by itself, as text in two hidden elements that it watches."""

import base64
import json
from html import escape

import cv2
import numpy as np

from lungcnn import DEFAULT_METHOD, METHODS, CTSlice, patient_sides

from .packing import pack
from .views import percent
from .visit import Shown

# Larger pictures are reduced for the screen; results and exports keep every pixel.
LARGEST_SIDE = 1600


def data_box(name: str, content: str = "", /, **attributes: str) -> str:
    """A hidden element with data for `scripts/`."""
    extra = "".join(f' data-{key}="{escape(value)}"' for key, value in attributes.items())
    return f'<div id="{name}"{extra} hidden>{escape(content, quote=False)}</div>'


def slice_data(shown: Shown | None, method: str = DEFAULT_METHOD) -> str:
    """What is shown, for the browser: a slice as it is, or which one of a series; an empty box where there is none.

    The browser fetches the slices of a series by itself (`feed.py`), with maps by `method`.
    """
    if shown is not None and shown.stack is not None:
        stack = shown.stack
        where = {"series": stack.name, "index": shown.index, "count": len(stack.series)}
        return data_box("slice-data", json.dumps(where | {"ordered": stack.series.ordered, "method": method}))
    if shown is None or shown.ct_slice is None:
        return data_box("slice-data")
    facts, hu = slice_facts(shown.ct_slice, shown.name)
    outline = shown.truth.outline if shown.truth else None
    drawn = None if outline is None else (outline / facts["shrink"]).round(1).tolist()
    return data_box("slice-data", json.dumps(facts | {"hu": _base64(pack(hu)), "drawn": drawn}))


def slice_facts(ct_slice: CTSlice, name: str, series: str = "") -> tuple[dict, np.ndarray]:
    """A slice for the browser: size, spacing, window, sides; and its HU `[rows, columns]`, not more than a screen's."""
    hu, shrink = _for_the_screen(ct_slice.hu)
    window = ct_slice.window
    return {
        "id": name,
        "series": series,
        "rows": hu.shape[0],
        "columns": hu.shape[1],
        "shrink": shrink,
        "aspect": ct_slice.aspect,
        "spacing": ct_slice.spacing and [value * shrink for value in ct_slice.spacing],
        "calibrated": ct_slice.calibrated,
        "window": window and [window.centre, window.width],
        "sides": patient_sides(ct_slice),
    }, hu


def name_in(series: str, index: int) -> str:
    """By what the browser knows a slice of a series."""
    return f"{series}-{index}"


def map_data(shown: Shown | None) -> str:
    """The maps of all classes for the browser; an empty box where there are none."""
    name = shown and (name_in(shown.stack.name, shown.index) if shown.stack else shown.name)
    facts = shown and name and map_facts(shown, name)
    return data_box("map-data", json.dumps(facts)) if facts else data_box("map-data")


def map_facts(shown: Shown, name: str) -> dict | None:
    """The maps of all classes over a slice, which the browser knows as `name`; None where there are none."""
    report = shown.report
    if shown.ct_slice is None or report is None or report.explanation is None or report.probabilities is None:
        return None
    explanation, box = report.explanation, report.explanation.box
    _, shrink = _for_the_screen(shown.ct_slice.hu, measure=True)
    return {
        "slice": name,
        "method": explanation.method,
        "title": METHODS[explanation.method].title,
        "signed": METHODS[explanation.method].signed,
        "unit": METHODS[explanation.method].unit,
        "classes": list(report.classes),
        "shares": [percent(share) for share in report.probabilities.values()],
        "class": explanation.class_name,
        "predicted": report.prediction,
        "rows": explanation.cells.shape[0],
        "columns": explanation.cells.shape[1],
        "box": [value / shrink for value in (box.left, box.top, box.width, box.height)],
        "cells": _base64(box.as_stored(explanation.maps).astype("<f4").tobytes()),
        "scale": explanation.scale,
        "cell_mm": explanation.cell_mm,
    }


def _for_the_screen(hu: np.ndarray, measure: bool = False) -> tuple[np.ndarray, int]:
    shrink = -(-max(hu.shape) // LARGEST_SIDE)
    if shrink == 1 or measure:
        return hu, shrink
    rows, columns = (-(-side // shrink) for side in hu.shape)
    return cv2.resize(np.asarray(hu), (columns, rows), interpolation=cv2.INTER_AREA), shrink


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
