"""Results as HTML: pure functions of a slice and its report."""

import base64
from html import escape

from demo import texts
from lungcnn import (
    CLASSES,
    DISCLAIMER,
    METHODS,
    CTSlice,
    SliceReport,
    encode_png,
    render_overlay,
    render_slice,
    sanity_sentence,
)


def percent(share: float) -> str:
    """A share 0 to 1 as a whole percentage; the ends are kept for certainty."""
    if 0 < share < 0.01:
        return "< 1 %"
    if 0.99 < share < 1:
        return "> 99 %"
    return f"{share:.0%}".replace("%", " %")


def viewer(ct_slice: CTSlice | None = None, report: SliceReport | None = None) -> str:
    """Slice and overlay side by side, at the slice's own resolution and in its pixels' true shape."""
    if ct_slice is None:
        return f'<div class="viewer empty" role="status">{escape(texts.EMPTY_VIEW)}</div>'
    left = _figure("slice", ct_slice, render_slice(ct_slice), texts.SLICE_ALT, escape(texts.SLICE))
    explanation = report and report.explanation
    if not explanation:
        right = f'<div class="empty">{escape(texts.NO_OVERLAY)}</div>'
    else:
        name = explanation.class_name
        caption = texts.OVERLAY.format(name=escape(name), method=escape(METHODS[explanation.method].title))
        picture = render_overlay(ct_slice, report)
        right = _figure("overlay", ct_slice, picture, texts.OVERLAY_ALT.format(name=name), caption + _legend())
    return f'<div class="viewer">{left}{right}</div>'


def _figure(name: str, ct_slice: CTSlice, picture, alt: str, caption: str) -> str:
    rows, columns = picture.shape[:2]
    data = base64.b64encode(encode_png(picture)).decode()
    shape = f"aspect-ratio: {columns} / {rows * ct_slice.aspect:.3f}"
    return (
        f'<figure><img id="{name}" src="data:image/png;base64,{data}" alt="{escape(alt)}" '
        f'width="{columns}" height="{rows}" style="{shape}"><figcaption>{caption}</figcaption></figure>'
    )


def _legend() -> str:
    low, high = escape(texts.BAR_LOW), escape(texts.BAR_HIGH)
    return f'<span class="legend"><span>{low}</span><span class="colour-bar"></span><span>{high}</span></span>'


def result(report: SliceReport | None = None) -> str:
    """What the model says of a slice, or why it says nothing."""
    if report is None:
        return f'<div class="result empty">{escape(texts.EMPTY_RESULT)}</div>{_disclaimer()}'
    if report.status != "ok":
        title = texts.REFUSED if report.status == "refused" else texts.ERROR
        return message(title, " ".join(reason.message for reason in report.reasons))
    parts = [
        f'<h3>{texts.PREDICTION}</h3><p id="prediction" class="prediction">{escape(report.prediction)}</p>',
        f"<h3>{texts.PROBABILITIES}</h3>",
        bars(report.probabilities, report.prediction),
        _set(report),
        f'<h3>{texts.CHECK}</h3><p id="check">{escape(check_sentence(report))}</p>',
        _numbers(report),
        f'<p class="small">{escape(_cells(report))}</p>',
    ]
    if report.warnings:
        notes = "".join(f"<li>{escape(note.message)}</li>" for note in report.warnings)
        parts.append(f'<h3>{texts.NOTES}</h3><ul id="notes">{notes}</ul>')
    return f'<div class="result" role="status" aria-live="polite">{"".join(parts)}</div>{_disclaimer()}'


def sanity(card) -> str:
    """What randomising the model did to its maps, as Markdown; empty for a model where that was not measured."""
    found = card.figures.get("sanity") if card else None
    return f"\n**{texts.SANITY}** {sanity_sentence(found)}\n" if found else ""


def message(title: str, text: str) -> str:
    """A box with a sentence for the user, in place of a result."""
    box = f'<div id="message" class="result message" role="alert"><h3>{escape(title)}</h3><p>{escape(text)}</p></div>'
    return box + _disclaimer()


def bars(probabilities: dict[str, float], prediction: str) -> str:
    """Probabilities as a list of labelled bars, in the fixed order of the classes."""
    rows = []
    for name in CLASSES:
        share = probabilities[name]
        mark = ' class="predicted"' if name == prediction else ""
        rows.append(
            f'<li{mark} data-class="{name}" data-probability="{share:.4f}"><span class="name">{name}</span>'
            f'<span class="track" aria-hidden="true">'
            f'<span class="fill {name}" style="width: {100 * share:.1f}%"></span></span>'
            f'<span class="number">{escape(percent(share))}</span></li>'
        )
    return f'<ul id="probabilities" class="bars">{"".join(rows)}</ul>'


def check_sentence(report: SliceReport) -> str:
    """One sentence on whether the heatmap can be believed, from the checks' numbers."""
    explanation = report.explanation
    checks = explanation.faithfulness
    if explanation.peak_xy is None or checks is None:
        return texts.NOTHING.format(name=explanation.class_name)
    return f"{checks.sentence} {checks.hidden_sentence(explanation.class_name).capitalize()}"


def _numbers(report: SliceReport) -> str:
    """The checks' figures, folded away."""
    checks = report.explanation.faithfulness
    if checks is None:
        return ""
    values = {
        "deletion": f"{checks.deletion_auc:.2f} ({checks.random_deletion_auc:.2f})",
        "insertion": f"{checks.insertion_auc:.2f} ({checks.random_insertion_auc:.2f})",
        "where": " / ".join(percent(share) for share in (checks.in_lungs, checks.in_body, checks.outside)),
        "residual": _signed(checks.completeness_residual),
        "stability": _signed(checks.stability),
        "agreement": _signed(checks.agreement),
    }
    rows = "".join(
        f"<tr><th scope='row'>{escape(texts.CHECK_ROWS[name])}</th><td>{escape(value)}</td></tr>"
        for name, value in values.items()
    )
    return f'<details id="numbers"><summary>{texts.NUMBERS}</summary><table>{rows}</table></details>'


def _signed(value: float | None) -> str:
    return texts.NOT_KNOWN if value is None else f"{value:.2f}".replace("-0.00", "0.00")


def _set(report: SliceReport) -> str:
    if report.prediction_set is None:
        return ""
    everything = len(report.prediction_set) == len(CLASSES)
    text = texts.SET_ALL if everything else texts.SET.format(names=" or ".join(report.prediction_set))
    return f'<p id="prediction-set">{escape(text)}</p>'


def _cells(report: SliceReport) -> str:
    rows, columns = report.explanation.cells.shape
    if report.explanation.cell_mm is None:
        return texts.CELL_UNKNOWN.format(rows=rows, columns=columns)
    height, width = report.explanation.cell_mm
    return texts.CELL.format(rows=rows, columns=columns, height=height, width=width)


def _disclaimer() -> str:
    return f'<p class="disclaimer">{escape(DISCLAIMER)}</p>'
