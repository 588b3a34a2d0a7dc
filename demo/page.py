"""The page: how it looks (`layout.py` says what stands where), and which event does what."""

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import gradio as gr

from lungcnn import CLASSES, DEFAULT_METHOD, Classes, ModelCard, class_colours

from . import api, catalogue, texts, views
from .downloads import dicom_data, export_data
from .events import Events
from .examples import Example
from .layout import layout
from .line import Changes, Line
from .parts import picture, upload_box
from .viewer_script import viewer_script
from .visit import Turn, Visit
from .waiting import JudgeInWaiting

PRIVATE: dict[str, Any] = {"api_visibility": "private"}
# A visitor's events begin in the order in which he asked, which Gradio keeps within one such group.
_IN_ORDER: dict[str, Any] = {"concurrency_id": "page", "concurrency_limit": None, **PRIVATE}
AT_WORK = 16  # visitors whose slices are read, judged or waited for at the same time; the worker has its own measure
CSS = [Path(__file__).parent / name for name in ("style.css", "viewer.css", "right_to_left.css")]
SCRIPTS = [Path(__file__).parent / name for name in ("language.js", "toasts.js", "attention.js")]


def build_demo(
    waiting: JudgeInWaiting,
    examples: list[Example],
    card: ModelCard | None = None,
    dicom_results: bool = False,
    at_work: int = AT_WORK,
) -> gr.Blocks:
    """The page.

    Args:
        waiting: gives the judge when it is first needed. card: its model's.
        dicom_results: whether results can be taken away as DICOM, which name the patient of the upload.
        at_work: visitors who are served at the same time; the rest stand in line.
    """
    with gr.Blocks(title=texts.TITLE, analytics_enabled=False, delete_cache=(300, 300)) as page:
        places = layout(examples, card, dicom_results)
        _wire(page, places, Events(waiting, card, dicom_results), waiting, Line(at_work), examples)

        async def report_readiness() -> AsyncIterator[str]:
            """The line on loading, for as long as it lasts; it waits without holding a thread."""
            yield views.warming(waiting.ready)
            while not waiting.ready:
                await asyncio.sleep(0.25)
            yield views.warming(True)

        warming = places["warming"]
        page.load(report_readiness, None, [warming], show_progress="hidden", concurrency_limit=None, **PRIVATE)
        if dicom_results:
            button = places["dicom"]
            button.click(
                lambda visit: dicom_data(visit.shown, waiting.get()),
                [places["visit"]],
                [places["download"]],
                show_progress_on=[button],
                **PRIVATE,
            )
    page.queue(max_size=32, default_concurrency_limit=2)
    return page


def look(card: ModelCard | None = None) -> dict[str, Any]:
    """Keyword arguments of `launch` that say how the page looks: theme, style sheet, scripts."""
    system = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    mono = ["ui-monospace", "monospace"]
    return {
        "theme": gr.themes.Base(primary_hue="sky", neutral_hue="slate", font=system, font_mono=mono),
        "css": class_styles(card.classes if card else CLASSES),
        "css_paths": CSS,
        "head": "".join(f"<script>{script}</script>" for script in (*_texts_of(SCRIPTS), viewer_script())),
        "i18n": catalogue.i18n(),
    }


def class_styles(classes: Classes) -> str:
    """The classes' colours in bars and curves; curves are told apart without colours, too, the suspicious one solid."""
    dashes = cycle(("6 3", "2 2", "8 2 2 2", "4 4", "1 2"))
    rules = []
    for name, colour in class_colours(classes).items():
        line = "stroke-width: 2" if name == classes.suspicious else f"stroke-dasharray: {next(dashes)}"
        rules += [f".fill.of-{name} {{ background: {colour}; }}", f".curve.of-{name} {{ stroke: {colour}; {line}; }}"]
    return "\n".join(rules)


def _texts_of(paths: list[Path]) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in paths]


