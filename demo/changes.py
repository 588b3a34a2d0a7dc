"""Changes to the page, by the names of its places (`page.py`): what is shown and hidden together."""

import gradio as gr

from lungcnn import ModelCard

from . import texts, viewer, views
from .line import Changes
from .trust import trust
from .visit import Shown

HIDDEN, VISIBLE = gr.update(visible=False), gr.update(visible=True)
NO_MAP: Changes = {"map": viewer.map_data(None)}
# A slice that could not be read leaves an empty viewer: the last one's pictures would mislead.
NO_SLICE: Changes = {"slice": viewer.slice_data(None), **NO_MAP}
UNJUDGED: Changes = {"trust": "", "evidence": HIDDEN, "take": HIDDEN, **NO_MAP}
NOTHING: Changes = {"panel": HIDDEN, **NO_SLICE}
NO_RESULT: Changes = {"cancel": HIDDEN, "clear": HIDDEN, **UNJUDGED}


def step(name: str, detail: str = "") -> Changes:
    """At work: nothing of what was said before stays."""
    return {"outcome": views.working(name, detail), "panel": HIDDEN} | NO_RESULT | {"cancel": VISIBLE}


def said_of(shown: Shown, card: ModelCard | None, pending: bool = False) -> Changes:
    """All that is said of the slice that is shown."""
    report, stack = shown.report, shown.stack
    where = texts.WHICH_SLICE.format(number=shown.index + 1, count=len(stack.series)) if stack else ""
    outcome: Changes = {
        "outcome": views.result(report, where, shown.truth),
        "panel": gr.update(visible=stack is not None),
        "cancel": HIDDEN,
        "clear": VISIBLE,
    }
    if not shown.judged:
        return outcome | UNJUDGED
    return outcome | {
        "map": viewer.map_data(shown),
        "trust": trust(report, card, pending),
        "evidence": VISIBLE,
        "take": VISIBLE,
        "dicom": gr.update(visible=shown.source is not None),
        "dicom_hint": views.quiet(texts.DICOM_PICTURE if shown.source is None else texts.DICOM_HINT),
    }
