"""The page and its events."""

if __name__ == "__main__":  # as Hugging Face Spaces start it (`app_file: demo/app.py`)
    import runpy
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).parent.parent)
    runpy.run_module("demo", run_name="__main__", alter_sys=True)

import asyncio
import base64
import io
import json
import logging
import secrets
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

import gradio as gr

from demo import intake, series_view, texts, viewer, views
from demo.about import about
from demo.outgoing import give
from lungcnn import (
    CLASSES,
    COLOUR_MAPS,
    DEFAULT_METHOD,
    METHODS,
    CTSlice,
    LungCNNError,
    ModelCard,
    Pipeline,
    Reading,
    RefusalError,
    Series,
    SeriesReport,
    SeriesSlice,
    SliceReport,
    UnsupportedFileError,
    View,
    Window,
    dicom_files,
    encode_png,
    export_heatmap,
    export_overlay,
    export_record,
    export_report,
    load_slice,
    read_series,
    render_overlay,
    render_slice,
    shipped_file,
)

EXAMPLES = shipped_file("examples")
THUMBNAILS = Path(__file__).parent / "thumbnails"
THUMBNAIL = 104
PRIVATE = {"api_visibility": "private"}
CSS = Path(__file__).parent / "style.css"
SCRIPT = Path(__file__).parent / "viewer.js"
DEFAULT_COLOURS = "inferno"
ZIP = b"PK"
REST_SECONDS = 0.35
log = logging.getLogger("demo")


class PipelineInWaiting:
    """A pipeline that loads in the background, so that the page is served at once.

    Attributes:
        read: as `load_slice`; it doesn't wait for the pipeline.
    """

    def __init__(self, load: Callable[[], Pipeline], read: Callable[..., CTSlice] = load_slice):
        self._load, self.read = load, read
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
    """The bundled phantoms with their bundled thumbnails, which spare the first visitor the drawing.

    One that has none gets it drawn into `scratch`, and so do real slices that were fetched (`examples --download`).
    """
    from lungcnn import BUNDLED, downloaded_examples

    found = []
    for name, spec in BUNDLED.items():
        path = EXAMPLES / f"{name}.dcm"
        if not path.exists():
            continue
        thumbnail = THUMBNAILS / f"{name}.png"
        if not thumbnail.exists():
            thumbnail = scratch / thumbnail.name
            thumbnail.write_bytes(draw_thumbnail(path))
        found.append(Example(path, spec.title, thumbnail))
    for real, path in downloaded_examples():
        thumbnail = scratch / f"{real.name}.png"
        thumbnail.write_bytes(draw_thumbnail(path))
        found.append(Example(path, real.title, thumbnail))
    return found


