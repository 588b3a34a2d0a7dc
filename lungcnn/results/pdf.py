"""A report as one A4 page. Nothing in it names the upload."""

import io
from datetime import date
from functools import partial

from lungcnn.explaining.methods import METHODS
from lungcnn.explaining.sentences import STRENGTHS
from lungcnn.results.export import View, draw_view
from lungcnn.results.marks import marked, place_in_words, scale_in_words, window_in_words
from lungcnn.results.png import encode_png
from lungcnn.results.rendering import render_slice
from lungcnn.results.series_report import SeriesReport
from lungcnn.results.slice_report import DISCLAIMER, SliceReport

FINDINGS = 3  # told of a series, the most suspicious first: it stays one page
SUBJECT = "Explainable classification of a chest-CT slice"


def export_report(
    report: SliceReport, view: View | None = None, day: date | None = None, series: SeriesReport | None = None
) -> bytes:
    """One A4 page: slice, overlay, probabilities, checks, model, date, and what it is not for; text can be selected.

    Args:
        day: the date on the page; None for today.
        series: the report of the slice's series, whose first findings are told.

    Returns:
        The PDF's bytes. The file's metadata name no author, machine or time: the same input gives the same bytes.

    Raises `UsageError` for a report that carries no slice.
    """
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    view = view or View()
    stream = io.BytesIO()
    # `invariant` leaves creation time and a random identifier out.
    margin = 42
    document = SimpleDocTemplate(
        stream,
        pagesize=A4,
        leftMargin=margin,
        rightMargin=margin,
        topMargin=36,
        bottomMargin=36,
        title="lungcnn report",
        subject=SUBJECT,
        author="",
        creator="lungcnn",
        producer="lungcnn",
        invariant=1,
        pageCompression=1,
    )
    story = _story(report, view, day or date.today(), A4[0] - 2 * margin, series)
    document.build(story, onFirstPage=partial(_footer, margin=margin))
    return stream.getvalue()


def _styles() -> dict:
    from reportlab.lib.colors import HexColor
    from reportlab.lib.styles import ParagraphStyle

    text = ParagraphStyle("text", fontName="Helvetica", fontSize=9, leading=12.5, textColor=HexColor("#1e293b"))
    return {
        "text": text,
        "small": ParagraphStyle("small", text, fontSize=8, leading=10.5, textColor=HexColor("#475569")),
        "title": ParagraphStyle("title", text, fontName="Helvetica-Bold", fontSize=15, leading=19),
        "head": ParagraphStyle("head", text, fontName="Helvetica-Bold", fontSize=10, leading=13, spaceBefore=8),
        "verdict": ParagraphStyle("verdict", text, fontName="Helvetica-Bold", fontSize=11, leading=14, spaceBefore=6),
        "notice": ParagraphStyle("notice", text, fontName="Helvetica-Bold", textColor=HexColor("#9a3412")),
    }


def _story(report: SliceReport, view: View, day: date, width: float, series: SeriesReport | None) -> list:
    from reportlab.platypus import Paragraph, Spacer

    styles = _styles()

    def line(text, style="text"):
        return Paragraph(text, styles[style])

    story = [
        line("Research use only: chest-CT slice, explained", "title"),
        line(f"{DISCLAIMER} Date: {day.isoformat()}.", "notice"),
        Spacer(1, 6),
        _pictures(report, view, width, styles),
        Spacer(1, 4),
    ]
    if report.status != "ok":
        reasons = " ".join(_escaped(reason.message) for reason in report.reasons)
        story += [line("Not judged", "head"), line(reasons)]
    else:
        if report.verdict:
            story.append(line(_escaped(report.verdict.sentence), "verdict"))
        story += [line("Probabilities", "head"), _bars(report, width, styles)]
        if report.set_in_words:
            story.append(line(_escaped(report.set_in_words)))
        story += [line("Checks of the heatmap", "head"), *(line(text) for text in _checks(report))]
    if series is not None and not series.reasons:
        story += [line("Findings in the series", "head"), line(_escaped(series.findings_in_words))]
        story += [line(f"• {_escaped(finding.sentence)}") for finding in series.findings[:FINDINGS]]
    if report.warnings:
        story.append(line("Remarks", "head"))
        story += [line(f"• {_escaped(warning.message)}") for warning in report.warnings]
    if report.model:
        story += [
            line("Model", "head"),
            line(f"{_escaped(report.model.name)}, sha256 {_escaped(report.model.sha256)}", "small"),
        ]
    return story


