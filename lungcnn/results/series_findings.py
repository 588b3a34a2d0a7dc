"""From the peaks of a series' slices to findings: what stays at one place over neighbouring slices.

Peaks of two slices belong together where each is the other's nearest, no farther than `REACH_CELLS` cells of the map,
and no slice that was judged lies between, but for a few mm. Chains of them are cut where their evidence falls below
half of its peak (`peaks.SHARE`); what is left is a finding if it persists. A dome of the diaphragm or a vessel
that lights up on one slice is none. The bounds are what a map of some 15 mm a cell can tell; they were set on phantoms
and on one series (LIDC-0001) and hold for nothing else until `tools/finding_figures.py` says so.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lungcnn.explaining.peaks import SHARE
from lungcnn.results.finding import Finding
from lungcnn.results.series_places import PlacedPeak, SlicePeaks, place_peaks

# Peaks of neighbouring slices are one place up to this distance, in cells: half a cell is rounding on either side.
REACH_CELLS = 1.5
# A finding is at least so long, and on two slices or more; one slice is enough where it is thicker than that.
LEAST_MM = 5.0
# Judged slices without the peak are passed over up to this distance, and what nobody judged up to that one.
DIP_MM, UNJUDGED_MM = 5.0, 15.0
# Without positions: so many slices that weren't judged.
UNJUDGED_SLICES = 3
# Places are looked for from this share of the operating point: what is below it is told, and told to be below.
FROM = 0.5
# The operating point of a model without one, to look for places at all.
NO_OPERATING_POINT = 0.5
_ROUNDING = 1e-3


def least_probability(operating_point: float | None) -> float:
    """The probability from which a place on a slice may be part of a finding."""
    return FROM * (NO_OPERATING_POINT if operating_point is None else operating_point)


def find_findings(
    judged: Sequence[SlicePeaks],
    positions: Sequence[float | None],
    spacing_mm: float | None,
    operating_point: float | None,
    class_name: str = "malignant",
) -> tuple[Finding, ...]:
    """Findings of a series, the most suspicious first.

    Args:
        judged: of each slice that was judged, in any order. positions: of all slices, mm along the normal.
        spacing_mm: the usual distance between slices, or None. class_name: the suspicious class.
    """
    judged = sorted(judged, key=lambda one: one.index)
    stated = [one.facts.thickness for one in judged if one.facts]
    thickness = min((mm for mm in (*stated, spacing_mm) if mm), default=0.0)
    along = _Along(positions, spacing_mm or thickness, thickness, [one.index for one in judged])
    nodes, in_mm = place_peaks(judged)
    found = [
        _finding(run, along, in_mm, operating_point, class_name)
        for chain in _chains(nodes, along)
        for run in _runs(chain, along)
    ]
    return tuple(sorted(found, key=lambda one: (-one.malignant, -one.evidence_share, one.slices, one.peak_xy)))


@dataclass(frozen=True)
class _Along:
    """Distances along a series, between slices given by their index; mm.

    Attributes:
        thickness: of a slice: what it covers by itself, at most the distance to the next.
    """

    positions: Sequence[float | None]
    spacing: float
    thickness: float
    judged: list[int]

    def place(self, index: int) -> float | None:
        return self.positions[index]

    def neighbours(self, rank: int) -> Iterator[int]:
        """Later judged slices, by rank among the judged, that a place may be followed to from the one at `rank`."""
        here = self.judged[rank]
        for later in range(rank + 1, len(self.judged)):
            there = self.judged[later]
            start, end = self.place(here), self.place(there)
            if start is None or end is None:
                near = later == rank + 1 and there - here <= UNJUDGED_SLICES + 1
            else:
                far = UNJUDGED_MM if later == rank + 1 else DIP_MM
                near = abs(end - start) <= far + _ROUNDING
            if not near:
                return
            yield later

    def length(self, first: int, last: int) -> float | None:
        """Of what covers two slices and all between, in mm: a slice stands for the distance to the next."""
        start, end = self.place(first), self.place(last)
        if start is None or end is None:
            return None
        return abs(end - start) + self.spacing

    def persists(self, first: int, last: int, count: int) -> bool:
        if count == 1:
            return self.thickness > LEAST_MM + _ROUNDING
        length = self.length(first, last)
        return length is None or length >= LEAST_MM - _ROUNDING


def _chains(nodes: dict[int, list[PlacedPeak]], along: _Along) -> list[list[PlacedPeak]]:
    """Peaks that follow each other from slice to slice, each in one chain."""
    after: dict[PlacedPeak, PlacedPeak] = {}
    before: dict[PlacedPeak, PlacedPeak] = {}
    pairs = []
    for rank, index in enumerate(along.judged):
        for later in along.neighbours(rank):
            pairs += [(later - rank, *pair) for pair in _matches(nodes[index], nodes[along.judged[later]])]
    # Nearest slices first; what is passed over has no match in between, on either side.
    for _, one, other in sorted(pairs, key=lambda pair: pair[0]):
        if one not in after and other not in before:
            after[one], before[other] = other, one
    chains = []
    for start in (node for index in along.judged for node in nodes[index] if node not in before):
        chain = [start]
        while chain[-1] in after:
            chain.append(after[chain[-1]])
        chains.append(chain)
    return chains


def _matches(lower: list[PlacedPeak], upper: list[PlacedPeak]) -> Iterator[tuple[PlacedPeak, PlacedPeak]]:
    """Peaks of two slices that are each other's nearest, and near."""
    if not lower or not upper:
        return
    between = np.array([one.at for one in lower])[:, None] - np.array([one.at for one in upper])
    cells = np.maximum.outer([one.cell for one in lower], [one.cell for one in upper])
    apart = np.hypot(between[..., 0], between[..., 1]) / cells
    for i, j in enumerate(apart.argmin(axis=1)):
        if apart[:, j].argmin() == i and apart[i, j] <= REACH_CELLS:
            yield lower[i], upper[j]


