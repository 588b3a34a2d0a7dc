"""Can I trust it? What speaks for and against a result as HTML: pure functions of a report and its model's card.

A tick is earned: by numbers large enough to go by, by evidence in the lungs, by doing better than chance.
"""

from collections.abc import Sequence
from math import sqrt

from lungcnn import Explanation, ModelCard, Reason, SliceReport

from . import texts
from .say import attribute, say
from .views import class_name, details, percent, reason_text

UNLIKE_TRAINING = "unlike_training"
# Below it a share says little; from the lower end of its interval on, a share of right calls earns a tick.
LEAST_SLICES, LEAST_RIGHT = 30, 0.8
LEAST_IN_LUNGS = 0.5
SIGNS = {"good": "✓", "caution": "!", "info": "i", "none": "–"}
_Z = 1.96


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
    return f'<section class="trust"><h2>{say(texts.TRUST)}</h2>{"".join(rows)}</section>'


def _row(name: str, mark: str, title: str, text: str, what: str, more: str = "") -> str:
    """One point: a mark that is also a word, a sentence, and what it means.

    `text` and `more` are HTML.
    """
    word = texts.MARKS[mark]
    return (
        f'<div class="point {mark}" id="trust-{name}"><span class="mark"{attribute("title", word)} role="img"'
        f"{attribute('aria-label', word)}>{SIGNS[mark]}</span><div><h3>{say(title)}</h3>{text}{more}"
        f'<details class="what"><summary{attribute("aria-label", texts.WHAT_OF.format(title=title))}>{say(texts.WHAT)}'
        f"</summary><p>{say(what)}</p></details></div></div>"
    )


def _gate(report: SliceReport) -> str:
    remarks = [warning for warning in report.warnings if warning.code != UNLIKE_TRAINING]
    if not remarks:
        return _row("gate", "good", texts.GATE_TITLE, f"<p>{say(texts.GATE_OK)}</p>", texts.GATE_WHAT)
    notes = "".join(f"<li>{say(reason_text(note))}</li>" for note in remarks)
    text = f'<p>{say(texts.GATE_REMARKS)}</p><ul id="notes">{notes}</ul>{details(remarks)}'
    return _row("gate", "caution", texts.GATE_TITLE, text, texts.GATE_WHAT)


def _training(report: SliceReport, card: ModelCard | None) -> str:
    """Whether the slice's features lie far from the training slices'; nothing where the model can't tell."""
    unlike: Reason | None = next((w for w in report.warnings if w.code == UNLIKE_TRAINING), None)
    if unlike is None and not (card and card.familiarity):
        return ""
    mark, text = ("good", texts.TRAINING_OK) if unlike is None else ("caution", reason_text(unlike))
    return _row("training", mark, texts.TRAINING_TITLE, f"<p>{say(text)}</p>", texts.TRAINING_WHAT)


def _confidence(confidence: float, card: ModelCard | None) -> str:
    """How often the most probable class was the true one on unseen patients, where it got as much."""
    ranges: Sequence[dict] = card.figures.get("blocked", {}).get("reliability", ()) if card else ()
    found = next((r for r in ranges if r["from"] <= confidence <= r["to"] and r["slices"]), None)
    if found is None:
        text = f"<p>{say(texts.CONFIDENCE_NONE)}</p>"
        return _row("confidence", "none", texts.CONFIDENCE_TITLE, text, texts.CONFIDENCE_WHAT)
    low, high = share_interval(found["right"], found["slices"])
    few = found["slices"] < LEAST_SLICES
    text = (texts.CONFIDENCE_FEW if few else texts.CONFIDENCE).format(
        low=f"{100 * found['from']:.0f}",
        high=f"{100 * found['to']:.0f}",
        right=percent(found["right"]),
        slices=found["slices"],
        least=percent(low),
        most=percent(high),
    )
    mark = "none" if few else "good" if low >= LEAST_RIGHT else "caution"
    return _row("confidence", mark, texts.CONFIDENCE_TITLE, f"<p>{say(text)}</p>", texts.CONFIDENCE_WHAT)


