"""Results as HTML: pure functions of a report and its model's card."""

from html import escape

from demo import texts
from lungcnn import DISCLAIMER, Explanation, ModelCard, Reason, SliceReport

UNLIKE_TRAINING = "unlike_training"


def percent(share: float) -> str:
    """A share 0 to 1 as a whole percentage; the ends are kept for certainty."""
    if 0 < share < 0.01:
        return "< 1\u00a0%"
    if 0.99 < share < 1:
        return "> 99\u00a0%"
    return f"{share:.0%}".replace("%", "\u00a0%")


# ---------------------------------------------------------------- what the model says


def result(report: SliceReport | None = None, where: str = "") -> str:
    """What the model says of a slice, or why it says nothing; `where` is the slice's place in its series."""
    if report is None:
        return f'<div class="result"><h2>{texts.SAYS}</h2><p class="quiet">{escape(texts.EMPTY_RESULT)}</p></div>'
    if report.prediction is None or report.probabilities is None:
        title = texts.REFUSED if report.status == "refused" else texts.ERROR
        title = f"{where}: {title}" if where else title
        return message(title, " ".join(reason.message for reason in report.reasons))
    title = f"{where}: {texts.SAYS[0].lower()}{texts.SAYS[1:]}" if where else texts.SAYS
    return (
        f'<div class="result" role="status" aria-live="polite"><h2>{title}</h2>'
        f'<p class="prediction"><span class="quiet">{texts.PREDICTION}</span> '
        f'<strong id="prediction">{escape(report.prediction)}</strong></p>'
        f"{bars(report.probabilities, report.prediction)}{_set(report)}</div>"
    )


def working(step: str, detail: str = "") -> str:
    """The steps of the way, the current one marked; `detail` says how far it is."""
    usual = ("read", "series", "check") if step == "series" else ("read", "judge", "check")
    names = [name for name in texts.STEPS if name == step or name in usual]
    rows, done = [], True
    for name in names:
        now = name == step
        done = done and not now
        kind, sign = ("now", "▸") if now else ("done", "✓") if done else ("later", "·")
        current = ' aria-current="step"' if now else ""
        rows.append(
            f'<li class="{kind}"{current}><span aria-hidden="true">{sign}</span> {texts.STEPS[name]}'
            f"{' ' + escape(detail) if now and detail else ''}</li>"
        )
    return (
        f'<div class="result working" role="status" aria-live="polite"><h2>{texts.WORKING}</h2>'
        f'<ol class="steps">{"".join(rows)}</ol></div>'
    )


def in_line(ahead: int) -> str:
    """A visitor whose turn has not come."""
    return (
        f'<div class="result working" role="status" aria-live="polite"><h2>{texts.IN_LINE}</h2>'
        f"<p>{texts.AHEAD.format(count=ahead)}</p></div>"
    )


def message(title: str, text: str) -> str:
    """A box with a sentence for the user, in place of a result."""
    return (
        f'<div id="message" class="result message" role="alert"><h2><span aria-hidden="true">✕</span> {escape(title)}'
        f"</h2><p>{escape(text)}</p></div>"
    )


def notice(title: str, text: str) -> str:
    """A quiet word in place of a result, where nothing went wrong."""
    return f'<div class="result" role="status"><h2>{escape(title)}</h2><p class="quiet">{escape(text)}</p></div>'


def bars(probabilities: dict[str, float], prediction: str) -> str:
    """Probabilities as a list of labelled bars, in the fixed order of the classes."""
    rows = []
    for name, share in probabilities.items():
        mark = ' class="predicted"' if name == prediction else ""
        rows.append(
            f'<li{mark} data-class="{name}" data-probability="{share:.4f}"><span class="name">{name}</span>'
            f'<span class="track" aria-hidden="true">'
            f'<span class="fill of-{name}" style="width: {100 * share:.1f}%"></span></span>'
            f'<span class="number">{escape(percent(share))}</span></li>'
        )
    return f'<ul id="probabilities" class="bars">{"".join(rows)}</ul>'


def _set(report: SliceReport) -> str:
    return f'<p id="prediction-set">{escape(report.set_in_words)}</p>' if report.set_in_words else ""


# ---------------------------------------------------------------- can I trust it


def trust(report: SliceReport | None, card: ModelCard | None, pending: bool = False) -> str:
    """What speaks for and against the result; empty where there is none.

    Args:
        pending: the heatmap's checks are under way.
    """
    if report is None or report.prediction is None or report.probabilities is None or report.explanation is None:
        return ""
    rows = [
        _gate(report),
        _training(report, card),
        _confidence(report.probabilities[report.prediction], card),
        _operating(report, card),
        _heatmap(report.explanation, pending),
    ]
    return f'<section class="trust"><h2>{texts.TRUST}</h2>{"".join(rows)}</section>'


def _row(name: str, mark: str, title: str, text: str, what: str, more: str = "") -> str:
    """One point: a mark that is also a word, a sentence, and what it means.

    `text` and `more` are HTML.
    """
    sign, word = texts.MARKS[mark]
    return (
        f'<div class="point {mark}" id="trust-{name}"><span class="mark" title="{word}" role="img" aria-label="{word}">'
        f'{sign}</span><div><h3>{title}</h3>{text}{more}<details class="what"><summary>{texts.WHAT}</summary>'
        f"<p>{escape(what)}</p></details></div></div>"
    )


def _gate(report: SliceReport) -> str:
    remarks = [warning for warning in report.warnings if warning.code != UNLIKE_TRAINING]
    if not remarks:
        return _row("gate", "good", texts.GATE_TITLE, f"<p>{texts.GATE_OK}</p>", texts.GATE_WHAT)
    notes = "".join(f"<li>{escape(note.message)}</li>" for note in remarks)
    text = f'<p>{texts.GATE_REMARKS}</p><ul id="notes">{notes}</ul>'
    return _row("gate", "caution", texts.GATE_TITLE, text, texts.GATE_WHAT)


