"""Slice and overlay as pictures of the slice's own size."""

import cv2
import numpy as np

from lungcnn.errors import UsageError
from lungcnn.loading import CTSlice
from lungcnn.report import SliceReport
from lungcnn.windowing import WINDOWS, Window, to_grey

# Perceptually uniform maps; jet is left out, its steps look like borders that aren't there.
COLOUR_MAPS = {
    "inferno": cv2.COLORMAP_INFERNO,
    "viridis": cv2.COLORMAP_VIRIDIS,
    "magma": cv2.COLORMAP_MAGMA,
    "cividis": cv2.COLORMAP_CIVIDIS,
}


def render_slice(ct_slice: CTSlice, window: Window = WINDOWS["dataset"]) -> np.ndarray:
    """The slice as a grey picture, uint8 `[rows, columns]`."""
    return to_grey(ct_slice.hu, window)


def render_overlay(
    ct_slice: CTSlice,
    report: SliceReport,
    window: Window = WINDOWS["dataset"],
    opacity: float = 0.6,
    colour_map: str = "inferno",
) -> np.ndarray:
    """The slice with the heatmap over it, uint8 RGB `[rows, columns, 3]`.

    Colour and opacity both grow with the map, so that the anatomy stays visible where nothing is marked. The scale
    ends at the map's own maximum. Without an explanation (a refused slice) it is the slice alone.

    Raises `UsageError` for an unknown colour map or an opacity outside 0 to 1.
    """
    if colour_map not in COLOUR_MAPS:
        raise UsageError(f"There is no colour map '{colour_map}'. Accepted: {', '.join(COLOUR_MAPS)}.")
    if not 0 <= opacity <= 1:
        raise UsageError(f"Opacity lies between 0 and 1; received {opacity}.")
    grey = cv2.cvtColor(render_slice(ct_slice, window), cv2.COLOR_GRAY2RGB)
    if report.explanation is None:
        return grey
    heat = np.maximum(report.explanation.heatmap(), 0)
    top = float(heat.max())
    if top <= 0:
        return grey
    heat /= top
    colours = cv2.applyColorMap((heat * 255 + 0.5).astype(np.uint8), COLOUR_MAPS[colour_map])
    colours = cv2.cvtColor(colours, cv2.COLOR_BGR2RGB)
    # cv2.blendLinear wants weights a pixel: opacity for the colours, the rest for the slice.
    weight = heat * np.float32(opacity)
    return cv2.blendLinear(colours, grey, weight, 1 - weight)


def encode_png(picture: np.ndarray) -> bytes:
    """A picture (uint8 grey or RGB) as PNG bytes."""
    bgr = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", bgr)[1].tobytes()
