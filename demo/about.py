"""About this model: the figures, plots, limits and citation of its card, as HTML. Nothing is typed in by hand."""

from html import escape

from demo import texts
from demo.views import COLOURS, DASHES, percent
from lungcnn import CLASSES, SHOWN_METRICS, ModelCard, sanity_sentence, shipped_file, shortcut_sentence, split_in_words

SIDE, MARGIN = 220, 34


def about(card: ModelCard | None) -> str:
    """The section on the model; what its card doesn't hold is left out."""
    parts = [texts.ABOUT_INTRO.format(trained=_trained_on(card))]
    figures = card.figures if card else {}
    if card:
        parts.append(
            f'<p class="small">{texts.ABOUT_FILE} <code>{escape(card.name)}</code>, sha256 '
            f"<code>{escape(card.sha256)}</code></p>"
        )
    if "blocked" in figures:
        seeds = len(card.training.get("seeds", [0]))
        parts += [
            _part(texts.ABOUT_SPLIT, f"<p>{escape(split_in_words(figures, seeds))}</p><p>{texts.ABOUT_WHY}</p>"),
            _part(texts.ABOUT_FIGURES, metrics_table(figures)),
            f'<div class="plots">{_plots(figures["blocked"])}</div>',
        ]
    if "baselines" in figures:
        sentence = f"<p>{escape(shortcut_sentence(figures))}</p>" if "lungs_out" in figures["baselines"] else ""
        parts.append(_part(texts.ABOUT_BASELINES, baselines_table(figures) + sentence))
    if "sanity" in figures:
        parts.append(_part(texts.ABOUT_SANITY, f'<p id="sanity">{_bold(sanity_sentence(figures["sanity"]))}</p>'))
    own = () if card and card.adopted else texts.LIMITS
    parts += [_part(texts.ABOUT_LIMITS, _list((*own, *texts.LIMITS_OF_ANY_MODEL))), _part(texts.ABOUT_CITE, citation())]
    return f'<div class="about">{"".join(parts)}</div>'


def _trained_on(card: ModelCard | None) -> str:
    if card is None or card.dataset is None:
        return texts.ABOUT_TRAINED_UNKNOWN
    return texts.ABOUT_TRAINED.format(dataset=escape(card.dataset)) + ("" if card.adopted else texts.ABOUT_LABELS)


def _part(title: str, content: str) -> str:
    return f"<section><h3>{title}</h3>{content}</section>"


def _list(items) -> str:
    return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"


def _bold(text: str) -> str:
    return escape(text).replace("**", "")


# ---------------------------------------------------------------- tables


def metrics_table(figures: dict) -> str:
    """The figures with their intervals: unseen patients first, the leaky split named so."""
    columns = {texts.BY_SLICE: figures["blocked"]["slice"], texts.BY_CASE: figures["blocked"].get("case", {})}
    if "random_leaky" in figures:
        columns[texts.LEAKY] = figures["random_leaky"]["slice"]
    rows = [
        [title, *(_interval(column.get(name)) for column in columns.values())]
        for name, title in SHOWN_METRICS.items()
        if name in figures["blocked"]["slice"]
    ]
    return table(["", *columns], rows)


def baselines_table(figures: dict) -> str:
    """Simpler models beside this one, on the same folds."""
    kinds = [kind for kind in ("blocked", "random_leaky") if kind in figures]
    header = [""]
    for kind in kinds:
        where = texts.UNSEEN if kind == "blocked" else texts.LEAKY
        header += [f"{texts.BALANCED}, {where}", f"{texts.AUC}, {where}"]
    ours = {"title": texts.THIS_MODEL, **{kind: figures[kind]["slice"] for kind in kinds}}
    rows = []
    for entry in [*figures["baselines"].values(), ours]:
        values = [entry.get(kind, {}).get(name) for kind in kinds for name in ("balanced_accuracy", "auc_malignant")]
        rows.append([entry["title"], *("–" if value is None else f"{value['value']:.2f}" for value in values)])
    return table(header, rows)


def table(header: list[str], rows: list[list[str]]) -> str:
    """An HTML table whose first column names the rows."""
    head = "".join(f"<th scope='col'>{escape(cell)}</th>" for cell in header)
    body = "".join(
        f"<tr><th scope='row'>{escape(row[0])}</th>" + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    )
    return f"<div class='scroll' tabindex='0'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _interval(metric: dict | None) -> str:
    return "–" if not metric else f"{metric['value']:.2f} ({metric['low']:.2f}–{metric['high']:.2f})"


# ---------------------------------------------------------------- plots, in the page's own colours


