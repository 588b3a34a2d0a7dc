"""Reports in words, one line each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lungcnn.system import printable_name

if TYPE_CHECKING:
    from lungcnn.results.series_report import SeriesReport
    from lungcnn.results.slice_report import SliceReport

SHOWN = 3  # findings, of those that there are


def slice_sentence(file: Path, report: SliceReport) -> str:
    """The file, then the verdict, the probabilities and the warnings, or why there are none; tabs part the columns."""
    name, warnings = printable_name(str(file)), [warning.message for warning in report.warnings]
    if report.status != "ok":
        return f"{name}\t{report.status}\t" + " ".join([*(reason.message for reason in report.reasons), *warnings])
    shares = ", ".join(f"{kind} {share:.2f}" for kind, share in (report.probabilities or {}).items())
    verdict = report.verdict and report.verdict.sentence
    columns = [name, verdict, shares, report.set_in_words, " ".join(warnings)]
    return "\t".join(column for column in columns if column)


def series_sentence(report: SeriesReport, names: Sequence[str]) -> str:
    """How many slices were judged, the first findings, the slices to look at first by their names, and the notes."""
    judged = sum(one.status == "ok" for one in report.slices)
    words = [reason.message for reason in report.reasons] or [report.findings_in_words]
    words += [finding.sentence for finding in report.findings[:SHOWN]]
    if report.suspicious:
        names = ", ".join(printable_name(names[index]) for index in report.suspicious)
        words.append(f"Look first at {names}.")
    words += [note.message for note in report.notes]
    return f"{len(report.slices)} slices, {judged} judged\t" + " ".join(words)
