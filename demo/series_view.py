"""A series as HTML: the probability profile, where to look first, and a table of all slices."""

from html import escape

import numpy as np

from lungcnn import ModelCard, Reading, SeriesReport

from . import texts
from .views import class_name, percent

FINDINGS = 5  # listed at once
# The plot is stretched to the page's width; its labels are not, so that they can be read on a phone.
WIDTH, HEIGHT, MARGIN = 900, 100, 4


def overview(report: SeriesReport, reading: Reading, card: ModelCard | None) -> str:
    """All about the series as a whole. Elements with `data-slice` lead to that slice (`viewer.js`)."""
    title = (texts.SERIES_TITLE if report.ordered else texts.LIST_TITLE).format(count=len(report.slices))
    parts = [f'<div class="series-head"><h2>{title}</h2>{_first(report)}</div>', profile(report, card)]
    if not report.reasons:
        parts.append(_findings(report))
    remarks = [note.message for note in (*report.reasons, *report.notes)]
    aside = len(reading.set_aside)
    if aside:
        remarks.append(texts.SET_ASIDE.format(count=aside, reason=reading.set_aside[0].reason.message))
    if remarks:
        items = "".join(f"<li>{escape(text)}</li>" for text in remarks)
        parts.append(f'<ul id="series-notes" class="quiet">{items}</ul>')
    parts.append(_table(report))
    return f'<section class="series" aria-label="{title}">{"".join(parts)}</section>'


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
    return f'<p class="first"><span class="quiet">{first}</span> {buttons}</p>' if buttons else ""


def _findings(report: SeriesReport) -> str:
    """What persists over neighbouring slices, each with a button to its strongest slice."""
    items = [
        f'<li><button type="button" data-slice="{one.peak_slice}" class="jump">{one.peak_slice + 1} '
        f"<span>({percent(one.malignant)})</span></button> {escape(one.sentence)}</li>"
        for one in report.findings
    ]
    listed = f"<ol>{''.join(items[:FINDINGS])}</ol>" if items else ""
    if more := items[FINDINGS:]:
        listed += (
            f"<details><summary>{texts.MORE_FINDINGS.format(count=len(more))}</summary>"
            f'<ol start="{FINDINGS + 1}">{"".join(more)}</ol></details>'
        )
    return f'<div id="series-findings"><p>{escape(report.findings_in_words)}</p>{listed}</div>'


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
        limits += (
            f'<line x1="0" x2="{WIDTH}" y1="{_y(threshold):.1f}" y2="{_y(threshold):.1f}" class="threshold">'
            f"<title>{texts.OPERATING_TITLE} {percent(threshold)}</title></line>"
        )
        dotted = texts.THRESHOLD_LEGEND.format(name=class_name(report.classes.suspicious or ""))
    now = f'<line id="profile-now" x1="0" x2="0" y1="0" y2="{HEIGHT}"/>'
    legend = "".join(
        f'<span><svg viewBox="0 0 24 6" aria-hidden="true"><path d="M0 3H24" class="curve of-{name}"/></svg>'
        f"{class_name(name)}</span>"
        for name in report.classes
    )
    ends = f'<div class="ends" aria-hidden="true"><span>{texts.FEET}</span><span>{texts.HEAD}</span></div>'
    ends = ends if report.ordered else ""
    return (
        f'<div class="profile quiet"><div class="shares" aria-hidden="true">{shares}</div>'
        f'<svg id="profile" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{texts.PROFILE_LABEL}" data-count="{count}">{limits}{"".join(lines)}{now}</svg>{ends}</div>'
        f'<p class="legend quiet">{legend}<span>{dotted}</span></p>'
    )


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


def _table(report: SeriesReport) -> str:
    titles = (*texts.TABLE_HEAD, *map(class_name, report.classes), texts.TABLE_REMARKS)
    head = "".join(f"<th scope='col'>{title}</th>" for title in titles)
    rows = []
    for index, (one, place) in enumerate(zip(report.slices, report.positions, strict=True)):
        shares = ["–"] * len(report.classes)
        if one.probabilities:
            shares = [percent(share) for share in one.probabilities.values()]
        not_said = texts.NOT_JUDGED if one.status == "refused" else texts.NOT_READ
        said = texts.VERDICTS[one.verdict.call] if one.verdict else not_said
        why = " ".join(reason.message for reason in one.reasons)
        cells = "".join(
            f"<td>{escape(cell)}</td>" for cell in ("–" if place is None else f"{place:.1f}", said, *shares)
        )
        rows.append(
            f'<tr data-row="{index}"><th scope="row"><button type="button" data-slice="{index}">{index + 1}</button>'
            f"</th>{cells}<td class='why'>{escape(why)}</td></tr>"
        )
    return (
        f'<details id="series-table"><summary>{texts.ALL_SLICES}</summary><div class="scroll" tabindex="0">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def titles(reading: Reading) -> list[tuple[str, int]]:
    """The series of an upload for a list: what they are called in their files may name a patient, so it isn't shown."""
    found = []
    for number, series in enumerate(reading.series):
        spacing = texts.SPACING.format(mm=f"{series.spacing_mm:g}") if series.spacing_mm else ""
        found.append((texts.ONE_SERIES.format(number=number + 1, count=len(series), spacing=spacing), number))
    return found
