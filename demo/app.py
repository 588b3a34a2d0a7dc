"""The page and its events."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from demo import texts, views
from lungcnn import (
    CLASSES,
    DEFAULT_METHOD,
    METHODS,
    CTSlice,
    LungCNNError,
    Pipeline,
    encode_png,
    load_slice,
    render_overlay,
    render_slice,
)

EXAMPLES = Path(__file__).parent.parent / "examples"
THUMBNAIL = 104
PRIVATE = {"api_visibility": "private"}
CSS = Path(__file__).parent / "style.css"
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


@dataclass(frozen=True)
class Example:
    """A bundled slice and what the strip shows of it."""

    path: Path
    title: str
    thumbnail: Path


def find_examples(scratch: Path) -> list[Example]:
    """The bundled phantoms, with thumbnails drawn into `scratch`."""
    import cv2

    from lungcnn import BUNDLED

    found = []
    for name, spec in BUNDLED.items():
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


def build_demo(waiting: PipelineInWaiting, examples: list[Example], card=None) -> gr.Blocks:
    """The page; `waiting` gives the pipeline when it is first needed, `card` is its model's (or None)."""

    def judge(ct_slice, chosen, method):
        explain_class = chosen if chosen in CLASSES else None
        return waiting.get().run(ct_slice, explain_class, method)

    def read_and_judge(path, method, progress):
        """Outputs of a new file: state, viewer, result, the class choice."""
        if not waiting.ready:
            progress(0.1, desc=texts.WAIT_MODEL)
        pipeline = waiting.get()
        progress(0.4, desc=texts.WAIT_READ)
        ct_slice, report = next(pipeline.run_file(path, method=method))
        progress(1.0, desc=texts.WAIT_JUDGE)
        # A slice that could not be read leaves an empty viewer: the last one's pictures would mislead.
        return ct_slice, views.viewer(ct_slice, report), views.result(report), texts.PREDICTED

    def from_upload(file, method, progress=gr.Progress()):  # noqa: B008 - how Gradio injects it
        try:
            data = Path(file).read_bytes()
        except OSError:
            log.warning("an upload could not be opened")
            return None, None, views.viewer(), views.message(texts.ERROR, texts.FAILED), texts.PREDICTED
        finally:
            Path(file).unlink(missing_ok=True)  # it lives in memory from here on
        return None, *guarded(read_and_judge, data, method, progress)

    def guarded(function, *arguments):
        """Our own errors as a message; anything else as one too, with its kind (never its text) in the log."""
        try:
            return function(*arguments)
        except LungCNNError as error:
            return None, views.viewer(), views.message(texts.ERROR, str(error)), texts.PREDICTED
        except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback reaches a visitor
            log.error("unexpected %s while judging a slice", type(error).__name__)
            return None, views.viewer(), views.message(texts.ERROR, texts.FAILED), texts.PREDICTED

    def explain_again(ct_slice: CTSlice | None, chosen, method):
        if ct_slice is None:
            return views.viewer(), views.result()
        report = judge(ct_slice, chosen, method)
        return views.viewer(ct_slice, report), views.result(report)

    def explain(file, class_name, method):
        """The API: a file, a class ("" for the predicted one) and a method give the JSON record and the overlay."""
        try:
            data = Path(file).read_bytes()
        finally:
            Path(file).unlink(missing_ok=True)
        options = {"explain_class": class_name or None, "method": method or DEFAULT_METHOD}
        try:
            ct_slice, report = next(waiting.get().run_file(data, **options))
        except LungCNNError as error:
            raise gr.Error(str(error)) from None
        overlay = None if report.explanation is None else render_overlay(ct_slice, report)
        return report.to_json(), overlay

    with gr.Blocks(title=texts.TITLE, analytics_enabled=False, delete_cache=(300, 300)) as page:
        state = gr.State(None, time_to_live=1800)
        gr.HTML(
            f'<div class="head"><h1>{texts.TITLE}</h1><p>{texts.SUBTITLE}</p><p class="notice">{texts.NOTICE}</p></div>'
        )
        with gr.Row():
            with gr.Column(scale=3, min_width=290):
                upload = gr.File(label=texts.UPLOAD, height=150, elem_id="upload")
            with gr.Column(scale=7, min_width=320, elem_classes="tight"):
                gr.HTML(f'<p class="small">{texts.EXAMPLES}</p>', visible=bool(examples))
                with gr.Row(elem_classes="examples"):
                    buttons = [gr.Button(example.title, icon=example.thumbnail, size="sm") for example in examples]
        with gr.Row():
            with gr.Column(scale=7, min_width=320):
                view = gr.HTML(views.viewer(), elem_id="viewer")
            with gr.Column(scale=3, min_width=290):
                outcome = gr.HTML(views.result(), elem_id="result")
                chosen = gr.Radio([texts.PREDICTED, *CLASSES], value=texts.PREDICTED, label=texts.EXPLAIN_CLASS)
                titles = [(f"{method.title} ({method.source})", name) for name, method in METHODS.items()]
                method = gr.Dropdown(titles, value=DEFAULT_METHOD, label=texts.METHOD, filterable=False)
        with gr.Accordion(texts.ABOUT_TITLE, open=False):
            gr.Markdown(texts.ABOUT + views.sanity(card))

        outputs = [state, view, outcome, chosen]
        shown = {"show_progress_on": [view], **PRIVATE}
        upload.upload(from_upload, [upload, method], [upload, *outputs], **shown)
        for button, example in zip(buttons, examples, strict=True):

            def from_example(method, progress=gr.Progress(), path=example.path):  # noqa: B008
                return guarded(read_and_judge, path, method, progress)

            button.click(from_example, [method], outputs, **shown)
        for choice in (chosen, method):
            choice.input(explain_again, [state, chosen, method], [view, outcome], show_progress="hidden", **PRIVATE)

        api_inputs = [gr.File(visible=False), gr.Textbox("", visible=False), gr.Textbox(DEFAULT_METHOD, visible=False)]
        api_outputs = [gr.JSON(visible=False), gr.Image(visible=False, format="png")]
        gr.Button(visible=False).click(explain, api_inputs, api_outputs, api_name="explain")
    page.queue(max_size=32, default_concurrency_limit=2)
    return page


def launch_settings() -> dict:
    """Keyword arguments of `launch` that keep the page offline, quiet and private."""
    system = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    return {
        "theme": gr.themes.Base(
            primary_hue="sky", neutral_hue="slate", font=system, font_mono=["ui-monospace", "monospace"]
        ),
        "css_paths": CSS,
        "footer_links": [],
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "mcp_server": False,
        "pwa": False,
        "max_file_size": "64mb",
        "quiet": True,
        "show_error": False,
        "prevent_thread_lock": True,
    }