def _plots(blocked: dict) -> str:
    plots = []
    if "confusion_slice" in blocked:
        plots.append(_figure(texts.PLOT_CONFUSION, confusion_plot(blocked["confusion_slice"])))
    if "roc" in blocked:
        plots.append(_figure(texts.PLOT_ROC, roc_plot(blocked["roc"])))
    if "reliability" in blocked:
        plots.append(_figure(texts.PLOT_RELIABILITY, reliability_plot(blocked["reliability"])))
    return "".join(plots)


def _figure(title: str, plot: str) -> str:
    return f"<figure>{plot}<figcaption>{title}</figcaption></figure>"


def roc_plot(curves: dict[str, dict]) -> str:
    """ROC of each class against the rest: SVG; lines differ by colour and by dashes, and are named."""
    shapes = [_line([0, 1], [0, 1], "diagonal")]
    legend = []
    for index, (name, curve) in enumerate(curves.items()):
        style = f'stroke="{COLOURS[name]}" stroke-dasharray="{DASHES[name]}"'
        shapes.append(_line(curve["fpr"], curve["tpr"], "curve", style))
        x, y = _at(0.5, 0.26 - 0.09 * index)
        legend.append(
            f'<line x1="{x}" x2="{x + 24}" y1="{y - 4}" y2="{y - 4}" class="curve" {style}/>'
            f'<text x="{x + 30}" y="{y}">{name}</text>'
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


def confusion_plot(matrix: list[list[int]]) -> str:
    """Confusion matrix: SVG; darker cells hold a larger share of the true class, every cell its count."""
    size = (SIDE - 2 * MARGIN) / len(CLASSES)
    shapes = []
    for row, counts in enumerate(matrix):
        for column, count in enumerate(counts):
            share = count / max(1, sum(counts))
            x, y = MARGIN + column * size + 20, MARGIN - 20 + row * size
            dark = " dark" if share > 0.5 else ""
            shapes.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{size - 2:.1f}" height="{size - 2:.1f}" class="cell" '
                f'style="--share: {share:.2f}"/><text x="{x + size / 2 - 1:.1f}" y="{y + size / 2 + 4:.1f}" '
                f'class="count{dark}">{count}</text>'
            )
        y = MARGIN - 20 + (row + 0.5) * size + 4
        shapes.append(f'<text x="{MARGIN + 16}" y="{y:.1f}" class="end">{CLASSES[row]}</text>')
        x = MARGIN + 20 + (row + 0.5) * size
        shapes.append(f'<text x="{x:.1f}" y="{SIDE - MARGIN - 8}" class="count">{CLASSES[row]}</text>')
    labels = (
        f'<text x="{MARGIN + 20 + 1.5 * size:.1f}" y="{SIDE - 16}" class="count dim">{texts.CALLED}</text>'
        f'<text x="2" y="10" class="dim">{texts.TRUE}</text>'
    )
    return _svg(texts.PLOT_CONFUSION, "".join(shapes) + labels)


def _at(x: float, y: float) -> tuple[float, float]:
    inner = SIDE - MARGIN - 10
    return MARGIN + x * inner, 10 + (1 - y) * inner


def _line(xs, ys, kind: str, style: str = "") -> str:
    points = " ".join("{:.1f},{:.1f}".format(*_at(x, y)) for x, y in zip(xs, ys, strict=True))
    return f'<polyline points="{points}" class="{kind}" {style}/>'


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
        f'<text x="{(left + right) / 2:.1f}" y="{SIDE - 1}" class="count dim">{names[0]}</text>'
        f'<text x="9" y="{middle}" class="count dim" transform="rotate(-90 9 {middle})">{names[1]}</text>'
    )
    return _svg(label, frame + ticks + titles + content)


def _svg(label: str, content: str) -> str:
    return f'<svg viewBox="0 0 {SIDE} {SIDE}" role="img" aria-label="{escape(label)}">{content}</svg>'


# ---------------------------------------------------------------- citation


def citation() -> str:
    """How to cite software and dataset, read from CITATION.cff."""
    fields = _citation_fields()
    if not fields:
        return ""
    return _list(escape(entry) for entry in fields)


def _citation_fields() -> list[str]:
    import yaml

    try:
        found = yaml.safe_load(shipped_file("CITATION.cff").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return []
    return [_reference(entry) for entry in (found, *found.get("references", ()))]


def _reference(entry: dict) -> str:
    authors = ", ".join(
        author.get("name") or f"{author['given-names']} {author['family-names']}".title() for author in entry["authors"]
    )
    year = entry.get("year") or str(entry.get("date-released", ""))[:4]
    parts = [f"{authors} ({year}). {entry['title']}."]
    if "version" in entry:
        parts.append(f"Version {entry['version']}.")
    if "publisher" in entry:
        parts.append(f"{entry['publisher']['name']}.")
    if "doi" in entry:
        parts.append(f"doi {entry['doi']}")
    return " ".join(parts)
