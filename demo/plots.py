"""Plots of a card's figures as SVG: in the colours of the page, light or dark, and there before anything is imported.

Matplotlib makes the same from the folds' predictions, for print; here it would cost a second at the first look, and its
pictures would keep their colours when the page turns dark.
"""

from html import escape

from lungcnn import ModelCard

from . import texts
from .say import attribute, key_of, say
from .views import class_name, percent

SIDE, MARGIN = 220, 34


def plots(card: ModelCard | None) -> str:
    """The curves that the card holds, side by side: HTML."""
    blocked = card.figures.get("blocked", {}) if card else {}
    found = []
    if "roc" in blocked:
        found.append(_figure(texts.PLOT_ROC, roc_plot(blocked["roc"])))
    if "reliability" in blocked:
        found.append(_figure(texts.PLOT_RELIABILITY, reliability_plot(blocked["reliability"])))
    return f'<div class="plots">{"".join(found)}</div>' if found else ""


def _figure(title: str, plot: str) -> str:
    return f"<figure>{plot}<figcaption>{say(title)}</figcaption></figure>"


def roc_plot(curves: dict[str, dict]) -> str:
    """ROC of each class against the rest: SVG; lines differ by colour and by dashes, and are named."""
    shapes = [_line([0, 1], [0, 1], "diagonal")]
    legend = []
    for index, (name, curve) in enumerate(curves.items()):
        shapes.append(_line(curve["fpr"], curve["tpr"], f"curve of-{name}"))
        x, y = _at(0.5, 0.26 - 0.09 * index)
        legend.append(
            f'<line x1="{x}" x2="{x + 24}" y1="{y - 4}" y2="{y - 4}" class="curve of-{name}"/>'
            f'<text x="{x + 30}" y="{y}"{key_of(class_name(name))}>{escape(name)}</text>'
        )
    return _axes(texts.ROC_LABEL, texts.ROC_AXES, "".join(shapes + legend))


def reliability_plot(ranges: list[dict]) -> str:
    """Share of right calls by confidence: SVG bars, with the number of slices in each."""
    shapes = [_line([0, 1], [0, 1], "diagonal")]
    for part in ranges:
        if not part["slices"]:
            continue
        (left, top), (right, bottom) = _at(part["from"], part["right"]), _at(part["to"], 0)
        shapes.append(
            f'<rect x="{left + 1:.1f}" y="{top:.1f}" width="{right - left - 2:.1f}" height="{bottom - top:.1f}" '
            f'class="bar"><title>{percent(part["right"])} / {part["slices"]}</title></rect>'
            f'<text x="{(left + right) / 2:.1f}" y="{min(top - 3, bottom - 4):.1f}" class="count">'
            f"{part['slices']}</text>"
        )
    return _axes(texts.RELIABILITY_LABEL, texts.RELIABILITY_AXES, "".join(shapes))


def _at(x: float, y: float) -> tuple[float, float]:
    inner = SIDE - MARGIN - 10
    return MARGIN + x * inner, 10 + (1 - y) * inner


def _line(xs, ys, kind: str) -> str:
    points = " ".join("{:.1f},{:.1f}".format(*_at(x, y)) for x, y in zip(xs, ys, strict=True))
    return f'<polyline points="{points}" class="{kind}"/>'


def _axes(label: str, names: tuple[str, str], content: str) -> str:
    (left, bottom), (right, top) = _at(0, 0), _at(1, 1)
    ticks = "".join(
        f'<text x="{_at(value, 0)[0]:.1f}" y="{bottom + 11}" class="count">{value:g}</text>'
        f'<text x="{left - 4}" y="{_at(0, value)[1] + 4:.1f}" class="end">{value:g}</text>'
        for value in (0, 0.5, 1)
    )
    frame = f'<path d="M{left} {top}V{bottom}H{right}" class="axis"/>'
    middle = (top + bottom) / 2
    titles = (
        f'<text x="{(left + right) / 2:.1f}" y="{SIDE - 1}" class="count dim"{key_of(names[0])}>{names[0]}</text>'
        f'<text x="9" y="{middle}" class="count dim" transform="rotate(-90 9 {middle})"'
        f"{key_of(names[1])}>{names[1]}</text>"
    )
    return _svg(label, frame + ticks + titles + content)


def _svg(label: str, content: str) -> str:
    return f'<svg viewBox="0 0 {SIDE} {SIDE}" role="img" {attribute("aria-label", label)[1:]}>{content}</svg>'
