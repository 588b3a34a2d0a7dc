"""What stands where on the page."""

from typing import Any

import gradio as gr

from lungcnn import CLASSES, DEFAULT_METHOD, METHODS, ModelCard

from . import catalogue, texts, viewer, views
from .about import measured, weighed
from .catalogue import label
from .events import PREDICTED
from .examples import Example
from .parts import icon, numbers, upload_box
from .plots import plots
from .say import say
from .viewer_frame import frame
from .visit import Visit

SESSION_SECONDS = 1800


def layout(examples: list[Example], card: ModelCard | None, dicom_results: bool) -> dict[str, Any]:
    """The page's parts, in their order, by the names under which events change or ask them."""
    places: dict[str, Any] = {"visit": gr.State(Visit(), time_to_live=SESSION_SECONDS)}
    gr.Markdown(label(catalogue.LANGUAGE), elem_id="language", elem_classes="data-host")
    html(views.head(dicom_results))
    places["warming"] = html(elem_classes="warming-host")
    with gr.Row(elem_classes="start"):
        with gr.Column(scale=3, min_width=260):
            places["upload"] = upload_box(
                label=label(texts.UPLOAD), height=132, elem_id="upload", file_count="multiple"
            )
        with gr.Column(scale=8, min_width=300, elem_classes="tight"):
            real = any(example.real for example in examples)
            strip = texts.EXAMPLES_REAL if real else texts.EXAMPLES
            html(views.quiet(strip), visible=bool(examples))
            with gr.Row(elem_classes="examples"):
                places["examples"] = [_example_button(example) for example in examples]
    with gr.Row(elem_classes="main"):
        with gr.Column(scale=8, min_width=300, elem_classes="tight"):
            html(frame())
            places |= _series_panel() | _data_boxes() | _take_away(dicom_results)
        with gr.Column(scale=4, min_width=280, elem_classes="side"):
            places |= _side(card)
    with gr.Accordion(label(texts.ABOUT_TITLE), open=False, elem_id="about"):
        html(measured(card) + plots(card) + weighed(card), elem_classes="about")
    return places


def _example_button(example: Example) -> gr.Button:
    return gr.Button(
        label(example.title),
        icon=icon(example.thumbnail, "example.png"),
        size="sm",
        elem_id=f"example-{example.path.stem}",
    )


def _series_panel() -> dict[str, Any]:
    with gr.Column(visible=False, elem_classes="series-panel") as panel:
        return {
            "panel": panel,
            "which": numbers(label=label(texts.WHICH_SERIES), visible=False, filterable=False, elem_id="which"),
            "overview": html(elem_id="series"),
        }


def _data_boxes() -> dict[str, Any]:
    """What the viewer's script reads and writes."""
    return {
        "slice": html(viewer.slice_data(None), elem_classes="data-host"),
        "map": html(viewer.map_data(None), elem_classes="data-host"),
        "download": html(viewer.data_box("download-data"), elem_classes="data-host"),
        "settings": gr.Textbox(visible="hidden", elem_id="view-settings"),
        "place": gr.Textbox(visible="hidden", elem_id="series-at"),
    }


def _take_away(dicom_results: bool) -> dict[str, Any]:
    with gr.Column(visible=False, elem_classes="take") as take:
        html(f"<h2>{say(texts.TAKE)}</h2>")
        with gr.Row(elem_classes="exports"):
            exports = {
                kind: gr.Button(label(title), size="sm", elem_id=f"take-{kind}")
                for kind, title in texts.EXPORTS.items()
            }
        html(views.quiet(texts.TAKE_HINT))
        places: dict[str, Any] = {"take": take, "exports": exports}
        if dicom_results:
            with gr.Row(elem_classes="exports of-dicom"):
                places["dicom"] = gr.Button(label(texts.DICOM), size="sm", elem_id="take-dicom")
                places["dicom_hint"] = html(elem_id="dicom-hint")
    return places


def _side(card: ModelCard | None) -> dict[str, Any]:
    html('<div id="here-result"></div>', elem_classes="here-host")
    outcome = html(views.result(), elem_id="result")
    with gr.Row(elem_classes="acts"):
        cancel = gr.Button(label(texts.CANCEL), size="sm", visible=False, elem_id="cancel")
        clear = gr.Button(label(texts.CLEAR), size="sm", visible=False, elem_id="clear")
    with gr.Column(visible=False, elem_classes="evidence") as evidence:
        names = card.classes if card else CLASSES
        classes = [(texts.THE_PREDICTED, PREDICTED), *((views.class_name(name), name) for name in names)]
        choices = [(str(label(text)), name) for text, name in classes]
        wanted = gr.Radio(choices, value=PREDICTED, label=label(texts.EXPLAIN_CLASS), elem_id="explain-class")
        methods = [(f"{method.title} ({method.source})", name) for name, method in METHODS.items()]
        method = gr.Dropdown(
            methods, value=DEFAULT_METHOD, label=label(texts.METHOD), filterable=False, elem_id="method"
        )
    return {
        "outcome": outcome,
        "cancel": cancel,
        "clear": clear,
        "evidence": evidence,
        "wanted": wanted,
        "method": method,
        "trust": _trust(),
    }


def _trust() -> gr.Markdown:
    html('<div id="here-trust"></div>', elem_classes="here-host")
    return html(elem_id="trust")


def html(value: str = "", **options) -> gr.Markdown:
    """HTML as it is: `gr.HTML` evaluates a script in the browser for each of its templates, which our policy forbids.

    A blank line would end Markdown's HTML, so there is none in what we write.
    """
    return gr.Markdown(value, sanitize_html=False, latex_delimiters=[], **options)
