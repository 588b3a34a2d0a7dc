"""Reports in words, one line each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lungcnn.system import name_on_a_line

if TYPE_CHECKING:
    from lungcnn.results.series_report import SeriesReport
    from lungcnn.results.slice_report import SliceReport

SHOWN = 3  # findings, of those that there are


def slice_sentence(file: Path, report: SliceReport) -> str:
    """The file, then the verdict, the probabilities and the warnings, or why there are none; tabs part the columns."""
    name, warnings = name_on_a_line(str(file)), [warning.message for warning in report.warnings]
    if report.status != "ok":
        return f"{name}\t{report.status}\t" + " ".join([*(reason.message for reason in report.reasons), *warnings])
    shares = ", ".join(f"{kind} {share:.2f}" for kind, share in (report.probabilities or {}).items())
    verdict = report.verdict and report.verdict.sentence
    columns = [name, verdict, shares, report.set_in_words, " ".join(warnings)]
    return "\t".join(column for column in columns if column)


def series_sentence(name: str, report: SeriesReport, names: Sequence[str]) -> str:
    """The series, how many slices were judged, the first findings, the slices to look at first, and the notes.

    Args:
        name: of the series. names: of its slices.
    """
    judged = sum(one.status == "ok" for one in report.slices)
    words = [reason.message for reason in report.reasons] or [report.findings_in_words]
    if report.status != "ok" and report.slices:
        words += [f"The first: {reason.message}" for reason in report.slices[0].reasons[:1]]
    words += [finding.sentence for finding in report.findings[:SHOWN]]
    if report.suspicious:
        first = ", ".join(name_on_a_line(names[index]) for index in report.suspicious)
        words.append(f"Look first at {first}.")
    words += [note.message for note in report.notes]
    count = len(report.slices)
    return f"{name}\t{count} {'slice' if count == 1 else 'slices'}, {judged} judged\t" + " ".join(words)