def _runs(chain: list[PlacedPeak], along: _Along) -> Iterator[list[PlacedPeak]]:
    """The parts of a chain that stay at the place of a peak and persist.

    What leads down from a peak, or away from its place, is no finding of its own.
    """
    waiting = [chain]
    while waiting:
        part = waiting.pop()
        if not part:
            continue
        strengths = [node.peak.strength for node in part]
        top = int(np.argmax(strengths))
        strong = [strength >= SHARE * strengths[top] for strength in strengths]
        first, last = _stretch(top, [one and _near(part[top], node) for one, node in zip(strong, part, strict=True)])
        run = part[first : last + 1]
        if not along.persists(run[0].slice, run[-1].slice, len(run)):
            waiting.append(part[:first] + part[last + 1 :])  # as though it had not lit up
            continue
        yield run
        first, last = _stretch(top, strong)
        while first > 0 and strengths[first - 1] <= strengths[first]:
            first -= 1
        while last + 1 < len(part) and strengths[last + 1] <= strengths[last]:
            last += 1
        waiting += [part[:first], part[last + 1 :]]


def _stretch(start: int, inside: list[bool]) -> tuple[int, int]:
    """First and last of the true values that hang together with the one at `start`."""
    first = last = start
    while first > 0 and inside[first - 1]:
        first -= 1
    while last + 1 < len(inside) and inside[last + 1]:
        last += 1
    return first, last


def _near(one: PlacedPeak, other: PlacedPeak) -> bool:
    return math.dist(one.at, other.at) <= REACH_CELLS * max(one.cell, other.cell)


def _kept(run: list[PlacedPeak], along: _Along) -> float:
    """The highest probability that a run keeps over a stretch that persists: a spike on one slice doesn't count."""
    highest = 0.0
    for first, start in enumerate(run):
        lowest = start.peak.malignant
        for count, node in enumerate(run[first:], 1):
            lowest = min(lowest, node.peak.malignant)
            if along.persists(start.slice, node.slice, count):
                highest = max(highest, lowest)
                break
    return highest


def _finding(
    run: list[PlacedPeak], along: _Along, in_mm: bool, operating_point: float | None, class_name: str
) -> Finding:
    middle = (run[0].slice + run[-1].slice) / 2
    top = max(run, key=lambda node: (node.peak.malignant, node.peak.strength, -abs(node.slice - middle)))
    first, last, peak, malignant = run[0].slice, run[-1].slice, top.peak, _kept(run, along)
    start, end = along.place(first), along.place(last)
    across, down = (max(node.high[axis] for node in run) - min(node.low[axis] for node in run) for axis in (0, 1))
    return Finding(
        slices=(first, last),
        position_mm=None if start is None or end is None else (start, end),
        peak_slice=top.slice,
        peak_xy=(peak.x, peak.y),
        box_xy=(peak.left, peak.top, peak.right, peak.bottom),
        extent_mm=(across if in_mm else None, down if in_mm else None, along.length(first, last)),
        malignant=malignant,
        above_operating_point=None if operating_point is None else malignant >= operating_point,
        evidence_share=peak.share,
        class_name=class_name,
    )
