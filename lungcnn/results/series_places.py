"""Where the peaks of a series' slices lie in the one plane that all slices have in common."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lungcnn.explaining.peaks import Peak
from lungcnn.reading.acquisition import SliceFacts


@dataclass(frozen=True, eq=False)
class SlicePeaks:
    """What a series keeps of a slice to find what persists.

    Attributes:
        index: of the slice in the series. peaks: its places.
        columns: width of the slice in pixels. spacing, facts: as `CTSlice` has them.
    """

    index: int
    peaks: tuple[Peak, ...]
    columns: int
    spacing: tuple[float, float] | None
    facts: SliceFacts | None


@dataclass(frozen=True, eq=False)
class PlacedPeak:
    """A peak in the common plane, in mm, or in shares of the slice's width where the spacing is unknown.

    Attributes:
        slice: index of its slice. at: its strongest cell's centre. low, high: corners of what it covers.
        cell: side of a cell of the map.
    """

    slice: int
    peak: Peak
    at: tuple[float, float]
    low: tuple[float, float]
    high: tuple[float, float]
    cell: float


def place_peaks(judged: Sequence[SlicePeaks]) -> tuple[dict[int, list[PlacedPeak]], bool]:
    """The peaks of each slice in the common plane, by the slice's index, and whether that plane is in mm.

    Slices are brought together by the patient's coordinates where all files state them, else by their corners.
    """
    placed = {
        one.index: [_placed(one.index, peak, plane) for peak in one.peaks]
        for one, plane in zip(judged, _planes(judged), strict=True)
    }
    return placed, all(one.spacing for one in judged)


@dataclass(frozen=True, eq=False)
class _Plane:
    """From a slice's pixels to the plane that the series' slices have in common: `origin + x * right + y * down`."""

    origin: np.ndarray
    right: np.ndarray
    down: np.ndarray

    def point(self, x: float, y: float) -> tuple[float, float]:
        u, v = self.origin + x * self.right + y * self.down
        return float(u), float(v)


def _planes(judged: Sequence[SlicePeaks]) -> list[_Plane]:
    by_patient = [_patient_plane(one, judged[0].facts) for one in judged]
    by_spacing = [one.spacing and _Plane(np.zeros(2), *np.diag(one.spacing[::-1])) for one in judged]
    by_width = [_Plane(np.zeros(2), *np.eye(2) / one.columns) for one in judged]
    for planes in (by_patient, by_spacing):
        known = [plane for plane in planes if plane]
        if len(known) == len(judged):
            return known
    return by_width


def _patient_plane(one: SlicePeaks, first: SliceFacts | None) -> _Plane | None:
    """The plane of the first slice's rows and columns; None where a file doesn't state what is needed."""
    facts = one.facts
    if not (first and first.orientation and facts and facts.orientation and facts.position and one.spacing):
        return None
    axes = np.reshape(first.orientation, (2, 3))
    row, column = np.reshape(facts.orientation, (2, 3))
    right, down = axes @ row * one.spacing[1], axes @ column * one.spacing[0]
    # ImagePositionPatient is the centre of the first pixel, which is at (0.5, 0.5) here.
    return _Plane(axes @ np.asarray(facts.position) - (right + down) / 2, right, down)


def _placed(index: int, peak: Peak, plane: _Plane) -> PlacedPeak:
    corners = np.array([plane.point(peak.left, peak.top), plane.point(peak.right, peak.bottom)])
    (u0, v0), (u1, v1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    cell = max(peak.cell[0] * np.hypot(*plane.right), peak.cell[1] * np.hypot(*plane.down))
    return PlacedPeak(index, peak, plane.point(peak.x, peak.y), (u0, v0), (u1, v1), float(cell))
