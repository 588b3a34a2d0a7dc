"""Findings of a series against where its tumour is."""

from collections.abc import Mapping

import numpy as np

from lungcnn.results.finding import Finding
from lungcnn.results.series_report import SeriesReport

Box = tuple[float, float, float, float]
# A finding's peak is the middle of a cell: it may lie about half a cell off the tumour.
TOLERANCE_MM = 8.0


def measure_findings(report: SeriesReport, tumour: Mapping[int, Box], spacing: tuple[float, float]) -> dict:
    """How a series' findings do.

    Args:
        tumour: left, top, right and bottom of the tumour in pixels, by index of the slice; empty for a healthy series.
        spacing: row and column distance of the pixels, mm.

    Returns:
        "slices", "judged", "findings", "above" (at or above the operating point), "false_above" (of those, not the
        tumour's), "malignant_false" (the highest probability of a false finding, or None) and, where there is a tumour,
        its "rank" among the findings (1 is the first, None where it is in none) and "malignant" (its probability).
    """
    hits = [_hits(one, tumour, spacing) for one in report.findings]
    false = [one for one, hit in zip(report.findings, hits, strict=True) if not hit]
    figures = {
        "slices": len(report.slices),
        "judged": sum(one.status == "ok" for one in report.slices),
        "findings": len(hits),
        "above": sum(one.above_operating_point is True for one in report.findings),
        "false_above": sum(one.above_operating_point is True for one in false),
        "malignant_false": round(false[0].malignant, 4) if false else None,
    }
    if tumour:
        rank = hits.index(True) if any(hits) else None
        figures["rank"] = None if rank is None else rank + 1
        figures["malignant"] = None if rank is None else round(report.findings[rank].malignant, 4)
    return figures


def _hits(finding: Finding, tumour: Mapping[int, Box], spacing: tuple[float, float]) -> bool:
    """Whether a finding's peak lies on the tumour, or beside it, as one of the finding's slices shows it."""
    first, last = finding.slices
    x, y = finding.peak_xy
    for index, (left, top, right, bottom) in tumour.items():
        off = max(left - x, x - right, 0.0) * spacing[1], max(top - y, y - bottom, 0.0) * spacing[0]
        if first <= index <= last and float(np.hypot(*off)) <= TOLERANCE_MM:
            return True
    return False
