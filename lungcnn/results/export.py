"""A report as files to take away: overlay, one-page PDF, JSON and heatmap. Nothing in them names the upload."""

import io
import json
from dataclasses import dataclass, replace

import numpy as np

from lungcnn.results.marks import framed, marked
from lungcnn.results.png import encode_png
from lungcnn.results.rendering import render_overlay
from lungcnn.results.series_report import SeriesReport
from lungcnn.results.slice_report import SliceReport
from lungcnn.windowing import WINDOWS, Window


@dataclass(frozen=True)
class View:
    """How slice and overlay are drawn; the defaults are those of `render_overlay`.

    Attributes:
        window: display window. opacity: 0 to 1. colour_map: one of `rendering.COLOUR_MAPS`.
        contour: outline at this share of the map's maximum instead of colours, or None.
        signed: also show what speaks against the class. peak: mark the strongest cell.
        heatmap: whether there is one on the overlay. inverted: air is white.
        place: the slice's number, from 1, and how many its series has. position_mm: where it lies along the series.
    """

    window: Window = WINDOWS["dataset"]
    opacity: float = 0.6
    colour_map: str = "inferno"
    contour: float | None = None
    signed: bool = False
    peak: bool = True
    heatmap: bool = True
    inverted: bool = False
    place: tuple[int, int] | None = None
    position_mm: float | None = None


def export_overlay(report: SliceReport, view: View | None = None) -> bytes:
    """The overlay as the viewer shows it, as PNG: marked and framed (`marks`); raises as `render_overlay`."""
    view = view or View()
    if not view.heatmap:
        report = replace(report, explanation=None)
    return encode_png(framed(marked(draw_view(report, view), report, view), report, view))


def export_record(report: SliceReport | SeriesReport) -> bytes:
    """The report of a slice or a series as JSON, without a file name, in UTF-8."""
    return (json.dumps(report.to_json(), indent=1, ensure_ascii=False) + "\n").encode()


def export_heatmap(report: SliceReport) -> bytes:
    """The explanation's raw map on the slice's pixels, float32 `[rows, columns]`, as a NumPy file.

    Raises `UsageError` for a report without an explanation.
    """
    stream = io.BytesIO()
    np.save(stream, report.require_explanation().heatmap())
    return stream.getvalue()


def draw_view(report: SliceReport, view: View) -> np.ndarray:
    """The overlay as a view shows it, uint8 RGB `[rows, columns, 3]`; raises as `render_overlay`."""
    drawn = view.window, view.opacity, view.colour_map, view.signed, view.contour, view.inverted
    return render_overlay(report, *drawn)