# ---------------------------------------------------------------- events

# What events change, by the names that `Events` gives them.
CHANGED = (
    *(
        "slice",
        "map",
        "outcome",
        "cancel",
        "clear",
        "trust",
        "evidence",
        "take",
        "panel",
        "which",
        "overview",
    ),
    *("dicom", "dicom_hint"),
)


def _wire(
    page: gr.Blocks,
    places: dict[str, Any],
    events: Events,
    waiting: JudgeInWaiting,
    line: Line,
    examples: list[Example],
) -> None:
    visit, choices = places["visit"], [places["wanted"], places["method"]]
    changed = [name for name in CHANGED if name in places]
    outputs = [visit, *(places[name] for name in changed)]

    def event(do: Callable, *fixed: Any, asked: bool = True) -> Callable:
        """`do` of `Events` as Gradio has it; one that is not `asked` for goes on with what was."""

        async def run(request: gr.Request, visit: Visit, *values: Any) -> AsyncIterator[list]:
            turn: Turn = visit.begin() if asked else visit.turn
            steps = events.guarded(visit, turn, do(visit, turn, *fixed, *values))
            await turn.start()
            # A property that is given once and then left out gets lost on the way to the browser where both come at
            # once: Gradio sends differences. So updates are said again with each step.
            said: Changes = {}
            try:
                async for changes in line.work(turn, steps, _visitor(request)):
                    said |= {name: value for name, value in changes.items() if isinstance(value, dict)}
                    turn.delivered.clear()
                    yield [visit, *((said | changes).get(name, gr.skip()) for name in changed)]
                    turn.delivered.set()  # Gradio comes back for more once it has sent that
            finally:
                turn.delivered.set()
            if turn.over or not said:
                # Gradio sends the last step once more as the event ends, over what a newer one has shown by then; and
                # it takes an event without any step for "empty everything".
                yield [gr.skip()] * len(outputs)

        return run

    working: dict[str, Any] = {"show_progress_on": [places["outcome"]], "trigger_mode": "multiple", **_IN_ORDER}
    quick: dict[str, Any] = {"show_progress": "hidden", "trigger_mode": "multiple", **_IN_ORDER}
    places["upload"].upload(event(events.upload), [visit, places["upload"], *choices], outputs, **working)
    places["upload"].upload(lambda: None, None, [places["upload"]], **quick)
    for button, example in zip(places["examples"], examples, strict=True):
        button.click(event(events.example, example.path), [visit, *choices], outputs, **working)
    places["which"].input(event(events.another), [visit, places["which"], *choices], outputs, **working)
    for choice in choices:
        choice.input(event(events.explain), [visit, *choices], outputs, **quick)
    places["cancel"].click(event(events.cancel), [visit], outputs, **quick)
    places["clear"].click(event(events.clear), [visit], outputs, **quick)
    # A series is scrolled through in the browser, which tells where that came to rest.
    places["place"].change(event(events.scroll), [visit, places["place"], *choices], outputs, **quick)

    for kind, button in places["exports"].items():

        def taken(visit: Visit, settings: str, kind: str = kind) -> str:
            return export_data(kind, visit.shown, settings)

        inputs = [visit, places["settings"]]
        button.click(taken, inputs, [places["download"]], show_progress_on=[button], **PRIVATE)

    api_inputs = [upload_box(visible=False), gr.Textbox("", visible=False), gr.Textbox(DEFAULT_METHOD, visible=False)]
    api_outputs = [gr.JSON(visible=False), picture(visible=False)]

    async def explain(request: gr.Request, file: str, class_name: str, method: str):
        return await line.call(_visitor(request), api.explain, waiting, file, class_name, method)

    gr.Button(visible=False).click(explain, api_inputs, api_outputs, api_name="explain", concurrency_limit=None)


def _visitor(request: gr.Request) -> str:
    """Whom the guard took him for."""
    return request.client.host if request and request.client else ""