def _training(report: SliceReport, card: ModelCard | None) -> str:
    """Whether the slice's features lie far from the training slices'; nothing where the model can't tell."""
    unlike: Reason | None = next((w for w in report.warnings if w.code == UNLIKE_TRAINING), None)
    if unlike is None and not (card and card.familiarity):
        return ""
    mark, text = ("good", texts.TRAINING_OK) if unlike is None else ("caution", texts.TRAINING_NOT + unlike.message)
    return _row("training", mark, texts.TRAINING_TITLE, f"<p>{escape(text)}</p>", texts.TRAINING_WHAT)


def _confidence(confidence: float, card: ModelCard | None) -> str:
    """How often calls of this confidence were right on unseen patients."""
    ranges = card.figures.get("blocked", {}).get("reliability", ()) if card else ()
    found = next((r for r in ranges if r["from"] <= confidence <= r["to"] and r["slices"]), None)
    if found is None:
        text = f"<p>{texts.CONFIDENCE_NONE}</p>"
        return _row("confidence", "none", texts.CONFIDENCE_TITLE, text, texts.CONFIDENCE_WHAT)
    text = texts.CONFIDENCE.format(
        low=f"{100 * found['from']:.0f}",
        high=f"{100 * found['to']:.0f}",
        right=f"<strong>{escape(percent(found['right']))}</strong>",
        slices=found["slices"],
    )
    mark = "good" if found["right"] >= 0.8 else "caution"
    return _row("confidence", mark, texts.CONFIDENCE_TITLE, f"<p>{text}</p>", texts.CONFIDENCE_WHAT)


def _operating(report: SliceReport, card: ModelCard | None) -> str:
    calibration, name = card and card.calibration, report.classes.suspicious
    if name is None or report.probabilities is None or not calibration or calibration.malignant_threshold is None:
        text = f"<p>{texts.OPERATING_NONE}</p>"
        return _row("operating", "none", texts.OPERATING_TITLE, text, texts.OPERATING_WHAT)
    threshold, share = calibration.malignant_threshold, report.probabilities[name]
    text = texts.OPERATING_ABOVE if share >= threshold else texts.OPERATING_BELOW
    text = text.format(name=name.capitalize(), share=percent(share), threshold=percent(threshold))
    if calibration.malignant_sensitivity is not None and calibration.malignant_specificity is not None:
        text += " " + texts.OPERATING_FIGURES.format(
            sensitivity=percent(calibration.malignant_sensitivity),
            specificity=percent(calibration.malignant_specificity),
        )
    mark = "caution" if share >= threshold else "good"
    return _row("operating", mark, texts.OPERATING_TITLE, f"<p>{escape(text)}</p>", texts.OPERATING_WHAT)


def _heatmap(explanation: Explanation, pending: bool) -> str:
    checks = explanation.faithfulness
    if pending:
        mark, text = "none", texts.HEATMAP_PENDING
    else:
        mark = "good" if checks and checks.better_than_random else "caution"
        text = check_sentence(explanation)
    text = f'<p id="check">{escape(text)}</p>'
    return _row("heatmap", mark, texts.HEATMAP_TITLE, text, texts.HEATMAP_WHAT, _numbers(checks))


def check_sentence(explanation: Explanation) -> str:
    """One sentence on whether the heatmap can be believed, from the checks' numbers."""
    checks = explanation.faithfulness
    if explanation.peak_xy is None or checks is None:
        return texts.HEATMAP_NOTHING.format(name=explanation.class_name)
    hidden = checks.hidden_sentence(explanation.class_name)
    return f"{checks.sentence} {hidden[:1].upper()}{hidden[1:]}"


def _numbers(checks) -> str:
    """The checks' figures, folded away."""
    if checks is None:
        return ""
    rows = "".join(
        f"<tr><th scope='row'>{escape(texts.CHECK_ROWS[name])}</th><td>{escape(value)}</td></tr>"
        for name, value in check_numbers(checks).items()
    )
    return f'<details id="numbers"><summary>{texts.NUMBERS}</summary><table>{rows}</table></details>'


def check_numbers(checks) -> dict[str, str]:
    """The figures of `Faithfulness` as they are shown, by the keys of `texts.CHECK_ROWS`."""
    return {
        "deletion": f"{checks.deletion_auc:.2f} ({checks.random_deletion_auc:.2f})",
        "insertion": f"{checks.insertion_auc:.2f} ({checks.random_insertion_auc:.2f})",
        "where": " / ".join(percent(share) for share in (checks.in_lungs, checks.in_body, checks.outside)),
        "residual": _signed(checks.completeness_residual),
        "stability": _signed(checks.stability),
        "agreement": _signed(checks.agreement),
    }


def _signed(value: float | None) -> str:
    return texts.NOT_KNOWN if value is None else f"{value:.2f}".replace("-0.00", "0.00")


def head(dicom_results: bool = False) -> str:
    """The page's title, what it is not for, and what happens to uploads."""
    notice = texts.NOTICE_DICOM if dicom_results else texts.NOTICE
    return (
        f'<header class="head"><div><h1>{texts.TITLE}</h1><p>{texts.SUBTITLE}</p></div>'
        f'<div class="notice"><p class="disclaimer">{escape(DISCLAIMER)}</p><p>{notice}</p></div></header>'
    )


def warming(ready: bool) -> str:
    """A line while the model loads; nothing once it is there."""
    return "" if ready else f'<p id="warming" role="status">{texts.WARMING}</p>'