def draw_thumbnail(path: Path) -> bytes:
    """A slice as the strip of examples shows it: the middle three quarters, as PNG."""
    import cv2

    picture = render_slice(load_slice(path))
    top = (picture.shape[0] - picture.shape[0] * 3 // 4) // 2
    small = cv2.resize(picture[top:-top], (2 * THUMBNAIL, 3 * THUMBNAIL // 2), interpolation=cv2.INTER_AREA)
    return encode_png(small)


def build_demo(
    waiting: PipelineInWaiting, examples: list[Example], card: ModelCard | None = None, dicom_results: bool = False
) -> gr.Blocks:
    """The page.

    Args:
        waiting: gives the pipeline when it is first needed. card: its model's.
        dicom_results: whether results can be taken away as DICOM, which name the patient of the upload.
    """
    explain = Explaining(waiting, card, dicom_results)
    with gr.Blocks(title=texts.TITLE, analytics_enabled=False, delete_cache=(300, 300)) as page:
        state = gr.State(None, time_to_live=1800)
        html(views.head(dicom_results))
        warming = html(elem_classes="warming-host")
        with gr.Row(elem_classes="start"):
            with gr.Column(scale=3, min_width=260):
                upload = gr.File(label=texts.UPLOAD, height=132, elem_id="upload", file_count="multiple")
            with gr.Column(scale=8, min_width=300, elem_classes="tight"):
                real = any(EXAMPLES not in example.path.parents for example in examples)
                strip = texts.EXAMPLES_REAL if real else texts.EXAMPLES
                html(f'<p class="quiet">{strip}</p>', visible=bool(examples))
                with gr.Row(elem_classes="examples"):
                    buttons = [gr.Button(example.title, icon=example.thumbnail, size="sm") for example in examples]
        with gr.Row(elem_classes="main"):
            with gr.Column(scale=8, min_width=300, elem_classes="tight"):
                html(viewer.frame())
                with gr.Column(visible=False, elem_classes="series-panel") as series_panel:
                    slider = gr.Slider(1, 2, 1, step=1, label=texts.SLICE, elem_id="series-slider")
                    which = gr.Dropdown([], label=texts.WHICH_SERIES, visible=False, filterable=False, elem_id="which")
                    overview = html(elem_id="series")
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
                    if dicom_results:
                        with gr.Row(elem_classes="exports of-dicom"):
                            dicom = gr.Button(texts.DICOM[0], size="sm", elem_id="take-dicom")
                            dicom_hint = html(elem_id="dicom-hint")
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
            "panel": series_panel,
            "slider": slider,
            "which": which,
            "overview": overview,
        }
        if dicom_results:
            places |= {"dicom": dicom, "dicom_hint": dicom_hint}
        outputs = list(places.values())

        def in_place(steps):
            """Changes by name as Gradio's outputs, step by step; what isn't named stays."""
            changes = None
            for changes in steps:
                yield [changes.get(name, gr.skip()) for name in places]
            if changes is None:  # Gradio takes a generator without a value for "empty everything"
                yield [gr.skip()] * len(places)

        def from_upload(files, method):
            for values in in_place(explain.upload(files, method)):
                yield None, *values

        # What is dropped or clicked while a slice is at work comes after it, not to nothing.
        options = {"show_progress_on": [outcome], "trigger_mode": "always_last", **PRIVATE}
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
        # A series is scrolled through: slice and map come at once, the checks when it rests.
        quick = {"show_progress": "hidden", **PRIVATE}

        def scroll(visit, number, method):
            yield from in_place(explain.scroll(visit, number, method))

        def rest(visit, method):
            yield from in_place(explain.rest(visit, method))

        def another(visit, number, method):
            yield from in_place(explain.another(visit, number, method))

        moved = slider.input(
            scroll, [state, slider, method], outputs, trigger_mode="always_last", concurrency_limit=4, **quick
        )
        moved.then(rest, [state, method], outputs, trigger_mode="multiple", concurrency_limit=8, **quick)
        which.input(another, [state, which, method], outputs, **options)
        for kind, button in exports.items():

            def taken(visit, settings, kind=kind):
                return export_data(kind, visit, settings)

            button.click(taken, [state, settings], [download], show_progress_on=[button], **PRIVATE)
        if dicom_results:
            dicom.click(explain.dicom, [state], [download], show_progress_on=[dicom], **PRIVATE)
        page.load(waiting.report_readiness, None, [warming], show_progress="hidden", concurrency_limit=None, **PRIVATE)

        api_inputs = [gr.File(visible=False), gr.Textbox("", visible=False), gr.Textbox(DEFAULT_METHOD, visible=False)]
        api_outputs = [gr.JSON(visible=False), gr.Image(visible=False, format="png")]
        gr.Button(visible=False).click(explain.api, api_inputs, api_outputs, api_name="explain")
    page.queue(max_size=32, default_concurrency_limit=2)
    return page


def html(value: str = "", **options) -> gr.Markdown:
    """HTML as it is: `gr.HTML` evaluates a script in the browser for each of its templates, which our policy forbids.

    A blank line would end Markdown's HTML, so there is none in what we write.
    """
    return gr.Markdown(value, sanitize_html=False, latex_delimiters=[], **options)


@dataclass(eq=False)
class Visit:
    """What one visitor looks at; it changes as he scrolls.

    Attributes:
        token: a random name for the slice that is shown, which ties maps to it.
        series_token: the same for the series; "" for a single slice.
        source: the DICOM file of the slice, where the operator offers DICOM results; else None.
    """

    ct_slice: CTSlice | None = None
    report: SliceReport | None = None
    token: str = ""
    reading: Reading | None = None
    series: Series | None = None
    series_report: SeriesReport | None = None
    series_token: str = ""
    index: int = 0
    source: bytes | Path | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def show(self, ct_slice: CTSlice | None, index: int = 0, source: bytes | Path | None = None) -> None:
        """Another slice, or none where it can't be read; it has no report yet."""
        with self._lock:
            self.ct_slice, self.index, self.source, self.report = ct_slice, index, source, None
            self.token = secrets.token_hex(8)

    def settle(self, report: SliceReport, token: str) -> bool:
        """The report of the slice with that token; False where another one is shown by now."""
        with self._lock:
            if self.token == token:
                self.report = report
            return self.token == token

    def filed(self) -> tuple[bytes | Path | None, SliceReport | None]:
        """Source and report that belong together, even while he scrolls on."""
        with self._lock:
            return self.source, self.report


class Explaining:
    """What the page's events do. Each gives changes by the names of places on the page, step by step."""

    def __init__(self, waiting: PipelineInWaiting, card: ModelCard | None, dicom_results: bool = False):
        self.waiting, self.card, self.dicom_results = waiting, card, dicom_results

    def upload(self, files: list[str], method: str) -> Iterator[dict]:
        """Uploaded files: taken from where they wait in memory, and judged."""

        def steps():
            # The browser's order stands in for the names, which don't come this far.
            yield from self._open([intake.take(file) for file in files], method)

        yield from self._guarded(steps())

    def example(self, path: Path, method: str) -> Iterator[dict]:
        """A bundled slice."""

        def steps():
            yield from self._judge_slice(self.waiting.read(path), path, method)

        yield from self._guarded(steps())

    def again(self, visit: Visit | None, name: str, method: str) -> Iterator[dict]:
        """The slice that is shown, explained for another class or by another method."""
        if visit is not None and visit.report is not None and visit.report.status == "ok":
            yield from self._guarded(self._explain(visit, name, method))

    def scroll(self, visit: Visit | None, number: int, method: str) -> Iterator[dict]:
        """Another slice of the series, without the checks. `number` counts from 1."""
        if visit is not None and visit.series is not None:
            index = min(max(int(number) - 1, 0), len(visit.series) - 1)
            yield from self._guarded(self._show(visit, index, method))

    def rest(self, visit: Visit | None, method: str) -> Iterator[dict]:
        """The checks of the slice at which scrolling came to rest."""
        token = visit and visit.token
        time.sleep(REST_SECONDS)
        if visit is None or visit.report is None or visit.token != token or visit.report.status != "ok":
            return
        yield from self._guarded(self._explain(visit, visit.report.prediction, method))

    def another(self, visit: Visit | None, number: int | None, method: str) -> Iterator[dict]:
        """Another series of the same upload."""
        if visit is not None and visit.reading is not None and number is not None:
            yield from self._guarded(self._judge_series(visit.reading, int(number), method))

    def api(self, file, class_name, method):
        """The API: a file, a class ("" for the predicted one) and a method give the JSON record and the overlay."""
        options = {"explain_class": class_name or None, "method": method or DEFAULT_METHOD}
        try:
            report = next(self.waiting.get().run_file(intake.take(file), **options))
        except LungCNNError as error:
            raise gr.Error(str(error)) from None
        if report.explanation is None:
            return report.to_json(), None
        return report.to_json(), give(encode_png(render_overlay(report)), "overlay.png", once=True)

    def dicom(self, visit: Visit | None) -> str:
        """The DICOM results of the slice that is shown, zipped, as data for the browser; nothing is written to disk."""
        source, report = visit.filed() if visit else (None, None)
        if source is None or report is None:
            raise gr.Error(texts.NOTHING_TO_TAKE if report is None else texts.DICOM_PICTURE, print_exception=False)
        try:
            files = getattr(self.waiting.get(), "dicom_files", dicom_files)(source, report)
        except LungCNNError as error:
            raise gr.Error(str(error), print_exception=False) from None
        if "result-pm.dcm" not in files:
            gr.Info(texts.DICOM_NO_MAP)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return _download(packed.getvalue(), *texts.DICOM[1:])

    def _open(self, data: list[bytes], method: str) -> Iterator[dict]:
        """One slice, or a series."""
        yield self._step("read") | _NO_SLICE
        if len(data) == 1 and not data[0].startswith(ZIP):
            ct_slice = self.waiting.read(data[0])
            if ct_slice.frames == 1:
                yield from self._judge_slice(ct_slice, data[0], method)
                return
        reading = read_series(data)
        if not reading.series:
            reason = reading.set_aside[0].reason.message if reading.set_aside else ""
            raise UnsupportedFileError(texts.NO_SERIES.format(count=len(data), reason=reason))
        if len(reading.series) == 1 and len(reading.series[0]) == 1:
            yield from self._judge_slice(*self._read_one(reading.series[0].slices[0]), method)
        else:
            yield from self._judge_series(reading, 0, method)

    def _read_one(self, one: SeriesSlice) -> tuple[CTSlice, bytes | Path]:
        content = one.content()
        return self.waiting.read(content, one.frame), content

    def _source(self, ct_slice: CTSlice, content: bytes | Path) -> bytes | Path | None:
        """What is kept of an upload: nothing but for DICOM results."""
        return content if self.dicom_results and ct_slice.kind == "dicom" else None

    def _judge_slice(self, ct_slice: CTSlice, content: bytes | Path, method: str) -> Iterator[dict]:
        """Show, judge, check: the picture is there before the network has spoken."""
        visit = Visit()
        visit.show(ct_slice, source=self._source(ct_slice, content))
        step = "judge" if self.waiting.ready else "model"
        yield self._step(step) | {"slice": viewer.slice_data(ct_slice, visit.token)}
        yield from self._judge(visit, method)
        if visit.report.status == "ok":
            yield from self._explain(visit, visit.report.prediction, method)

    def _judge_series(self, reading: Reading, number: int, method: str) -> Iterator[dict]:
        """Judge every slice, saying how far it is; then show the slice to look at first."""
        series = reading.series[number]
        yield self._step("series" if self.waiting.ready else "model") | _NO_SLICE
        pipeline = self.waiting.get()
        done: list[SliceReport] = []
        with ThreadPoolExecutor(1) as pool:
            judged = pool.submit(pipeline.run_series, series, done.append)
            while not judged.done():
                yield self._step("series", texts.OF.format(done=len(done), count=len(series)))
                wait([judged], timeout=0.4)
        report = judged.result()
        visit = Visit(reading=reading, series=series, series_report=report, series_token=secrets.token_hex(8))
        index = report.suspicious[0] if report.suspicious else len(series) // 2
        yield {
            "panel": gr.update(visible=True),
            "slider": gr.update(maximum=max(2, len(series)), value=index + 1, visible=len(series) > 1),
            "which": gr.update(choices=_titles(reading), value=number, visible=len(reading.series) > 1),
            "overview": series_view.overview(report, reading, self.card),
        }
        yield from self._show(visit, index, method)
        if visit.report is not None and visit.report.status == "ok":
            yield from self._explain(visit, visit.report.prediction, method)

    def _show(self, visit: Visit, index: int, method: str) -> Iterator[dict]:
        """A slice of the series with its map; one that can't be read says so, and the rest stays usable."""
        try:
            ct_slice, content = self._read_one(visit.series.slices[index])
            visit.show(ct_slice, index, self._source(ct_slice, content))
        except LungCNNError as error:
            visit.show(None, index)
            gone = {"trust": "", "evidence": _HIDDEN, "take": _HIDDEN, **_NO_SLICE}
            yield {"state": visit, "outcome": views.message(texts.ERROR, str(error)), **gone}
            return
        data = viewer.slice_data(visit.ct_slice, visit.token, visit.series_token, index)
        (changes,) = self._judge(visit, method)
        yield {"slice": data} | changes

    def _judge(self, visit: Visit, method: str) -> Iterator[dict]:
        """Probabilities and map, at once; the checks follow."""
        token = visit.token
        report = self.waiting.get().run(visit.ct_slice, method=method, checks=False)
        if not visit.settle(report, token):
            yield {}
        elif report.status == "ok":
            yield self._shown(visit, pending=True) | {"chosen": report.prediction}
        else:
            yield {
                "state": visit,
                "map": viewer.map_data(None, None),
                "outcome": views.result(report),
                "trust": "",
                "evidence": _HIDDEN,
                "take": _HIDDEN,
            }

    def _explain(self, visit: Visit, name: str, method: str) -> Iterator[dict]:
        token, ct_slice = visit.token, visit.ct_slice
        report = self.waiting.get().run(ct_slice, name, method)
        if visit.settle(report, token):  # else the visitor has moved on
            yield self._shown(visit)

    def _shown(self, visit: Visit, pending: bool = False) -> dict:
        report = visit.report
        return {
            "state": visit,
            "map": viewer.map_data(visit.ct_slice, report.explanation, visit.token),
            "outcome": views.result(report),
            "trust": views.trust(report, self.card, pending),
            "evidence": gr.update(visible=True),
            "take": gr.update(visible=True),
            "dicom": gr.update(visible=visit.source is not None),
            "dicom_hint": f'<p class="quiet">{texts.DICOM_PICTURE if visit.source is None else texts.DICOM_HINT}</p>',
        }

    def _step(self, name: str, detail: str = "") -> dict:
        return {"outcome": views.working(name, detail)} | _NO_RESULT

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
_NO_RESULT = {
    "state": None,
    "map": viewer.map_data(None, None),
    "trust": "",
    "evidence": _HIDDEN,
    "take": _HIDDEN,
    "panel": _HIDDEN,
}


def _titles(reading: Reading) -> list[tuple[str, int]]:
    """The series of an upload for a list: what they are called in their files may name a patient, so it isn't shown."""
    titles = []
    for number, series in enumerate(reading.series):
        spacing = texts.SPACING.format(mm=series.spacing_mm) if series.spacing_mm else ""
        titles.append((texts.ONE_SERIES.format(number=number + 1, count=len(series), spacing=spacing), number))
    return titles


def export_data(kind: str, visit: Visit | None, settings: str) -> str:
    """A file to take away, as data for the browser, drawn as the viewer shows it; nothing is written to disk.

    Args:
        kind: a key of `texts.EXPORTS`. settings: the viewer's, as JSON; anything unusable falls back to the defaults.
    """
    if visit is None or visit.report is None:
        raise gr.Error(texts.NOTHING_TO_TAKE)
    view = _view(settings)
    made = {
        "overlay": lambda: export_overlay(visit.report, view),
        "report": lambda: export_report(visit.report, view),
        "record": lambda: export_record(visit.series_report or visit.report),
        "heatmap": lambda: export_heatmap(visit.report),
    }[kind]()
    return _download(made, *texts.EXPORTS[kind][1:])


def _download(content: bytes, name: str, media: str) -> str:
    # The number in front makes a second download of the same file a change that the browser sees.
    text = f"{secrets.token_hex(4)}:{base64.b64encode(content).decode()}"
    return viewer.data_box("download-data", text, name=name, kind=media)


def _view(settings: str) -> View:
    try:
        asked = json.loads(settings)
        return View(
            window=Window(float(asked["centre"]), float(asked["width"])),
            opacity=min(1.0, max(0.0, float(asked["opacity"]))),
            colour_map=asked["colour_map"] if asked["colour_map"] in COLOUR_MAPS else DEFAULT_COLOURS,
            contour=None if asked["contour"] is None else min(1.0, max(0.0, float(asked["contour"]))),
            signed=bool(asked.get("signed")),
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
