"""The page and its events."""

import asyncio
import base64
import json
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from demo import texts, viewer, views
from demo.about import about
from lungcnn import (
    CLASSES,
    COLOUR_MAPS,
    DEFAULT_METHOD,
    METHODS,
    CTSlice,
    LungCNNError,
    ModelCard,
    Pipeline,
    RefusalError,
    SliceReport,
    View,
    Window,
    encode_png,
    export_heatmap,
    export_overlay,
    export_record,
    export_report,
    load_slice,
    render_overlay,
    render_slice,
)

EXAMPLES = Path(__file__).parent.parent / "examples"
THUMBNAIL = 104
PRIVATE = {"api_visibility": "private"}
CSS = Path(__file__).parent / "style.css"
SCRIPT = Path(__file__).parent / "viewer.js"
DEFAULT_COLOURS = "inferno"
log = logging.getLogger("demo")


class PipelineInWaiting:
    """A pipeline that loads in the background, so that the page is served at once."""

    def __init__(self, load: Callable[[], Pipeline]):
        self._load = load
        self._outcome: Future[Pipeline] = Future()

    def start(self) -> None:
        """Begin loading, in a thread of its own."""
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        try:
            self._outcome.set_result(self._load())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the pipeline is asked for
            self._outcome.set_exception(error)

    @property
    def ready(self) -> bool:
        """True when `get` won't wait."""
        return self._outcome.done()

    def get(self) -> Pipeline:
        """The pipeline, waited for. Raises what loading ended in."""
        return self._outcome.result()

    async def report_readiness(self):
        """The line on loading, for as long as it lasts; it waits without holding a thread."""
        yield views.warming(self.ready)
        while not self.ready:
            await asyncio.sleep(0.25)
        yield views.warming(True)


@dataclass(frozen=True)
class Example:
    """A bundled slice and what the strip shows of it."""

    path: Path
    title: str
    thumbnail: Path


