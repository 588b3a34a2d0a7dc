"""Files to take away, as data for the browser; nothing is written to disk."""

import base64
import io
import json
import secrets
import zipfile
from dataclasses import replace
from typing import Any

import gradio as gr

from lungcnn import (
    COLOUR_MAPS,
    LungCNNError,
    View,
    Window,
    export_heatmap,
    export_overlay,
    export_record,
    export_report,
)

from . import texts, viewer
from .judge import Judge
from .visit import Shown

# What a file to take away is called, and its media type.
FILES = {
    "overlay": ("lungcnn-overlay.png", "image/png"),
    "report": ("lungcnn-report.pdf", "application/pdf"),
    "record": ("lungcnn-result.json", "application/json"),
    "heatmap": ("lungcnn-heatmap.npy", "application/octet-stream"),
    "dicom": ("lungcnn-dicom.zip", "application/zip"),
}


def export_data(kind: str, shown: Shown, settings: str) -> str:
    """A file to take away, drawn as the viewer shows it.

    Args:
        kind: a key of `FILES`. settings: the viewer's, as JSON; anything unusable falls back to the defaults.

    Raises `gr.Error` where nothing is shown.
    """
    report = shown.report
    if report is None:
        raise gr.Error(texts.NOTHING_TO_TAKE, print_exception=False)
    view = replace(_view(settings), **_place(shown))
    made = {
        "overlay": lambda: export_overlay(report, view),
        "report": lambda: export_report(report, view, series=shown.stack.report if shown.stack else None),
        "record": lambda: export_record(shown.stack.report if shown.stack else report),
        "heatmap": lambda: export_heatmap(report),
    }[kind]()
    return _download(made, *FILES[kind])


def dicom_data(shown: Shown, judge: Judge) -> str:
    """The DICOM results of the slice that is shown, zipped.

    Raises `gr.Error` with a sentence where there are none.
    """
    if shown.report is None or shown.source is None:
        raise gr.Error(texts.NOTHING_TO_TAKE if shown.report is None else texts.DICOM_PICTURE, print_exception=False)
    try:
        files = judge.dicom_files(shown.source, shown.report)
    except LungCNNError as error:
        raise gr.Error(texts.DICOM_FAILED.format(reason=error), print_exception=False) from None
    if "result-pm.dcm" not in files:
        gr.Info(texts.DICOM_NO_MAP)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return _download(packed.getvalue(), *FILES["dicom"])


def _download(content: bytes, name: str, media: str) -> str:
    # The number in front makes a second download of the same file a change that the browser sees.
    text = f"{secrets.token_hex(4)}:{base64.b64encode(content).decode()}"
    return viewer.data_box("download-data", text, name=name, kind=media)


def _place(shown: Shown) -> dict[str, Any]:
    """Which slice it is, as the viewer says it."""
    if shown.stack:
        place = (shown.index + 1, len(shown.stack.series)) if shown.stack.series.ordered else None
        return {"place": place, "position_mm": shown.stack.report.positions[shown.index]}
    facts = shown.ct_slice and shown.ct_slice.facts
    return {"position_mm": facts.position[2] if facts and facts.position else None}


def _view(settings: str) -> View:
    try:
        asked = json.loads(settings)
        return View(
            window=Window(float(asked["centre"]), float(asked["width"])),
            opacity=min(1.0, max(0.0, float(asked["opacity"]))),
            colour_map=asked["colour_map"] if asked["colour_map"] in COLOUR_MAPS else View.colour_map,
            contour=None if asked["contour"] is None else min(1.0, max(0.0, float(asked["contour"]))),
            signed=bool(asked.get("signed")),
            peak=bool(asked.get("peak", True)),
            heatmap=bool(asked.get("heatmap", True)),
            inverted=bool(asked.get("inverted")),
        )
    except (ValueError, TypeError, KeyError, LungCNNError):
        return View()