def _pictures(report: SliceReport, view: View, width: float, styles):
    from reportlab.platypus import Image, Paragraph, Table

    ct_slice, side = report.require_slice(), (width - 10) / 2
    rows, columns = ct_slice.hu.shape
    height = side * rows * ct_slice.aspect / columns
    shrink = min(1.0, 300 / height)

    def image(picture):
        return Image(io.BytesIO(encode_png(picture)), side * shrink, height * shrink)

    left = f"{place_in_words(view)}Slice, window {window_in_words(view)}"
    if not ct_slice.calibrated:
        left += " (estimated from grey levels)"
    explanation = report.explanation
    right = "No heatmap"
    if explanation:
        method = METHODS[explanation.method]
        right = (
            f"Evidence for {explanation.class_name}, {method.title} ({method.source}), layer "
            f"{_escaped(explanation.layer)}; {scale_in_words(report, view)}"
        )
    cells = [
        [
            image(render_slice(ct_slice, view.window, view.inverted)),
            image(marked(draw_view(report, view), report, view)),
        ],
        [Paragraph(left, styles["small"]), Paragraph(right, styles["small"])],
    ]
    return Table(cells, colWidths=[width / 2] * 2, style=[("LEFTPADDING", (0, 0), (-1, -1), 0)])


def _bars(report: SliceReport, width: float, styles):
    from reportlab.graphics.shapes import Drawing, Rect, String
    from reportlab.lib.colors import HexColor

    from lungcnn.classes import class_colours

    shares = report.probabilities or {}
    colours, drawing = class_colours(report.classes), Drawing(width, 16 * len(shares))
    for index, (name, share) in enumerate(shares.items()):
        y = 16 * (len(shares) - 1 - index) + 4
        font = "Helvetica-Bold" if name == report.prediction else "Helvetica"
        drawing.add(String(0, y, name, fontName=font, fontSize=9, fillColor=HexColor("#1e293b")))
        drawing.add(Rect(70, y - 1, 300, 8, fillColor=HexColor("#e2e8f0"), strokeColor=None))
        drawing.add(Rect(70, y - 1, max(1, 300 * share), 8, fillColor=HexColor(colours[name]), strokeColor=None))
        drawing.add(String(380, y, f"{share:.3f}", fontName=font, fontSize=9, fillColor=HexColor("#1e293b")))
    return drawing


def _checks(report: SliceReport) -> list[str]:
    explanation, lines = report.require_explanation(), []
    checks = explanation.faithfulness
    if explanation.peak_xy is None:
        return [f"Nothing on this slice speaks for {explanation.class_name}."]
    x, y = explanation.peak_xy
    cells = " x ".join(map(str, explanation.cells.shape))
    size = ""
    if explanation.cell_mm:
        size = " of {:.0f} x {:.0f} mm".format(*explanation.cell_mm)
    lines.append(f"Strongest at x {x:.0f}, y {y:.0f} (pixels). The map has {cells} cells{size}: a region, not an edge.")
    if explanation.strength:
        lines.append(STRENGTHS[explanation.strength].format(name=explanation.class_name))
    if checks is None:
        return [*lines, "The heatmap was not checked."]
    numbers = [
        f"deletion {checks.deletion_auc:.2f} (random {checks.random_deletion_auc:.2f})",
        f"insertion {checks.insertion_auc:.2f} (random {checks.random_insertion_auc:.2f})",
    ]
    numbers += [
        f"{name} {value:.2f}"
        for name, value in (
            ("logit not accounted for", checks.completeness_residual),
            ("stability", checks.stability),
            ("agreement with HiResCAM", checks.agreement),
        )
        if value is not None
    ]
    hidden = checks.hidden_sentence(explanation.class_name)
    return [
        *lines,
        f"{checks.sentence} {hidden[:1].upper()}{hidden[1:]}",
        f"Areas and correlations: {', '.join(numbers)}.",
    ]


def _footer(canvas, _document, margin: float) -> None:
    canvas.setFont("Helvetica", 8)
    canvas.drawString(margin, 22, "Research use only. Made by lungcnn; the page names neither patient nor file.")


def _escaped(text: str) -> str:
    from xml.sax.saxutils import escape

    return escape(text)
