"""What programs may ask: one file, judged and explained."""

import contextlib
import logging

import gradio as gr

from lungcnn import DEFAULT_METHOD, LungCNNError, encode_png, render_overlay

from . import intake, texts
from .outgoing import give
from .waiting import JudgeInWaiting

log = logging.getLogger("demo")


def explain(waiting: JudgeInWaiting, file: str, class_name: str, method: str):
    """A file, a class ("" for the predicted one) and a method give the JSON record and the overlay."""
    try:
        found = waiting.get().run_file(
            intake.take(file), explain_class=class_name or None, method=method or DEFAULT_METHOD
        )
        with contextlib.closing(found):  # type: ignore[type-var]
            report = next(found)
    except LungCNNError as error:
        raise gr.Error(str(error), print_exception=False) from None
    except Exception as error:  # noqa: BLE001 - Gradio would answer with no word at all
        log.error("unexpected %s while judging a slice", type(error).__name__)
        raise gr.Error(texts.FAILED, print_exception=False) from None
    if report.explanation is None:
        return report.to_json(), None
    return report.to_json(), give(encode_png(render_overlay(report)), "overlay.png", once=True)
