"""Findings against a known tumour."""

import pytest

from lungcnn.evaluation.series_findings import measure_findings
from lungcnn.results.finding import Finding
from lungcnn.results.series_report import SeriesReport
from lungcnn.results.slice_report import SliceReport


def finding(x, y, first, last, malignant):
    return Finding((first, last), None, first, (x, y), (x, y, x, y), (1, 1, 1), malignant, malignant >= 0.5, 0.5)


def report_of(*findings):
    return SeriesReport("ok", (SliceReport("ok"),) * 9 + (SliceReport("refused"),), (None,) * 10, findings)


TUMOUR = {4: (100.0, 200.0, 140.0, 240.0), 5: (100.0, 200.0, 140.0, 240.0)}


@pytest.mark.parametrize(
    ("x", "y", "first", "last", "rank"),
    [
        (120, 220, 3, 4, 2),
        (155, 220, 5, 6, 2),  # 7.5 mm beside it
        (157, 220, 5, 6, None),  # 8.5 mm
        (152, 265, 4, 5, None),  # 6 mm beside and 25 below
        (120, 220, 6, 8, None),  # at its place, above its last slice
    ],
)
def test_the_tumours_place_among_the_findings(x, y, first, last, rank):
    report = report_of(finding(300, 300, 1, 2, 0.9), finding(x, y, first, last, 0.8), finding(10, 10, 1, 2, 0.3))
    figures = measure_findings(report, TUMOUR, (1.0, 0.5))
    assert figures["rank"] == rank
    assert figures["malignant"] == (0.8 if rank else None)
    assert (figures["findings"], figures["above"], figures["false_above"]) == (3, 2, 1 if rank else 2)
    assert figures["malignant_false"] == 0.9
    assert (figures["slices"], figures["judged"]) == (10, 9)


def test_in_a_healthy_series_every_finding_is_false():
    figures = measure_findings(report_of(finding(1, 1, 1, 2, 0.6)), {}, (1.0, 1.0))
    assert (figures["false_above"], "rank" in figures) == (1, False)
    assert measure_findings(report_of(), {}, (1.0, 1.0))["malignant_false"] is None
