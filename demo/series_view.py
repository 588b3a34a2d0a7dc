"""A series as HTML: the probability profile, where to look first, and a table of all slices."""

from collections import Counter

import numpy as np

from lungcnn import ModelCard, Reading, Series, SeriesReport

from . import texts
from .say import attribute, key_of, say
from .series_table import table
from .views import class_name, details, percent, reason_text

FINDINGS = 5  # listed at once
# The plot is stretched to the page's width; its labels are not, so that they can be read on a phone.
WIDTH, HEIGHT, MARGIN = 900, 100, 4


def overview(report: SeriesReport, reading: Reading, card: ModelCard | None, number: int = 0) -> str:
    """All about one of an upload's series, its `number`.

    Elements with `data-slice` lead to that slice (`scripts/series.js`).
    """
    title = (texts.SERIES_TITLE if report.ordered else texts.LIST_TITLE).format(count=len(report.slices))
    parts = [f'<div class="series-head"><h2>{say(title)}</h2>{_first(report)}</div>', profile(report, card)]
    if not report.reasons:
        parts.append(_findings(report))
    parts.append(_notes(report, reading, reading.series[number]))
    parts.append(table(report))
    return f'<section class="series"{attribute("aria-label", title)}>{"".join(parts)}</section>'


def _notes(report: SeriesReport, reading: Reading, series: Series) -> str:
    """What to know of the series, and the exact sentences folded away."""
    aside = Counter(one.reason.code for one in series.set_aside)
    exact = [*report.reasons, *report.notes]
    notes = []
    for note in exact:
        if note.code in aside:
            notes.append(texts.ASIDE[note.code].format(count=aside[note.code]))
        elif note.code == "gap":
            first = series.gaps[0]
            said = texts.GAPS.format(count=len(series.gaps), mm=f"{first.mm:.1f}", number=first.after + 1)
            notes.append(said)
        else:
            notes.append(reason_text(note))
    if reading.set_aside:
        exact.append(reading.set_aside[0].reason)
        notes.append(texts.SET_ASIDE.format(count=len(reading.set_aside), reason=reason_text(exact[-1])))
    items = "".join(f"<li>{say(note)}</li>" for note in notes)
    return f'<ul id="series-notes" class="quiet">{items}</ul>{details(exact)}' if notes else ""


def _first(report: SeriesReport) -> str:
    """Buttons to the slices to look at first."""
    suspect = report.classes.suspect
    if suspect is None:
        return ""
    buttons = "".join(
        f'<button type="button" data-slice="{index}" class="jump">{index + 1} '
        f"<span>({percent(float(report.profile[index, suspect]))})</span></button>"
        for index in report.suspicious
    )
    first = texts.LOOK_FIRST.format(name=class_name(report.classes.suspicious or ""))
    return f'<p class="first"><span class="quiet">{say(first)}</span> {buttons}</p>' if buttons else ""


def _findings(report: SeriesReport) -> str:
    """What persists over neighbouring slices, each with a button to its strongest slice."""
    name = class_name(report.classes.suspicious or "")
    items = [
        f'<li data-slices="{one.slices[0]}-{one.slices[1]}">'
        f'<button type="button" data-slice="{one.peak_slice}" class="jump">{one.peak_slice + 1} '
        f"<span>({percent(one.malignant)})</span></button> {say(one.in_words(texts.FINDING_WORDS, name))}</li>"
        for one in report.findings
    ]
    listed = f"<ol>{''.join(items[:FINDINGS])}</ol>" if items else ""
    if more := items[FINDINGS:]:
        listed += (
            f"<details><summary>{say(texts.MORE_FINDINGS.format(count=len(more)))}</summary>"
            f'<ol start="{FINDINGS + 1}">{"".join(more)}</ol></details>'
        )
    return f'<div id="series-findings"><p>{say(report.findings_told(texts.FINDING_WORDS, name))}</p>{listed}</div>'