def share_interval(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of `count` (Wilson 1927): it is honest for few, and for shares of 0 and 1."""
    middle, width = share + _Z**2 / (2 * count), _Z * sqrt(share * (1 - share) / count + (_Z / (2 * count)) ** 2)
    scale = 1 + _Z**2 / count
    return max(0.0, (middle - width) / scale), min(1.0, (middle + width) / scale)


def _operating(report: SliceReport, card: ModelCard | None) -> str:
    """What the operating point does on unseen patients: on which side the slice lies is the verdict's to say."""
    calibration = card and card.calibration
    if not calibration or calibration.malignant_threshold is None:
        text = f"<p>{say(texts.OPERATING_NONE)}</p>"
        return _row("operating", "none", texts.OPERATING_TITLE, text, texts.OPERATING_WHAT)
    text = texts.OPERATING.format(threshold=percent(calibration.malignant_threshold))
    if calibration.malignant_sensitivity is not None and calibration.malignant_specificity is not None:
        text = texts.OPERATING_FIGURES.format(
            threshold=percent(calibration.malignant_threshold),
            sensitivity=percent(calibration.malignant_sensitivity),
            name=class_name(report.classes.suspicious or ""),
            alarms=percent(1 - calibration.malignant_specificity),
        )
    return _row("operating", "info", texts.OPERATING_TITLE, f"<p>{say(text)}</p>", texts.OPERATING_WHAT)


def _heatmap(explanation: Explanation, pending: bool) -> str:
    """The tick asks for three things: better than random, most of it in the lungs, and more than no evidence."""
    checks = explanation.faithfulness
    if pending:
        mark, sentences = "none", [texts.HEATMAP_PENDING]
    else:
        earned = checks and checks.better_than_random and checks.in_lungs >= LEAST_IN_LUNGS
        mark = "good" if earned and explanation.strength != "none" else "caution"
        sentences = check_sentences(explanation)
    text = f'<p id="check">{" ".join(say(sentence) for sentence in sentences)}</p>'
    more = "" if pending else _numbers(explanation)
    return _row("heatmap", mark, texts.HEATMAP_TITLE, text, texts.HEATMAP_WHAT, more)


def check_sentences(explanation: Explanation) -> list[str]:
    """Whether the heatmap can be believed: how strong the evidence is, and what the checks say."""
    name, checks = class_name(explanation.class_name), explanation.faithfulness
    if explanation.peak_xy is None or checks is None:
        return [texts.HEATMAP_NOTHING.format(name=name)]
    strength = explanation.strength
    said = [texts.STRENGTHS[strength].format(name=name) if strength else texts.STRENGTH_UNKNOWN]
    better = texts.MAP_BETTER if checks.better_than_random else texts.MAP_NO_BETTER
    said.append(better.format(lungs=percent(checks.in_lungs)))
    if checks.better_than_random and checks.in_lungs < LEAST_IN_LUNGS:
        said.append(texts.MAP_OUTSIDE)
    return said


def _numbers(explanation: Explanation) -> str:
    """The checks' figures, folded away."""
    if explanation.faithfulness is None:
        return ""
    rows = "".join(
        f"<tr><th scope='row'>{say(texts.CHECK_ROWS[name])}</th><td>{say(value)}</td></tr>"
        for name, value in check_numbers(explanation).items()
    )
    return f'<details id="numbers"><summary>{say(texts.NUMBERS)}</summary><table>{rows}</table></details>'


def check_numbers(explanation: Explanation) -> dict[str, str]:
    """The figures of an explanation and its checks as they are shown, by the keys of `texts.CHECK_ROWS`."""
    checks = explanation.faithfulness
    if checks is None:
        return {}
    return {
        "peak": f"{float(explanation.cells.max()):.3g}",
        "hidden": f"{checks.probability:.2f} → {checks.hidden_probability:.2f}",
        "deletion": f"{checks.deletion_auc:.2f} ({checks.random_deletion_auc:.2f})",
        "insertion": f"{checks.insertion_auc:.2f} ({checks.random_insertion_auc:.2f})",
        "where": " / ".join(percent(share) for share in (checks.in_lungs, checks.in_body, checks.outside)),
        "residual": _signed(checks.completeness_residual),
        "stability": _signed(checks.stability),
        "agreement": _signed(checks.agreement),
    }


def _signed(value: float | None) -> str:
    return texts.NOT_KNOWN if value is None else f"{value:.2f}".replace("-0.00", "0.00")
