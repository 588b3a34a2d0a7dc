"""All slices of a series as a table: sortable, those that were not judged folded (`scripts/series.js`)."""

from collections.abc import Iterator
from html import escape
from itertools import groupby

from lungcnn import SeriesReport, SliceReport

from . import texts
from .say import say
from .views import class_name, minus, percent, reason_text


def table(report: SeriesReport) -> str:
    """The table, folded away."""
    head = "".join(
        f'<th scope="col"><button type="button" data-sort="{column}">{say(title)}</button></th>'
        for column, title in enumerate((*texts.TABLE_HEAD, *map(class_name, report.classes), texts.TABLE_REMARKS))
    )
    return (
        f'<details id="series-table"><summary>{say(texts.ALL_SLICES)}</summary><div class="scroll" tabindex="0">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(_rows(report))}</tbody></table></div></details>"
    )


def _rows(report: SeriesReport) -> Iterator[str]:
    """A row for each slice; neighbours that were not judged for one reason stand behind a row that unfolds them."""
    indices = range(len(report.slices))
    for run, (why, grouped) in enumerate(groupby(indices, lambda index: _why_not(report.slices[index]))):
        group = list(grouped)
        folded = bool(why) and len(group) > 1
        if folded:
            yield _fold(run, group, why, report)
        for index in group:
            yield _row(index, report, f' data-in="{run}" hidden' if folded else "")


def _why_not(one: SliceReport) -> str:
    return "" if one.probabilities else _why(one) or say(_said(one))


def _why(one: SliceReport) -> str:
    return " ".join(say(reason_text(reason)) for reason in one.reasons)


def _said(one: SliceReport) -> str:
    return texts.VERDICTS[one.verdict.call] if one.verdict else _not_said(one)


def _not_said(one: SliceReport) -> str:
    return texts.NOT_JUDGED if one.status == "refused" else texts.NOT_READ


def _fold(run: int, group: list[int], why: str, report: SeriesReport) -> str:
    first, last = group[0], group[-1]
    title = say(texts.FOLDED.format(first=first + 1, last=last + 1))
    return (
        f'<tr data-slices="{first}-{last}" data-from="{first}" data-row="{first}-{last}"><th scope="row" '
        f'data-value="{first + 1}"><button type="button" data-run="{run}" aria-expanded="false">{title}</button></th>'
        f"<td></td><td>{say(_said(report.slices[first]))}</td>{'<td></td>' * len(report.classes)}"
        f'<td class="why">{why}</td></tr>'
    )


def _row(index: int, report: SeriesReport, extra: str) -> str:
    one, place = report.slices[index], report.positions[index]
    shares = list(one.probabilities.values()) if one.probabilities else None
    cells = f'<td data-value="{"" if place is None else place}">{"–" if place is None else minus(f"{place:.1f}")}</td>'
    cells += f'<td data-value="{escape(_said(one)) if shares else ""}">{say(_said(one))}</td>'
    cells += "".join(
        f'<td data-value="{shares[label]:.6f}">{escape(percent(shares[label]))}</td>'
        if shares
        else '<td data-value="">–</td>'
        for label in range(len(report.classes))
    )
    codes = " ".join(reason.code for reason in one.reasons)
    return (
        f'<tr data-row="{index}"{extra}><th scope="row" data-value="{index + 1}"><button type="button" '
        f'data-slice="{index}">{index + 1}</button></th>{cells}<td class="why" data-value="{codes}">'
        f"{_why(one)}</td></tr>"
    )
