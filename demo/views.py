"""Results as HTML: pure functions of a report."""

from collections.abc import Sequence
from html import escape

import lungcnn
from lungcnn import CLASSES, FLAGGED, UNDECIDED, LungCNNError, Reason, RefusalError, SliceReport, Verdict

from . import texts
from .examples import Truth
from .gone import GoneError
from .say import Text, say


def percent(share: float) -> str:
    """A share 0 to 1 as a whole percentage that isn't broken over two lines; the ends are kept for certainty."""
    return lungcnn.percent(share).replace(" ", "\u00a0")


def minus(number: str) -> str:
    """A number in digits with the sign that doesn't break from it."""
    return number.replace("-", "\u2212")


def class_name(name: str) -> str:
    """A class as the page calls it."""
    return texts.CLASS_NAMES.get(name, name.replace("_", " "))


def reason_text(reason: Reason) -> str:
    """A reason or remark in a clinician's words, as far as there are any for its code."""
    return texts.REASONS.get(reason.code, reason.message)


def details(reasons: Sequence[Reason]) -> str:
    """The exact sentences of reasons, folded away; they are in English alone."""
    exact = [reason.message for reason in reasons if reason.code in texts.REASONS]
    lines = "".join(f'<p lang="en" dir="ltr">{escape(message)}</p>' for message in exact)
    return f'<details class="exact"><summary>{say(texts.EXACTLY)}</summary>{lines}</details>' if lines else ""


# ---------------------------------------------------------------- what the model says


def result(report: SliceReport | None = None, where: str = "", truth: Truth | None = None) -> str:
    """What the model says of a slice, or why it says nothing.

    Args:
        where: the slice's place in its series. truth: what was drawn, for a bundled phantom.
    """
    if report is None:
        return f'<div class="result"><h2>{say(texts.SAYS)}</h2><p class="quiet">{say(texts.EMPTY_RESULT)}</p></div>'
    place = f"{say(where)}: " if where else ""
    if report.verdict is None or report.probabilities is None or report.prediction is None:
        title = place + say(texts.REFUSED if report.status == "refused" else texts.ERROR)
        return _box(title, _reasons(report.reasons) + drawn(truth, report))
    return (
        f'<div class="result"><h2>{place}{say(texts.SAYS)}</h2>{_verdict(report.verdict)}{drawn(truth, report)}'
        f"{bars(report.probabilities, report.prediction)}"
        f'<p class="quiet">{say(texts.PREDICTION)} <span id="prediction">{say(class_name(report.prediction))}</span>. '
        f"{_set(report)}</p></div>"
    )


def _verdict(verdict: Verdict) -> str:
    share, threshold = (value.replace(" ", "\u00a0") for value in verdict.shares)
    why = texts.VERDICT_REASONS[verdict.why].format(
        suspicious=class_name(verdict.suspicious),
        share=share,
        threshold=threshold,
        others=listed([class_name(name) for name in verdict.others], texts.OR),
    )
    return (
        f'<p id="verdict" class="verdict {verdict.call}"><strong>{say(texts.VERDICTS[verdict.call])}</strong> '
        f"<span>{say(why)}</span></p>"
    )


def _set(report: SliceReport) -> str:
    """The prediction set as a sentence that doesn't exclude what is outside it."""
    if report.prediction_set is None or report.probabilities is None:
        return ""
    if report.verdict and report.verdict.why.endswith("_but_any"):
        return ""  # the verdict has said so
    shares = report.probabilities
    text = texts.SET_OF_ALL
    if report.outside_set:
        rest = [texts.WITH_SHARE.format(name=class_name(n), share=percent(shares[n])) for n in report.outside_set]
        held = listed([class_name(name) for name in report.prediction_set], texts.OR)
        text = texts.SET_OF_SOME.format(held=held, rest=listed(rest, texts.AND))
    return f'<span id="prediction-set">{say(text)}</span>'


def listed(items: Sequence[str], pair: str) -> str:
    """Items joined two by two by a text with places for both."""
    if not items:
        return ""
    joined = items[-1]
    for item in reversed(items[:-1]):
        joined = pair.format(one=item, other=joined)
    return joined