def find_examples(scratch: Path) -> list[Example]:
    """The bundled phantoms, with thumbnails drawn into `scratch`."""
    import cv2

    from lungcnn import PHANTOMS

    found = []
    for name, spec in PHANTOMS.items():
        path = EXAMPLES / f"{name}.dcm"
        if not path.exists():
            continue
        picture = render_slice(load_slice(path))
        top = (picture.shape[0] - picture.shape[0] * 3 // 4) // 2
        small = cv2.resize(picture[top:-top], (2 * THUMBNAIL, 3 * THUMBNAIL // 2), interpolation=cv2.INTER_AREA)
        thumbnail = scratch / f"{name}.png"
        thumbnail.write_bytes(encode_png(small))
        found.append(Example(path, spec.title, thumbnail))
    return found


def build_demo(waiting: PipelineInWaiting, examples: list[Example], card: ModelCard | None = None) -> gr.Blocks:
    """The page; `waiting` gives the pipeline when it is first needed, `card` is its model's (or None)."""
    explain = Explaining(waiting, card)
    with gr.Blocks(title=texts.TITLE, analytics_enabled=False, delete_cache=(300, 300)) as page:
        state = gr.State(None, time_to_live=1800)
        html(views.head())
        warming = html(elem_classes="warming-host")
        with gr.Row(elem_classes="start"):
            with gr.Column(scale=3, min_width=260):
                upload = gr.File(label=texts.UPLOAD, height=132, elem_id="upload")
            with gr.Column(scale=8, min_width=300, elem_classes="tight"):
                html(f'<p class="quiet">{texts.EXAMPLES}</p>', visible=bool(examples))
                with gr.Row(elem_classes="examples"):
                    buttons = [gr.Button(example.title, icon=example.thumbnail, size="sm") for example in examples]
        with gr.Row(elem_classes="main"):
            with gr.Column(scale=8, min_width=300, elem_classes="tight"):
                html(viewer.frame())
                slice_box = html(viewer.slice_data(None), elem_classes="data-host")
                map_box = html(viewer.map_data(None, None), elem_classes="data-host")
                download = html(viewer.data_box("download-data"), elem_classes="data-host")
                settings = gr.Textbox(visible="hidden", elem_id="view-settings")
                with gr.Column(visible=False, elem_classes="take") as take:
                    html(f"<h2>{texts.TAKE}</h2>")
                    with gr.Row(elem_classes="exports"):
                        exports = {
                            kind: gr.Button(title, size="sm", elem_id=f"take-{kind}")
                            for kind, (title, *_) in texts.EXPORTS.items()
                        }
                    html(f'<p class="quiet">{texts.TAKE_HINT}</p>')
            with gr.Column(scale=4, min_width=280, elem_classes="side"):
                outcome = html(views.result(), elem_id="result")
                with gr.Column(visible=False, elem_classes="evidence") as evidence:
                    chosen = gr.Radio(list(CLASSES), label=texts.EXPLAIN_CLASS, elem_id="explain-class")
                    titles = [(f"{method.title} ({method.source})", name) for name, method in METHODS.items()]
                    method = gr.Dropdown(
                        titles, value=DEFAULT_METHOD, label=texts.METHOD, filterable=False, elem_id="method"
                    )
                trust = html(elem_id="trust")

        with gr.Accordion(texts.ABOUT_TITLE, open=False, elem_id="about"):
            html(about(card))

        # The keys are `Explaining`'s names for what it changes.
        places = {
            "state": state,
            "slice": slice_box,
            "map": map_box,
            "outcome": outcome,
            "chosen": chosen,
            "trust": trust,
            "evidence": evidence,
            "take": take,
        }
        outputs = list(places.values())

        def in_place(steps):
            """Changes by name as Gradio's outputs, step by step; what isn't named stays."""
            for changes in steps:
                yield [changes.get(name, gr.skip()) for name in places]

        def from_upload(file, method):
            for values in in_place(explain.upload(file, method)):
                yield None, *values

        options = {"show_progress_on": [outcome], **PRIVATE}
        upload.upload(from_upload, [upload, method], [upload, *outputs], **options)
        for button, example in zip(buttons, examples, strict=True):

            def from_example(method, path=example.path):
                yield from in_place(explain.example(path, method))

            button.click(from_example, [method], outputs, **options)

        def again(visit, name, method):
            yield from in_place(explain.again(visit, name, method))

        for choice in (chosen, method):
            choice.input(
                again, [state, chosen, method], outputs, show_progress="hidden", trigger_mode="always_last", **PRIVATE
            )
        for kind, button in exports.items():

            def taken(visit, settings, kind=kind):
                return export_data(kind, visit, settings)

            button.click(taken, [state, settings], [download], show_progress_on=[button], **PRIVATE)
        page.load(waiting.report_readiness, None, [warming], show_progress="hidden", concurrency_limit=None, **PRIVATE)

        api_inputs = [gr.File(visible=False), gr.Textbox("", visible=False), gr.Textbox(DEFAULT_METHOD, visible=False)]
        api_outputs = [gr.JSON(visible=False), gr.Image(visible=False, format="png")]
        gr.Button(visible=False).click(explain.api, api_inputs, api_outputs, api_name="explain")
    page.queue(max_size=32, default_concurrency_limit=2)
    return page


def html(value: str = "", **options) -> gr.HTML:
    """HTML as it is, without Gradio's styles or scripts."""
    return gr.HTML(value, apply_default_css=False, js_on_load=None, **options)


@dataclass(frozen=True, eq=False)
class Visit:
    """What one visitor looks at: a slice, what was said of it, and a random name that ties maps to it."""

    ct_slice: CTSlice
    report: SliceReport
    token: str


class Explaining:
    """What the page's events do. Each gives changes by the names of places on the page, step by step."""

    def __init__(self, waiting: PipelineInWaiting, card: ModelCard | None):
        self.waiting, self.card = waiting, card

    def upload(self, file: str, method: str) -> Iterator[dict]:
        """An uploaded file: read into memory, deleted, judged."""
        try:
            data = Path(file).read_bytes()
        except OSError:
            log.warning("an upload could not be opened")
            yield self._failed(texts.FAILED_TITLE, texts.FAILED)
            return
        finally:
            Path(file).unlink(missing_ok=True)  # it lives in memory from here on
        yield from self._guarded(self._look_at(data, method))

    def example(self, path: Path, method: str) -> Iterator[dict]:
        """A bundled slice."""
        yield from self._guarded(self._look_at(path, method))

    def again(self, visit: Visit | None, name: str, method: str) -> Iterator[dict]:
        """The slice that is shown, explained for another class or by another method."""
        if visit is not None and visit.report.status == "ok":
            yield from self._guarded(self._explain(visit, name, method))

    def api(self, file, class_name, method):
        """The API: a file, a class ("" for the predicted one) and a method give the JSON record and the overlay."""
        try:
            data = Path(file).read_bytes()
        finally:
            Path(file).unlink(missing_ok=True)
        options = {"explain_class": class_name or None, "method": method or DEFAULT_METHOD}
        try:
            ct_slice, report = next(self.waiting.get().run_file(data, **options))
        except LungCNNError as error:
            raise gr.Error(str(error)) from None
        overlay = None if report.explanation is None else render_overlay(ct_slice, report)
        return report.to_json(), overlay

    def _look_at(self, source, method: str) -> Iterator[dict]:
        """Read, show, judge, check: the picture is there before the network has spoken."""
        yield self._step("read") | _NO_SLICE
        ct_slice = load_slice(source)
        token = secrets.token_hex(8)
        step = "judge" if self.waiting.ready else "model"
        yield self._step(step) | {"slice": viewer.slice_data(ct_slice, token)}
        visit = Visit(ct_slice, self.waiting.get().run(ct_slice, method=method, checks=False), token)
        if visit.report.status != "ok":
            yield {"state": visit, "outcome": views.result(visit.report)}
            return
        yield self._shown(visit, pending=True) | {"chosen": visit.report.prediction}
        yield from self._explain(visit, visit.report.prediction, method)

    def _explain(self, visit: Visit, name: str, method: str) -> Iterator[dict]:
        report = self.waiting.get().run(visit.ct_slice, name, method)
        yield self._shown(Visit(visit.ct_slice, report, visit.token))

    def _shown(self, visit: Visit, pending: bool = False) -> dict:
        ct_slice, report = visit.ct_slice, visit.report
        return {
            "state": visit,
            "map": viewer.map_data(ct_slice, report.explanation, visit.token),
            "outcome": views.result(report),
            "trust": views.trust(report, self.card, pending),
            "evidence": gr.update(visible=True),
            "take": gr.update(visible=True),
        }

    def _step(self, name: str) -> dict:
        return {"outcome": views.working(name)} | _NO_RESULT

    def _failed(self, title: str, text: str) -> dict:
        return {"outcome": views.message(title, text)} | _NO_RESULT | _NO_SLICE

    def _guarded(self, steps: Iterator[dict]) -> Iterator[dict]:
        """Our own errors as a message; anything else as one too, with its kind (never its text) in the log."""
        try:
            yield from steps
        except LungCNNError as error:
            yield self._failed(texts.REFUSED if isinstance(error, RefusalError) else texts.ERROR, str(error))
        except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback reaches a visitor
            log.error("unexpected %s while judging a slice", type(error).__name__)
            yield self._failed(texts.FAILED_TITLE, texts.FAILED)


# A slice that could not be read leaves an empty viewer: the last one's pictures would mislead.
_NO_SLICE = {"slice": viewer.slice_data(None), "map": viewer.map_data(None, None)}
_HIDDEN = gr.update(visible=False)
_NO_RESULT = {"state": None, "map": viewer.map_data(None, None), "trust": "", "evidence": _HIDDEN, "take": _HIDDEN}


def export_data(kind: str, visit: Visit | None, settings: str) -> str:
    """A file to take away, as data for the browser, drawn as the viewer shows it; nothing is written to disk.

    Args:
        kind: a key of `texts.EXPORTS`. settings: the viewer's, as JSON; anything unusable falls back to the defaults.
    """
    if visit is None:
        raise gr.Error(texts.NOTHING_TO_TAKE)
    view = _view(settings)
    made = {
        "overlay": lambda: export_overlay(visit.ct_slice, visit.report, view),
        "report": lambda: export_report(visit.ct_slice, visit.report, view),
        "record": lambda: export_record(visit.report),
        "heatmap": lambda: export_heatmap(visit.report),
    }[kind]()
    _, name, media = texts.EXPORTS[kind]
    # The number in front makes a second download of the same file a change that the browser sees.
    content = f"{secrets.token_hex(4)}:{base64.b64encode(made).decode()}"
    return viewer.data_box("download-data", content, name=name, kind=media)


def _view(settings: str) -> View:
    try:
        asked = json.loads(settings)
        return View(
            window=Window(float(asked["centre"]), float(asked["width"])),
            opacity=min(1.0, max(0.0, float(asked["opacity"]))),
            colour_map=asked["colour_map"] if asked["colour_map"] in COLOUR_MAPS else DEFAULT_COLOURS,
            contour=None if asked["contour"] is None else min(1.0, max(0.0, float(asked["contour"]))),
        )
    except (ValueError, TypeError, KeyError, LungCNNError):
        return View()


def look() -> dict:
    """Keyword arguments of `launch` that say how the page looks: theme, style sheet, scripts."""
    system = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    mono = ["ui-monospace", "monospace"]
    return {
        "theme": gr.themes.Base(primary_hue="sky", neutral_hue="slate", font=system, font_mono=mono),
        "css_paths": CSS,
        "head": f"<script>{SCRIPT.read_text(encoding='utf-8')}</script>",
    }
