"""Slice and overlay as pictures of the slice's own size."""

import cv2
import numpy as np

from lungcnn.errors import UsageError
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.results.slice_report import SliceReport
from lungcnn.windowing import WINDOWS, Window, to_grey

# Perceptually uniform maps first. Jet only for those who ask for it: its steps look like borders that aren't there.
COLOUR_MAPS = {
    "inferno": cv2.COLORMAP_INFERNO,
    "viridis": cv2.COLORMAP_VIRIDIS,
    "magma": cv2.COLORMAP_MAGMA,
    "cividis": cv2.COLORMAP_CIVIDIS,
    "jet": cv2.COLORMAP_JET,
}
# For and against a class: two colours that the colour-blind tell apart.
SIGNS = FOR, AGAINST = (253, 146, 32), (62, 120, 220)


def render_slice(ct_slice: CTSlice, window: Window = WINDOWS["dataset"], inverted: bool = False) -> np.ndarray:
    """The slice as a grey picture, uint8 `[rows, columns]`; `inverted` shows air white."""
    grey = to_grey(ct_slice.hu, window)
    return 255 - grey if inverted else grey


def render_overlay(
    report: SliceReport,
    window: Window = WINDOWS["dataset"],
    opacity: float = 0.6,
    colour_map: str = "inferno",
    signed: bool = False,
    contour: float | None = None,
    inverted: bool = False,
) -> np.ndarray:
    """The slice of a report, as it was judged, with the heatmap over it: uint8 RGB `[rows, columns, 3]`.

    Colour and opacity both grow with the map, so that the anatomy stays visible where nothing is marked. The scale
    ends at the largest value of any class, so that the map of a class for which little speaks looks weak. Without an
    explanation (a refused slice) it is the slice alone.

    Args:
        signed: also show what speaks against the class, in another colour.
        contour: outline where the map exceeds this share (0 to 1) of its own maximum, and leave the colours out.
        inverted: show air white; the heatmap's colours stay.

    Raises `UsageError` for an unknown colour map, an opacity or contour outside 0 to 1, or a report without its slice.
    """
    if colour_map not in COLOUR_MAPS:
        raise UsageError(f"There is no colour map '{colour_map}'. Accepted: {', '.join(COLOUR_MAPS)}.")
    for name, value in (("Opacity", opacity), ("The contour's level", 0 if contour is None else contour)):
        if not 0 <= value <= 1:
            raise UsageError(f"{name} lies between 0 and 1; received {value}.")
    picture = cv2.cvtColor(render_slice(report.require_slice(), window, inverted), cv2.COLOR_GRAY2RGB)
    if report.explanation is None:
        return picture
    heat = report.explanation.heatmap()
    if contour is not None:
        return _outlined(picture, heat, contour)
    where = report.explanation.box.on_slice  # nothing is marked elsewhere
    grey, heat = picture[where], heat[where] / (report.explanation.scale or 1)
    # Negative values may be larger than any positive one, which is what the scale is about.
    strength = np.minimum(np.abs(heat) if signed else np.maximum(heat, 0), 1)
    if signed:
        colours = np.where(heat[..., None] < 0, np.array(AGAINST, np.uint8), np.array(FOR, np.uint8))
    else:
        colours = cv2.applyColorMap((strength * 255 + 0.5).astype(np.uint8), COLOUR_MAPS[colour_map])
        colours = cv2.cvtColor(colours, cv2.COLOR_BGR2RGB)
    # cv2.blendLinear wants weights a pixel: opacity for the colours, the rest for the slice.
    weight = strength * np.float32(opacity)
    picture[where] = cv2.blendLinear(colours, np.ascontiguousarray(grey), weight, 1 - weight)
    return picture


def colour_table(colour_map: str) -> np.ndarray:
    """The colours of a map of `COLOUR_MAPS` from weak to strong: uint8 RGB `[256, 3]`."""
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    return cv2.applyColorMap(ramp, COLOUR_MAPS[colour_map])[:, 0, ::-1]


def contours(heatmap: np.ndarray, level: float) -> list[np.ndarray]:
    """Outlines around where a map `[rows, columns]` exceeds `level` times its maximum.

    Returns:
        Closed curves, float32 `[points, 2]`, x and y in pixels with centres at half-integers; none where nothing
        speaks for the class.
    """
    top = float(heatmap.max())
    if top <= 0:
        return []
    above = (heatmap > level * top).astype(np.uint8)
    found, _ = cv2.findContours(above, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return [curve[:, 0].astype(np.float32) + 0.5 for curve in found]


def _outlined(picture: np.ndarray, heatmap: np.ndarray, level: float) -> np.ndarray:
    width = max(1, round(max(picture.shape) / 350))
    curves = [np.floor(curve).astype(np.int32) for curve in contours(heatmap, level)]
    return cv2.polylines(picture, curves, True, FOR, width)
