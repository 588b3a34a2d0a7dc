"""How fast the page is, in chromium: a step through a series, thirty ticks, click to checked result, a long zip.

All beside an event of a bare Gradio page in the same run: `python tools/viewer_figures.py`.
"""

import io
import statistics
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import click
import gradio as gr
import numpy as np
import pydicom
from measurements import ROOT, publish

sys.path.insert(0, str(ROOT / "tests"))
from demo_process import Demo

FLAGS = ["--no-sandbox", "--disable-gpu"]
EXAMPLE = ROOT / "examples" / "arch-spiculated-mass.dcm"
PATIENCE = 600_000
# Each gives milliseconds, measured inside the page.
BARE = """async () => {
    const said = () => document.querySelector('#said').innerText, before = said(), from = performance.now();
    document.querySelector('#ask').click();
    while (said() === before) await new Promise(requestAnimationFrame);
    return performance.now() - from; }"""
TICKS = """async ([ticks, way]) => {
    const before = ctViewer.drawn(), from = performance.now();
    for (let i = 0; i < ticks; i++) document.querySelector('#ct-stage').dispatchEvent(
        new WheelEvent('wheel', {deltaY: 100 * way, bubbles: true, cancelable: true}));
    while (ctViewer.drawn() < before + ticks) await new Promise(requestAnimationFrame);
    return performance.now() - from; }"""
CHECKED = """async () => {
    const isChecked = () => document.querySelector('#numbers'), from = performance.now();
    document.querySelector('.examples button:nth-of-type(2)').click();
    while (isChecked()) await new Promise(requestAnimationFrame);
    while (!isChecked()) await new Promise(requestAnimationFrame);
    return performance.now() - from; }"""


def series_zip(slices: int) -> bytes:
    """A zip of a phantom's slice at so many positions."""
    stream = io.BytesIO()
    file = pydicom.dcmread(EXAMPLE)
    file.SeriesInstanceUID = "1.2.3"
    file.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(slices):
            file.ImagePositionPatient = [0, 0, number]
            file.SOPInstanceUID = file.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number + 1}"
            one = io.BytesIO()
            file.save_as(one)
            archive.writestr(f"{number}.dcm", one.getvalue())
    return stream.getvalue()


def bare_page() -> gr.Blocks:
    """A page with one event that does next to nothing."""
    with gr.Blocks(analytics_enabled=False) as page:
        said = gr.Markdown("0", elem_id="said")
        gr.Button("ask", elem_id="ask").click(lambda text: str(int(text) + 1), said, said)
    return page


def several(page, script: str, times: int, argument: object = None, pause: int = 100) -> list[float]:
    """A script's milliseconds, a first run left out."""
    found = []
    for _ in range(times + 1):
        found.append(page.evaluate(script, argument))
        page.wait_for_timeout(pause)
    return found[1:]


def open_series(page, slices: int) -> float:
    """Seconds from handing over a series to its first checked slice."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "series.zip"
        path.write_bytes(series_zip(slices))
        start: Callable[[], float] = lambda: page.evaluate("() => performance.now()")  # noqa: E731
        before = start()
        page.set_input_files("#upload input[type=file]", path)
        page.wait_for_selector(f"#series:has-text('{slices} slices')", timeout=PATIENCE)
        page.wait_for_selector("#numbers", state="attached", timeout=PATIENCE)
    return (start() - before) / 1000


@click.command()
@click.option("--json", "target", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here, too.")
@click.option("--slices", default=504, show_default=True, help="Of the long series.")
@click.option("--chromium", default="/usr/bin/chromium", show_default=True, help="The browser's program.")
def main(target, slices, chromium):
    """Measure the page in chromium against an event of a bare Gradio page in the same run."""
    from playwright.sync_api import sync_playwright

    bare = bare_page()
    _, bare_url, _ = bare.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False)
    with tempfile.TemporaryDirectory() as folder, Demo(Path(folder) / "demo") as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        size = {"width": 1440, "height": 900}
        idle, page = browser.new_page(viewport=size), browser.new_page(viewport=size)
        idle.goto(bare_url)
        idle.wait_for_selector("#ask")
        page.goto(demo.url + "/?example=none")
        page.click(".examples button >> nth=0")
        page.wait_for_selector("#numbers", state="attached", timeout=PATIENCE)
        events = several(idle, BARE, 15)
        checked = several(page, CHECKED, 7, pause=500)
        open_series(page, 40)
        page.wait_for_timeout(5000)  # the slices around are fetched
        page.focus("#ct-stage")
        page.keyboard.press("Home")
        page.wait_for_timeout(3000)
        steps = [page.evaluate(TICKS, [1, 1]) for _ in range(20)] + [page.evaluate(TICKS, [1, -1]) for _ in range(20)]
        ticks = [page.evaluate(TICKS, [30, way]) for way in (1, -1, 1, -1)]
        events += several(idle, BARE, 15)
        opened = open_series(page, slices)
        browser.close()
    bare.close()
    event = statistics.median(events)
    found = {"bare_event": event, "step": statistics.median(steps), "thirty_ticks": statistics.median(ticks)}
    found["click_to_checked"] = statistics.median(checked)
    figures = {
        "medians_ms": {name: round(value, 1) for name, value in found.items()},
        "step_ms_95th": round(float(np.quantile(steps, 0.95)), 1),
        "over_bare_event": {name: round(value / event, 2) for name, value in found.items() if name != "bare_event"},
        "zip": {"slices": slices, "seconds": round(opened, 1), "over_bare_event": round(opened * 1000 / event)},
    }
    publish(figures, target)


if __name__ == "__main__":
    main()