def profile(report: SeriesReport, card: ModelCard | None) -> str:
    """Probabilities along the series, as SVG: slices from the feet (left) to the head; gaps where none was judged.

    Pictures of a list, which state no place, stand beside each other: no line joins them, and there is no axis.
    """
    count = len(report.slices)
    lines = []
    for label, name in enumerate(report.classes):
        path = _path(report.profile[:, label], joined=report.ordered)
        lines.append(f'<path d="{path}" class="curve of-{name}"/>')
    limits = "".join(
        f'<line x1="0" x2="{WIDTH}" y1="{_y(value)}" y2="{_y(value)}" class="rule"/>' for value in (0, 0.5, 1)
    )
    shares = "".join(f"<span>{percent(value)}</span>" for value in (1, 0.5, 0))
    threshold, dotted = card.calibration.malignant_threshold if card else None, ""
    if threshold is not None:
        point = texts.OPERATING_AT.format(threshold=percent(threshold))
        limits += (
            f'<line x1="0" x2="{WIDTH}" y1="{_y(threshold):.1f}" y2="{_y(threshold):.1f}" class="threshold">'
            f"<title{key_of(point)}>{point}</title></line>"
        )
        dotted = texts.THRESHOLD_LEGEND.format(name=class_name(report.classes.suspicious or ""))
    spans = "".join(_span(number, one.slices, count) for number, one in enumerate(report.findings[:FINDINGS], 1))
    now = f'<line id="profile-now" x1="0" x2="0" y1="0" y2="{HEIGHT}"/>'
    legend = "".join(
        f'<span><svg viewBox="0 0 24 6" aria-hidden="true"><path d="M0 3H24" class="curve of-{name}"/></svg>'
        f"{say(class_name(name))}</span>"
        for name in report.classes
    )
    ends = f'<div class="ends" aria-hidden="true"><span>{say(texts.FEET)}</span><span>{say(texts.HEAD)}</span></div>'
    ends = ends if report.ordered else ""
    return (
        f'<div class="profile quiet"><div class="shares" aria-hidden="true">{shares}</div>'
        f'<svg id="profile" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img"'
        f'{attribute("aria-label", texts.PROFILE_LABEL)} data-count="{count}">'
        f"{spans}{limits}{''.join(lines)}{now}</svg>{ends}</div>"
        f'<p class="legend quiet">{legend}<span>{say(dotted)}</span></p>'
    )


def _span(number: int, slices: tuple[int, int], count: int) -> str:
    """Over which slices a finding reaches."""
    first, last = slices
    left, width = first * WIDTH / count, (last - first + 1) * WIDTH / count
    title = texts.FINDING_SPAN.format(number=number, first=first + 1, last=last + 1)
    place = f'x="{left:.1f}" width="{width:.1f}" y="0" height="{HEIGHT}"'
    return f'<rect class="span" {place}><title{key_of(title)}>{title}</title></rect>'


def _path(values: np.ndarray, joined: bool) -> str:
    """Lines between neighbours where they are joined, a short stroke for a slice alone."""
    steps, before = [], False
    alone = 1 if joined else 0.2 * WIDTH / len(values)
    for index, value in enumerate(values):
        if np.isnan(value):
            before = False
            continue
        x, y = _x(index, len(values)), _y(float(value))
        steps.append(
            f"L{x:.1f} {y:.1f}" if before else f"M{x - alone:.1f} {y:.1f}L{x if joined else x + alone:.1f} {y:.1f}"
        )
        before = joined
    return "".join(steps)


def _x(index: int, count: int) -> float:
    return (index + 0.5) * WIDTH / count


def _y(share: float) -> float:
    return MARGIN + (1 - share) * (HEIGHT - 2 * MARGIN)


def titles(reading: Reading) -> list[tuple[str, int]]:
    """The series of an upload for a list: what they are called in their files may name a patient, so it isn't shown."""
    found = []
    for number, series in enumerate(reading.series):
        spacing = texts.SPACING.format(mm=f"{series.spacing_mm:g}") if series.spacing_mm else ""
        found.append((texts.ONE_SERIES.format(number=number + 1, count=len(series), spacing=spacing), number))
    return found