def drawn(truth: Truth | None, report: SliceReport) -> str:
    """For a bundled phantom: what was drawn where, whether the model is right, and whether its heatmap points there."""
    if truth is None or report.classes.suspicious != "malignant":
        return ""
    said = [truth.drawn]
    if report.verdict is None:
        said.append(texts.RIGHT_REFUSAL if truth.stranger else texts.WRONG_REFUSAL)
    elif report.verdict.call == UNDECIDED:
        said.append(texts.NEITHER)
    elif (report.verdict.call == FLAGGED) == truth.suspicious:
        said.append(texts.RIGHT)
    else:
        said.append(texts.WRONG_MISS if truth.suspicious else texts.WRONG_ALARM)
    peak = report.explanation and report.explanation.peak_xy
    if truth.outline is not None and report.explanation and peak and report.explanation.class_name != CLASSES[0]:
        name = class_name(report.explanation.class_name)
        said.append((texts.PEAK_ON if truth.marks(peak) else texts.PEAK_OFF).format(name=name))
    return f'<p id="drawn">{say(texts.DRAWN)} {" ".join(say(sentence) for sentence in said)}</p>'


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
            f'<li class="{kind}"{current}><span aria-hidden="true">{sign}</span> {say(texts.STEPS[name])}'
            f"{' ' + say(detail) if now and detail else ''}</li>"
        )
    return f'<div class="result working"><h2>{say(texts.WORKING)}</h2><ol class="steps">{"".join(rows)}</ol></div>'


def in_line(ahead: int) -> str:
    """A visitor whose turn has not come."""
    return (
        f'<div class="result working"><h2>{say(texts.IN_LINE)}</h2><p>{say(texts.AHEAD.format(count=ahead))}</p></div>'
    )


def message(title: str, text: str, where: str = "") -> str:
    """A box with a sentence for the user, in place of a result; `where` is the slice's place in its series."""
    return _box((f"{say(where)}: " if where else "") + say(title), f"<p>{say(text)}</p>")


def stopped(error: LungCNNError, where: str = "") -> str:
    """A box for an error: the page's own sentence as it is, lungcnn's in a clinician's words."""
    titles = ((GoneError, texts.GONE), (RefusalError, texts.REFUSED), (LungCNNError, texts.ERROR))
    title = next(text for kind, text in titles if isinstance(error, kind))
    own = error.args[0] if error.args and isinstance(error.args[0], Text) else None
    if own is not None:
        return message(title, own, where)
    said = _reasons([Reason(error.code, str(error))])
    return _box((f"{say(where)}: " if where else "") + say(title), said)


def _reasons(reasons: Sequence[Reason]) -> str:
    return f"<p>{' '.join(say(reason_text(reason)) for reason in reasons)}</p>{details(reasons)}"


def _box(title: str, content: str) -> str:
    return (
        f'<div id="message" class="result message" role="alert"><h2><span aria-hidden="true">✕</span> {title}</h2>'
        f"{content}</div>"
    )


def notice(title: str, text: str) -> str:
    """A quiet word in place of a result, where nothing went wrong."""
    return f'<div class="result"><h2>{say(title)}</h2><p class="quiet">{say(text)}</p></div>'


def quiet(text: str) -> str:
    """A sentence in small, quiet letters."""
    return f'<p class="quiet">{say(text)}</p>'


def bars(probabilities: dict[str, float], prediction: str) -> str:
    """Probabilities as a list of labelled bars, in the fixed order of the classes."""
    rows = []
    for name, share in probabilities.items():
        mark = ' class="predicted"' if name == prediction else ""
        rows.append(
            f'<li{mark} data-class="{name}" data-probability="{share:.4f}"><span class="name">{say(class_name(name))}'
            f'</span><span class="track" aria-hidden="true">'
            f'<span class="fill of-{name}" style="width: {100 * share:.1f}%"></span></span>'
            f'<span class="number">{escape(percent(share))}</span></li>'
        )
    return f'<ul id="probabilities" class="bars">{"".join(rows)}</ul>'


def head(dicom_results: bool = False) -> str:
    """The page's title, what it is not for, and what happens to uploads."""
    notice = texts.NOTICE_DICOM if dicom_results else texts.NOTICE
    return (
        f'<header class="head"><div><h1>{say(texts.TITLE)}</h1><p>{say(texts.SUBTITLE)}</p></div>'
        f'<div class="notice"><p class="disclaimer">{say(texts.DISCLAIMER)}</p><p>{say(notice)}</p>'
        f'<p class="foreign">{say(texts.MACHINE_MADE)}</p></div>'
        '<p id="announcer" class="unseen" role="status"></p></header>'
    )


def warming(ready: bool) -> str:
    """A line while the model loads; nothing once it is there."""
    return "" if ready else f'<p id="warming" role="status">{say(texts.WARMING)}</p>'
