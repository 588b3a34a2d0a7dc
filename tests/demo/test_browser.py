"""The running demo in Debian's chromium, as a person meets it."""

import base64
import importlib.util
import io
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from urllib.parse import urlparse

import cv2
import httpx
import numpy as np
import pytest
from conftest import ROOT, dicom_bytes, missing
from demo_process import Demo
from pypdf import PdfReader

from demo import routes
from demo.routes import API
from lungcnn import COLOUR_MAPS, SIGNS, WINDOWS, LungCNNError, colour_table, load_slice, render_overlay
from lungcnn.windowing import to_grey

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-sync", "--no-first-run"]
EXAMPLES = ROOT / "examples"
MASS = EXAMPLES / "arch-spiculated-mass.dcm"
WAIT = 90_000
PATIENT = "MARKER^NAME"
# Four minutes in all, so they wait for CI or --slow.
pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def chromium():
    if not Path(CHROMIUM).exists():
        missing("Debian's chromium")
    if importlib.util.find_spec("playwright") is None:
        missing("playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """One demo for all tests."""
    with Demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


class Watch:
    """Everything a page asks for and complains about."""

    def __init__(self, page):
        self.hosts, self.errors, self.posts, self.asked = set(), [], [], set()
        page.on("request", self._request)
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _request(self, request):
        self.hosts.add(urlparse(request.url).hostname)
        self.asked.add((request.method, urlparse(request.url).path))
        if request.method == "POST":
            self.posts.append(request.url)


def visit(chromium, demo, width=1440, height=900, address="?example=none", **options):
    """A fresh visitor's page; afterwards nothing was asked of another host, and the console shows no error."""
    context = chromium.new_context(viewport={"width": width, "height": height}, **options)
    context.set_default_timeout(WAIT)
    page = context.new_page()
    page.watch = Watch(page)
    page.goto(demo.url + address)
    page.wait_for_selector("#ct-stage")
    page.wait_for_selector(".examples button")
    return page


def leave(page):
    page.context.close()
    assert page.watch.hosts <= {"127.0.0.1", "", None}, "a request left this machine"
    assert page.watch.errors == []


@pytest.fixture
def page(chromium, demo):
    page = visit(chromium, demo)
    yield page
    leave(page)


def drop(page, *files):
    """Drop files as a person would with the mouse; each a path, or a name and bytes."""
    files = [(file.name, file.read_bytes()) if isinstance(file, Path) else file for file in files]
    transfer = page.evaluate_handle(
        """(files) => {
            const transfer = new DataTransfer();
            for (const [name, content] of files) {
                const bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
                transfer.items.add(new File([bytes], name));
            }
            return transfer;
        }""",
        [[name, base64.b64encode(content).decode()] for name, content in files],
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("#upload", event, {"dataTransfer": transfer})


def choose(page, path):
    """Choose a file in the dialogue, once the box has let go of the last one."""
    page.wait_for_selector("#upload .file-preview", state="detached")
    page.set_input_files("#upload input[type=file]", path)


def checked(page):
    """Wait until the slice is judged and its heatmap checked."""
    page.wait_for_function(
        "() => { const t = document.querySelector('#trust-heatmap'); return t && !t.innerText.includes('Being'); }",
        timeout=WAIT,
    )
    painted(page)


def painted(page):
    """Wait for two frames: what was asked for is on the canvas."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def example(page, number=1):
    page.click(f".examples button >> nth={number}")
    checked(page)


def canvas(page) -> np.ndarray:
    """The canvas as RGB `[rows, columns, 3]`."""
    painted(page)
    url = page.evaluate("() => document.querySelector('#ct-canvas').toDataURL('image/png')")
    data = np.frombuffer(base64.b64decode(url.split(",", 1)[1]), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].astype(int)


def at(page, image, x, y, pane=0):
    """The canvas's colour at a place of the slice."""
    column, row = page.evaluate("([x, y, pane]) => ctViewer.toScreen(x, y, pane)", [x, y, pane])
    return image[int(row), int(column)]


def says(page, selector, text):
    """Wait until an element shows this text: the page draws in its next frame."""
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector).innerText.trim() === text", arg=[selector, text]
    )


def colourful(image) -> float:
    return float((np.ptp(image, axis=2) > 25).mean())


def away_from(peak):
    """A place in the air above the patient."""
    return peak[0], 20.5


@pytest.fixture(scope="module")
def mass(shipped):
    """The example with a mass, and what the model says of it."""
    ct_slice = load_slice(MASS)
    return ct_slice, shipped.run(ct_slice)


def set_value(page, selector, value):
    page.eval_on_selector(
        selector, "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})); }", str(value)
    )


# ---------------------------------------------------------------- first visit


def test_before_the_model_is_there_visitors_are_told_and_stand_in_line(chromium, tmp_path, monkeypatch):
    from demo.examples import find_examples
    from demo.judge import ReadHere
    from demo.page import build_demo, look
    from demo.rules import make_rules
    from demo.server import launch_settings
    from demo.waiting import JudgeInWaiting

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    loaded = threading.Event()

    def load():
        loaded.wait()
        raise LungCNNError("This model never comes.")

    waiting = JudgeInWaiting(load, ReadHere())
    waiting.start()
    # A visitor may have a quarter of the places at work, three here; the fourth call stands in line.
    demo = build_demo(waiting, find_examples()[:1], at_work=12)
    rules = make_rules("127.0.0.1", page=demo, head=look()["head"])
    _, url, _ = demo.launch(server_port=free_port(), **look(), **launch_settings(rules))
    try:
        pages = [chromium.new_page() for _ in range(4)]
        for page in pages:
            page.goto(url + "?example=none")
            page.wait_for_selector("#warming", timeout=WAIT)
            assert "No slice yet" in page.inner_text("#ct-stage")
            assert page.query_selector("input[name=ct-window]:enabled") is None
        drop(pages[3], MASS)
        for page in pages[:2]:
            page.click(".examples button")
        for page in (*pages[:2], pages[3]):
            page.wait_for_selector(".steps .now:has-text('Loading the model')", timeout=WAIT)
            page.wait_for_selector("#ct:not(.empty)")
            assert canvas(page).std() > 20, "the slice is there before the model"
        pages[2].click(".examples button")
        pages[2].wait_for_selector("#result:has-text('Ahead of you in the line: 0')", timeout=WAIT)
        assert sum(rules.shares._pages.values()) == len(pages), "what these sessions hold stays"
        loaded.set()
        for page in pages:
            page.wait_for_selector("#message", timeout=WAIT)
            assert "This model never comes." in page.text_content("#message")
            page.wait_for_selector("#warming", state="detached")
            page.close()
    finally:
        loaded.set()
        demo.close(verbose=False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_link_opens_an_example_and_loading_again_keeps_it(chromium, demo):
    page = visit(chromium, demo, address="")
    checked(page)  # a first visitor sees an example that is judged
    page.click("#example-heart-chest-wall-mass")
    checked(page)
    page.get_by_label("benign", exact=True).check()
    page.check("input[name=ct-window][value=bone]", force=True)
    page.wait_for_function("() => location.search === '?example=heart-chest-wall-mass&class=benign&window=bone'")
    page.wait_for_function(
        "() => document.querySelector('#ct-caption')?.textContent === 'Evidence for benign · Grad-CAM'"
    )
    checked(page)  # Gradio complains of a call that loading again cuts off
    page.reload()
    page.wait_for_function(
        "() => document.querySelector('#ct-caption')?.textContent === 'Evidence for benign · Grad-CAM' && "
        "document.querySelector('#ct-centre').value === '400'",
        timeout=WAIT,
    )
    drop(page, MASS)
    page.wait_for_function("() => location.search === ''")  # an upload is not named
    leave(page)


def test_the_address_keeps_the_class_from_example_to_example(chromium, demo):
    page = visit(chromium, demo)
    example(page)
    page.get_by_label("benign", exact=True).check()
    page.wait_for_function("() => location.search === '?example=arch-spiculated-mass&class=benign'")
    example(page, 4)  # the choice is off the page while the next one is judged
    page.wait_for_timeout(400)
    assert page.evaluate("location.search") == "?example=heart-smooth-nodule&class=benign"
    leave(page)


def test_a_link_to_no_example_opens_the_first(chromium, demo):
    page = visit(chromium, demo, address="?example=gone&class=nothing&window=none&mode=5")
    checked(page)
    page.wait_for_function("() => location.search === '?example=arch-spiculated-mass'")
    leave(page)


# ---------------------------------------------------------------- the viewer


def test_a_dropped_dicom_file_is_judged_and_drawn(page, mass):
    _, expected = mass
    drop(page, ("no suffix at all", MASS.read_bytes()))
    checked(page)
    assert page.inner_text("#prediction") == expected.prediction
    shown = {
        row.get_attribute("data-class"): float(row.get_attribute("data-probability"))
        for row in page.query_selector_all("#probabilities li")
    }
    assert shown == pytest.approx(expected.probabilities, abs=2e-4)
    assert "Not a medical device" in page.inner_text(".head")
    x, y = expected.explanation.peak_xy
    page.uncheck("#ct-peak")
    image = canvas(page)
    assert np.ptp(at(page, image, x, y)) > 25, "no colour at the map's peak"
    assert np.ptp(at(page, image, *away_from((x, y)))) <= 2
    assert f"at x {round(x)}, y {round(y)}" in page.inner_text("#ct-peak-text")
    rows, columns = expected.explanation.cells.shape
    assert f"{rows} × {columns} cells of 15 × 15 mm" in page.inner_text("#ct-cells")
    assert [page.inner_text(f"#ct-{side}") for side in ("left", "right", "top", "bottom")] == list("RLAP")
    length = float(page.inner_text("#ct-scale").split()[0])
    first, second = (page.evaluate("x => ctViewer.toScreen(x, 0)[0]", value) for value in (0, length / 0.7))
    assert page.eval_on_selector("#ct-scale", "e => e.getBoundingClientRect().width") == pytest.approx(
        second - first, abs=1
    )
    assert page.inner_text("#ct-unit") == "logits"
    assert float(page.inner_text("#ct-most")) == pytest.approx(expected.explanation.scale, rel=0.05)


def test_every_control_of_the_viewer_acts_in_the_browser_alone(page, mass):
    _, expected = mass
    example(page)
    page.wait_for_timeout(400)  # the settings for the exports have gone out
    page.uncheck("#ct-peak")
    x, y = expected.explanation.peak_xy
    posts = len(page.watch.posts)
    with_heat = canvas(page)

    # Heatmap on and off: by box and by space bar; opacity 0 is off.
    page.uncheck("#ct-heat")
    plain = canvas(page)
    assert colourful(plain) == 0
    assert not page.is_visible("#ct-bar")
    page.focus("#ct-stage")
    page.keyboard.press(" ")
    np.testing.assert_array_equal(canvas(page), with_heat)
    set_value(page, "#ct-opacity", 0)
    np.testing.assert_allclose(canvas(page), plain, atol=1)
    set_value(page, "#ct-opacity", 100)
    assert np.ptp(at(page, canvas(page), x, y)) > np.ptp(at(page, with_heat, x, y))
    assert page.inner_text("#ct-opacity-value") == "100 %"

    # Colour maps: at full opacity and strength the peak has the map's own colour.
    for name in COLOUR_MAPS:
        page.select_option("#ct-colours", name)
        strongest = expected.explanation.cells.max() / expected.explanation.scale
        table = colour_table(name).astype(int)
        grey = at(page, plain, x, y)
        mixed = strongest * table[round(255 * strongest)] + (1 - strongest) * grey
        assert np.abs(at(page, canvas(page), x, y) - mixed).max() < 32, name
    page.select_option("#ct-colours", "inferno")
    set_value(page, "#ct-opacity", 60)

    # Contour only: an outline, and no colour inside.
    page.check("#ct-contour")
    outlined = canvas(page)
    assert np.ptp(at(page, outlined, x, y)) <= 2
    assert 0 < colourful(outlined) < 0.02
    assert "half of the peak" in page.inner_text("#ct-peak-text")
    page.uncheck("#ct-contour")

    # What speaks against the class has a colour of its own, for methods with a sign.
    assert page.is_disabled("#ct-signed")

    # Side by side: plain on the left, heatmap on the right.
    page.check("input[value=side]", force=True)
    pair = canvas(page)
    assert np.ptp(at(page, pair, x, y, 0)) <= 2
    assert np.ptp(at(page, pair, x, y, 1)) > 25

    # Swipe: the heatmap lies to the right of the border only; keys move it.
    page.check("input[value=swipe]", force=True)
    assert np.ptp(at(page, canvas(page), x, y)) <= 2
    page.focus("#ct-handle")
    page.keyboard.press("Home")
    page.wait_for_selector("#ct-handle[aria-valuenow='0']")
    np.testing.assert_array_equal(canvas(page), with_heat)
    page.keyboard.press("End")
    np.testing.assert_array_equal(canvas(page), plain)
    box = page.query_selector("#ct-stage").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 3, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + 2, box["y"] + 300, steps=4)
    page.mouse.up()
    assert np.ptp(at(page, canvas(page), x, y)) > 25
    page.check("input[value=overlay]", force=True)

    # Grid and peak.
    before = canvas(page)
    page.check("#ct-grid")
    cell = expected.explanation.box
    corner = (cell.left + 4 * cell.width / 16, cell.top + 0.5 * cell.height / 16)
    assert (at(page, canvas(page), *corner) != at(page, before, *corner)).any()
    page.uncheck("#ct-grid")
    page.check("#ct-peak")
    assert (canvas(page) != before).any()
    page.uncheck("#ct-peak")
    np.testing.assert_array_equal(canvas(page), before)

    assert len(page.watch.posts) - posts <= 12, "the settings for the exports, and nothing else"
    assert not any("predict" in url or "upload" in url for url in page.watch.posts[posts:])


def test_what_speaks_against_a_class_is_shown_on_request(page, shipped):
    ct_slice = load_slice(MASS.read_bytes())
    report = shipped.run(ct_slice, "normal", "hires-cam", checks=False)
    heat = report.explanation.heatmap()
    y, x = np.unravel_index(np.argmin(heat), heat.shape)
    assert heat[y, x] < 0
    example(page)
    assert page.is_disabled("#ct-signed")
    assert page.get_attribute("#ct-signed", "title").startswith("Grad-CAM shows only what speaks for a class.")
    page.get_by_label("normal", exact=True).check()
    page.get_by_label("Method", exact=False).click()
    page.get_by_role("option", name="HiResCAM").click()
    says(page, "#ct-caption", "Evidence for normal · HiResCAM")
    page.uncheck("#ct-peak")
    before = at(page, canvas(page), x + 0.5, y + 0.5)
    assert np.ptp(before) <= 2
    assert "in blue" in page.get_attribute("#ct-signed", "title")
    posts = len(page.watch.posts)
    page.focus("#ct-signed")
    page.keyboard.press("Space")
    assert page.is_checked("#ct-signed")
    says(page, "#ct-caption", "Evidence for and against normal · HiResCAM")
    assert page.get_attribute("#ct-canvas", "aria-label").endswith("what speaks against it is shown, too")
    assert page.is_disabled("#ct-colours"), "it has two colours of its own"
    screen = page.evaluate("([x, y]) => ctViewer.toScreen(x, y)", [float(x) + 0.5, float(y) + 0.5])
    box = page.query_selector("#ct-stage").bounding_box()
    page.mouse.move(box["x"] + screen[0], box["y"] + screen[1])
    assert re.search(r"HU +−[\d.]+ logits$", page.inner_text("#ct-cursor")), "the sign in words, not by colour alone"
    assert not any("predict" in url for url in page.watch.posts[posts:])
    strength = min(1, -heat[y, x] / report.explanation.scale)
    set_value(page, "#ct-opacity", 100)
    mixed = strength * np.array(SIGNS[1]) + (1 - strength) * before
    assert np.abs(at(page, canvas(page), x + 0.5, y + 0.5) - mixed).max() < 20
    most, middle, least = (page.inner_text(f"#ct-{name}") for name in ("most", "half", "least"))
    assert (middle, least) == ("0", f"−{most}")
    page.check("#ct-contour")  # which goes around what speaks for the class
    painted(page)
    assert page.is_disabled("#ct-signed")
    page.uncheck("#ct-contour")
    page.uncheck("#ct-signed")
    says(page, "#ct-least", "0")
    assert np.ptp(at(page, canvas(page), x + 0.5, y + 0.5)) <= 2


def test_windows_are_those_of_radiology_and_free_for_calibrated_slices(page, mass):
    ct_slice, _ = mass
    example(page)
    page.uncheck("#ct-heat")
    rng = np.random.default_rng(1)
    places = rng.integers(120, 400, (12, 2))

    def matches(centre, width):
        from lungcnn import Window

        image, grey = canvas(page), to_grey(ct_slice.hu, Window(centre, width)).astype(int)
        # The picture is enlarged: a pixel's centre has its own level, up to its neighbours'.
        off = [abs(at(page, image, x + 0.5, y + 0.5)[0] - grey[y, x]) for x, y in places]
        return np.median(off) <= 8

    for name, window in (*WINDOWS.items(), ("file", ct_slice.window)):
        page.check(f"input[name=ct-window][value={name}]", force=True)
        assert (float(page.input_value("#ct-centre")), float(page.input_value("#ct-width"))) == (
            window.centre,
            window.width,
        )
        assert matches(window.centre, window.width), name
    page.fill("#ct-centre", "-100")
    page.fill("#ct-width", "900")
    assert matches(-100, 900)
    assert page.query_selector("input[name=ct-window]:checked") is None
    assert "C −100 W 900 HU" in re.sub(r"\s+", " ", page.inner_text("#ct-level"))
    box = page.query_selector("#ct-stage").bounding_box()
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + 300, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + 340, box["y"] + 320, steps=3)
    page.mouse.up()
    page.keyboard.up("Shift")
    assert page.input_value("#ct-centre") == "-60"
    assert page.input_value("#ct-width") == "1020"
    x, y = page.evaluate("() => ctViewer.toScreen(256.5, 250.5)")
    page.mouse.move(box["x"] + x, box["y"] + y)
    said = page.inner_text("#ct-cursor").replace("−", "-")
    assert said == f"x 256  y 250   {round(float(ct_slice.hu[250, 256]))} HU"


def test_zoom_and_pan(page):
    example(page)
    stage = page.query_selector("#ct-stage").bounding_box()
    whole = canvas(page)
    page.click("#ct-in")
    page.click("#ct-in")
    says(page, "#ct-zoom", "156 %")
    middle = [stage["width"] / 2, stage["height"] / 2]
    assert page.evaluate("() => ctViewer.toScreen(256, 256)") == pytest.approx(middle, abs=1)
    page.mouse.move(stage["x"] + 300, stage["y"] + 250)
    page.mouse.down()
    page.mouse.move(stage["x"] + 350, stage["y"] + 270, steps=3)
    page.mouse.up()
    x, y = page.evaluate("() => ctViewer.toScreen(256, 256)")
    assert (x - stage["width"] / 2, y - stage["height"] / 2) == pytest.approx((50, 20), abs=2)
    page.keyboard.press("-")
    says(page, "#ct-zoom", "125 %")
    page.mouse.wheel(0, -100)
    says(page, "#ct-zoom", "156 %")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("() => ctViewer.toScreen(256, 256)")[0] > x - 60
    page.click("#ct-fit")
    np.testing.assert_array_equal(canvas(page), whole)
    page.mouse.dblclick(stage["x"] + 300, stage["y"] + 250)
    says(page, "#ct-zoom", "250 %")


# ---------------------------------------------------------------- class, method, trust, take away


def test_class_and_method_switch_without_a_new_upload(page):
    example(page)
    shown = page.inner_text("#ct-caption")
    assert shown == f"Evidence for {page.inner_text('#prediction')} · Grad-CAM"
    page.get_by_label("benign", exact=True).check()
    says(page, "#ct-caption", "Evidence for benign · Grad-CAM")  # before the server answers
    page.wait_for_function("() => document.querySelector('#check').innerText.includes('enign')", timeout=WAIT)
    page.get_by_role("combobox", name="Method").click()
    page.get_by_role("option", name="HiResCAM").click()
    page.wait_for_function(
        "() => document.querySelector('#ct-caption').innerText === 'Evidence for benign · HiResCAM'", timeout=WAIT
    )
    page.click(".examples button >> nth=2")  # what was chosen stays
    checked(page)
    says(page, "#ct-caption", "Evidence for benign · HiResCAM")
    page.get_by_label("the most probable class").check()
    page.wait_for_function(
        "() => document.querySelector('#prediction') && document.querySelector('#ct-caption').innerText === "
        "`Evidence for ${document.querySelector('#prediction').innerText} · HiResCAM`",
        timeout=WAIT,
    )


def test_trust_explains_itself(page):
    example(page)
    points = page.query_selector_all("#trust .point")
    assert len(points) >= 4
    for point in points:
        what = point.query_selector("details.what")
        assert not what.query_selector("p").is_visible()
        what.query_selector("summary").click()
        text = what.query_selector("p").inner_text()
        assert "Source:" in text
        assert len(re.findall(r"[.?;] ", text)) >= 2
    assert not page.is_visible("#numbers table")
    page.click("#numbers summary")
    assert len(page.query_selector_all("#numbers tr")) == 8


def test_the_model_is_told_about(page):
    assert not page.is_visible(".about")
    page.click("#about button")
    page.wait_for_selector(".about", state="visible")
    text = page.inner_text("#about")
    for expected in ("Unseen patients, by slice", "Leaky", "Labels belong to the patient", "10.17632/bhmdr45bh2"):
        assert expected in text
    assert page.query_selector(".plots svg")


def take(page, kind) -> tuple[str, bytes]:
    with page.expect_download(timeout=WAIT) as waiting:
        page.click(f"#take-{kind}")
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def test_what_is_taken_away_holds_the_result_and_nothing_of_the_upload(page, mass, demo):
    ct_slice, _ = mass
    stored = (ct_slice.hu + 1024).astype(np.int16)
    drop(page, (f"{PATIENT}.dcm", dicom_bytes(stored, spacing=ct_slice.spacing)))
    checked(page)
    page.check("input[name=ct-window][value=mediastinum]", force=True)
    page.select_option("#ct-colours", "viridis")
    set_value(page, "#ct-opacity", 80)
    page.wait_for_timeout(400)
    taken = {kind: take(page, kind) for kind in ("overlay", "report", "record", "heatmap")}
    assert [name for name, _ in taken.values()] == [
        "lungcnn-overlay.png",
        "lungcnn-report.pdf",
        "lungcnn-result.json",
        "lungcnn-heatmap.npy",
    ]
    record = json.loads(taken["record"][1])
    assert record["prediction"] == page.inner_text("#prediction")
    assert record["file"] is None
    heat = np.load(io.BytesIO(taken["heatmap"][1]))
    assert heat.shape == (512, 512)
    assert heat.dtype == np.float32
    overlay = cv2.imdecode(np.frombuffer(taken["overlay"][1], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    _, report = mass
    expected = render_overlay(report, WINDOWS["mediastinum"], opacity=0.8, colour_map="viridis")
    parts = [np.abs(overlay[y : y + 512].astype(int) - expected) <= 3 for y in range(len(overlay) - 511)]
    assert max(part.mean() for part in parts) > 0.95, "but for what is marked on it, as the viewer shows it"
    everything = b"".join(content for _, content in taken.values())
    for secret in (b"MARKER", str(demo.folder).encode()):
        assert secret not in everything
    text = PdfReader(io.BytesIO(taken["report"][1])).pages[0].extract_text()
    for expected in ("Research use only", record["model"]["sha256"], "Probabilities", "malignant", "deletion"):
        assert expected in re.sub(r"\s+", " ", text)
    assert "MARKER" not in text
    assert take(page, "record")[1] == taken["record"][1], "a second download"


def test_what_is_taken_away_is_inverted_and_bare_as_the_viewer_shows_it(page, mass):
    ct_slice, _ = mass
    example(page)
    page.check("#ct-invert")
    page.uncheck("#ct-heat")
    page.wait_for_timeout(400)
    overlay = cv2.imdecode(np.frombuffer(take(page, "overlay")[1], np.uint8), cv2.IMREAD_COLOR).astype(int)
    assert np.ptp(overlay, axis=2).max() == 0
    expected = 255 - to_grey(ct_slice.hu, WINDOWS["lung"]).astype(int)
    parts = [np.abs(overlay[y : y + 512, :, 0] - expected) <= 3 for y in range(len(overlay) - 511)]
    assert max(part.mean() for part in parts) > 0.95


@pytest.mark.slow
def test_dicom_results_where_the_operator_offers_them(chromium, tmp_path):
    import pydicom
    from test_privacy import MARK, assert_disk_is_clean, clean

    source = pydicom.dcmread(MASS)
    source.PatientName, source.PatientID = f"{MARK}^JANE", MARK
    file, since = io.BytesIO(), time.time()
    source.save_as(file)
    with Demo(tmp_path / "home", "--dicom-results", "--log-level", "debug") as demo:
        page = visit(chromium, demo)
        assert not page.is_visible("#take-dicom")
        drop(page, (f"{MARK}.dcm", file.getvalue()))
        checked(page)
        assert "name and identifiers of the upload's patient" in page.inner_text("#dicom-hint")
        # The box says the file's name, which only its visitor sees, until it is emptied.
        page.wait_for_function("mark => !document.documentElement.outerHTML.includes(mark)", arg=MARK, timeout=WAIT)
        assert clean(page.content().encode())
        name, content = take(page, "dicom")
        assert name == "lungcnn-dicom.zip"
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.namelist() == ["result-sc.dcm", "result-sr.dcm", "result-pm.dcm"]
            for one in archive.namelist():
                ds = pydicom.dcmread(io.BytesIO(archive.read(one)))
                assert (ds.PatientID, ds.StudyInstanceUID) == (MARK, source.StudyInstanceUID)
                assert ds.SeriesInstanceUID != source.SeriesInstanceUID
        choose(page, EXAMPLES / "carina-normal.png")
        page.wait_for_selector("#dicom-hint:has-text('a picture names no patient')", timeout=WAIT)
        assert not page.is_visible("#take-dicom")
        assert page.is_visible("#take-overlay")
        leave(page)
        assert_disk_is_clean(demo, since)


# ---------------------------------------------------------------- what is refused, broken or a picture


def test_a_broken_file_a_picture_and_a_refused_one(page):
    example(page)
    drop(page, ("slice.dcm", (ROOT / "LICENSE").read_bytes()))
    page.wait_for_selector("#message", timeout=WAIT)
    assert "This file is a text file. Accepted are CT slices as DICOM" in page.text_content("#message")
    assert page.query_selector("#probabilities") is None
    drop(page, ("cut.dcm", MASS.read_bytes()[:90_000]))
    page.wait_for_function("() => document.querySelector('#message')?.textContent.includes('damaged')", timeout=WAIT)
    assert "empty" in page.get_attribute("#ct", "class")
    assert not page.is_visible("#ct-left"), "nothing of the last slice stays"
    assert not page.is_visible("#ct-scale")

    choose(page, EXAMPLES / "carina-normal.png")
    checked(page)
    assert "states no HU" in page.inner_text("#notes")
    assert page.is_disabled("#ct-centre")
    assert page.is_disabled("input[value=bone]")
    assert page.is_visible("#ct-uncalibrated")
    assert not page.is_visible("#ct-scale")
    assert not page.is_visible("#ct-left")

    noise = np.random.default_rng(0).integers(0, 255, (256, 256)).astype(np.uint8)
    drop(page, ("noise.png", cv2.imencode(".png", noise)[1].tobytes()))
    page.wait_for_selector("#message", timeout=WAIT)
    assert "was not judged" in page.text_content("#message")
    assert "Accepted" in page.text_content("#message")
    image = canvas(page)  # still shown, without a heatmap
    assert image.std() > 20
    assert colourful(image) == 0
    assert page.is_disabled("#ct-heat")
    assert page.query_selector("#trust .trust") is None
    assert not page.is_visible("#take-report")


def test_every_example_is_judged_or_refused(page):
    buttons = page.query_selector_all(".examples button")
    assert len(buttons) >= 7
    seen, judged = [], 0
    for button in buttons:
        button.click()
        page.wait_for_function(
            "seen => { const text = document.querySelector('#slice-data').textContent; const now = text ? "
            "JSON.parse(text).id : ''; const done = document.querySelector('#message') || "
            "document.querySelector('#check') && !document.querySelector('#check').innerText.includes('Being'); "
            "return now && !seen.includes(now) && done; }",
            arg=seen,
            timeout=WAIT,
        )
        seen.append(json.loads(page.text_content("#slice-data"))["id"])
        assert canvas(page).std() > 20
        numbers = [float(row.get_attribute("data-probability")) for row in page.query_selector_all("#probabilities li")]
        if "refused" in button.inner_text():
            assert "was not judged" in page.text_content("#message")
        else:
            judged += 1
            assert sum(numbers) == pytest.approx(1, abs=0.001)
    assert judged >= 7


# ---------------------------------------------------------------- series


def series_zip(phantom) -> bytes:
    """Two phantom slices around an empty one, a localizer, and a text file."""
    stored = (phantom.hu + 1024).astype(np.int16)
    axial = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "SeriesInstanceUID": "1.2.3", "PatientName": PATIENT}
    files = {
        f"{PATIENT}/b.dcm": dicom_bytes(stored, spacing=phantom.spacing, ImagePositionPatient=[0, 0, 10], **axial),
        f"{PATIENT}/a.dcm": dicom_bytes(np.zeros((64, 64), np.int16), ImagePositionPatient=[0, 0, 5], **axial),
        f"{PATIENT}/c.dcm": dicom_bytes(
            stored[:, ::-1].copy(), spacing=phantom.spacing, ImagePositionPatient=[0, 0, 0], **axial
        ),
        f"{PATIENT}/scout.dcm": dicom_bytes(stored, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], **axial),
        "README": b"a text",
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def thirty(phantom) -> bytes:
    """A zip of thirty slices, enough to be at work for a while."""
    stored = (phantom.hu + 1024).astype(np.int16)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for z in range(30):
            place = {"ImagePositionPatient": [0, 0, z], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
            archive.writestr(f"{z}.dcm", dicom_bytes(stored, SeriesInstanceUID="1.2.3", **place))
    return stream.getvalue()


def packed(hu) -> str:
    from demo.packing import pack

    return base64.b64encode(pack(hu)).decode()


APEX = EXAMPLES / "apex-normal.dcm"


@pytest.fixture(scope="module")
def actions(phantom):
    """What a visitor may do, by name: how, and what is shown in the end (the slice's packed HU; None for a series)."""
    series = thirty(phantom)
    stored = packed(load_slice(MASS).hu), packed(load_slice(APEX).hu)
    return {
        "file": (lambda page: drop(page, MASS), stored[0]),
        "other file": (lambda page: drop(page, APEX), stored[1]),
        "example": (lambda page: page.click(".examples button >> nth=0"), stored[1]),
        "series": (lambda page: drop(page, ("thirty.zip", series)), None),
    }


PAIRS = [(a, b) for a in ("file", "example", "series") for b in ("other file", "example", "series") if a != b]
DELAYS = (50, 400, 2000)


@pytest.mark.parametrize(
    ("first", "second", "delay"),
    [
        pytest.param(first, second, delay, marks=() if delay == DELAYS[n % 3] else pytest.mark.slow)
        for n, (first, second) in enumerate(PAIRS)
        for delay in DELAYS
    ],
)
def test_the_newest_action_wins(page, actions, first, second, delay):
    (do, _), (then, expected) = actions[first], actions[second]
    if first == "example":
        do(page)
    else:  # what is dropped counts from when it has arrived
        with page.expect_response(
            lambda answer: answer.request.method == "POST" and "/gradio_api/upload" in answer.url, timeout=WAIT
        ):
            do(page)
    page.wait_for_timeout(delay)
    then(page)
    if expected is None:
        page.wait_for_selector("#series-table", state="attached", timeout=WAIT)
    else:
        page.wait_for_function(
            "hu => { const text = document.querySelector('#slice-data').textContent; "
            "return text && JSON.parse(text).hu === hu; }",
            arg=expected,
            timeout=WAIT,
        )
    checked(page)
    page.wait_for_timeout(2500)  # whatever is late has come by now
    assert page.is_visible("#series") is (expected is None)
    assert page.query_selector("#message") is None
    assert page.is_visible("#prediction")
    assert not page.is_visible("#cancel")
    now = json.loads(page.text_content("#slice-data"))
    shown = now["id"] if expected is not None else f"{now['series']}-{now['index']}"
    assert shown == json.loads(page.text_content("#map-data"))["slice"]
    if expected is not None:
        assert now["hu"] == expected


def test_long_work_can_be_cancelled_and_the_page_cleared(page, actions):
    do, _ = actions["series"]
    do(page)
    page.wait_for_selector(".steps .now:has-text('of 30')", timeout=WAIT)
    page.eval_on_selector("#cancel", "e => e.click()")  # at once: the series may be done in a second
    page.wait_for_selector("#result:has-text('Cancelled')", timeout=WAIT)
    page.wait_for_timeout(1500)
    assert page.query_selector("#series-table") is None or not page.is_visible("#series")
    assert "Cancelled" in page.inner_text("#result")
    assert not page.is_visible("#cancel")
    example(page)
    page.click("#clear")
    page.wait_for_selector("#ct.empty")
    assert "will appear here" in page.inner_text("#result")
    assert not page.is_visible("#take-report")
    assert not page.is_visible("#clear")


def test_an_inverted_picture_is_shown_as_it_was_judged(page):
    picture = cv2.imread(str(EXAMPLES / "carina-normal.png"), cv2.IMREAD_GRAYSCALE)
    drop(page, ("inverted.png", cv2.imencode(".png", 255 - picture)[1].tobytes()))
    checked(page)
    page.uncheck("#ct-heat")
    page.uncheck("#ct-peak")
    assert "Black and white were exchanged" in page.inner_text("#notes")
    assert at(page, canvas(page), 20, 20).max() < 60, "air is dark"


def test_a_slice_that_comes_corrected_is_drawn_anew(page):
    drop(page, MASS)
    checked(page)
    page.uncheck("#ct-heat")
    page.uncheck("#ct-peak")
    assert at(page, canvas(page), 5, 5).max() < 100, "air is dark"
    page.evaluate(
        "hu => { const box = document.querySelector('#slice-data'); "
        "box.textContent = JSON.stringify({...JSON.parse(box.textContent), hu}); }",
        packed(1000 - load_slice(MASS).hu),
    )
    page.wait_for_timeout(500)
    assert at(page, canvas(page), 5, 5).min() > 200, "the same slice by its name, and inverted"


def on_slice(page, index, of="3"):
    """Wait until a slice is drawn, and the panel speaks of it."""
    page.wait_for_function(
        "([index, of]) => document.querySelector('#series-table tr[aria-current]:not([data-from])')?.dataset.row === "
        "String(index) && document.querySelector('#ct-place').textContent.startsWith(`${index + 1} / ${of}`) && "
        "[...document.querySelectorAll('#here-result, #result')].some(e => e.offsetParent && "
        "e.innerText.includes(`Slice ${index + 1} of ${of}`))",
        arg=[index, of],
        timeout=WAIT,
    )


def settled(page):
    """Wait until the server speaks of the slice that is shown, and has checked its heatmap."""
    page.wait_for_function("() => !document.body.classList.contains('scrolled')", timeout=WAIT)
    checked(page)


def test_a_series_is_scrolled_jumped_through_and_told_in_a_table(page, phantom):
    drop(page, ("series.zip", series_zip(phantom)))
    page.wait_for_selector("#series-table", state="attached", timeout=WAIT)
    checked(page)
    assert "Series of 3 slices" in page.inner_text("#series")
    assert "scout views (localizers): 1" in page.inner_text("#series-notes")
    assert "MARKER" not in page.content()
    page.click("#series-table summary")
    rows = page.query_selector_all("#series-table tbody tr")
    assert [row.query_selector("td").inner_text() for row in rows] == ["0.0", "5.0", "10.0"]
    assert "not judged" in rows[1].inner_text()
    page.click("#series-table button[data-slice='0']")
    on_slice(page, 0)
    assert page.inner_text("#ct-place") == "1 / 3, z 0.0 mm"
    first = canvas(page)
    page.focus("#ct-stage")
    page.keyboard.press("ArrowUp")
    on_slice(page, 1)
    page.wait_for_selector("#message:visible")
    page.keyboard.press("PageUp")
    on_slice(page, 2)
    settled(page)
    assert (canvas(page) != first).any()
    page.keyboard.press("End")
    on_slice(page, 0)
    page.keyboard.press("Home")
    on_slice(page, 2)
    page.focus("#ct-slice")
    page.keyboard.press("ArrowLeft")
    on_slice(page, 1)
    box = page.query_selector("#profile").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.9, box["y"] + 20)
    on_slice(page, 2)
    jump = page.query_selector_all(".jump")
    assert len(jump) >= 1
    jump[0].click()
    on_slice(page, int(jump[0].get_attribute("data-slice")))
    settled(page)
    name, record = take(page, "record")
    assert name == "lungcnn-result.json"
    assert len(json.loads(record)["slices"]) == 3
    page.click("#series-table [data-sort='5']")  # by malignant, the most first, what was not judged last
    order = [row.get_attribute("data-row") for row in page.query_selector_all("#series-table tbody tr")]
    assert order[-1] == "1"
    shares = [
        float(e.get_attribute("data-value")) for e in page.query_selector_all("#series-table td:nth-child(6)")[:2]
    ]
    assert shares == sorted(shares, reverse=True)
    example(page)  # a single slice again: nothing of the series is left
    page.wait_for_selector("#series", state="hidden")
    page.wait_for_selector("#ct-stack", state="hidden")


@pytest.fixture(scope="module")
def stack(chromium, demo, phantom):
    """A visitor with a series of thirty slices before him, all of which have been fetched."""
    page = visit(chromium, demo)
    drop(page, ("thirty.zip", thirty(phantom)))
    page.wait_for_selector("#series-table", state="attached", timeout=WAIT)
    assert not page.is_visible(".ct-empty"), "nobody is asked for a slice, though the first one may still be on its way"
    checked(page)
    page.focus("#ct-stage")
    yield page
    leave(page)


def draws(page, do, expected) -> bool:
    """Whether so many slices are drawn in consequence of something, and no more."""
    before = page.evaluate("() => ctViewer.drawn()")
    do()
    page.wait_for_function("n => ctViewer.drawn() >= n", arg=before + expected, timeout=WAIT)
    page.wait_for_timeout(300)
    return page.evaluate("() => ctViewer.drawn()") == before + expected


def at_slice(page) -> int:
    return int(page.inner_text("#ct-place").split(" /")[0])


def over_picture(page):
    page.evaluate("() => scrollTo(0, 0)")
    box = page.query_selector("#ct-stage").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 150)
    return box


def test_every_tick_of_the_wheel_draws_a_slice_without_the_server(stack):
    page = stack
    over_picture(page)
    page.keyboard.press("Home")
    page.wait_for_function("() => document.querySelector('#ct-place').innerText.startsWith('30 / 30')", timeout=WAIT)
    assert draws(page, lambda: [page.mouse.wheel(0, 100) for _ in range(29)], 29)
    assert page.inner_text("#ct-place") == "1 / 30, z 0.0 mm", "down is towards the feet"
    settled(page)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    burst = (
        "() => { for (let i = 0; i < 29; i++) document.querySelector('#ct-stage').dispatchEvent("
        "new WheelEvent('wheel', {deltaY: -100, bubbles: true, cancelable: true})); }"
    )
    assert draws(page, lambda: page.evaluate(burst), 29), "however fast they come"
    assert at_slice(page) == 30
    assert not any("/slices/" in url for url in asked), "all slices had been fetched, once each"
    assert sum("queue/join" in url for url in asked) <= 1, "the server hears where scrolling came to rest"
    settled(page)
    assert "Slice 30 of 30" in page.inner_text("#result")
    assert page.evaluate("() => scrollY") == 0, "the page stays where it is"
    assert draws(page, lambda: [page.mouse.wheel(0, 10) for _ in range(12)], 3), "a trackpad's little steps add up"
    page.keyboard.press("c")
    page.wait_for_selector("#ct-play[aria-pressed=true]")
    film = page.evaluate("() => ctViewer.drawn()")
    page.wait_for_function("n => ctViewer.drawn() > n + 4", arg=film)
    page.keyboard.press("ArrowUp")
    page.wait_for_selector("#ct-play[aria-pressed=false]")


def test_window_ruler_and_inversion_are_at_hand(stack):
    page = stack
    box = over_picture(page)
    page.keyboard.press("r")
    settled(page)
    before = canvas(page)
    page.mouse.down(button="right")
    page.mouse.move(box["x"] + box["width"] / 2 + 50, box["y"] + 160, steps=3)
    page.mouse.up(button="right")
    assert (page.input_value("#ct-centre"), page.input_value("#ct-width")) == ("-580", "1650")
    page.keyboard.press("i")
    assert canvas(page)[10:40, 300:330].mean() > 150, "air is white"
    page.keyboard.press("r")
    np.testing.assert_array_equal(canvas(page), before)
    page.check("input[name=ct-tool][value=ruler]", force=True)
    box = over_picture(page)
    (left, top), (right, _) = (page.evaluate("x => ctViewer.toScreen(x, 200)", x) for x in (100, 200))
    page.mouse.move(box["x"] + left, box["y"] + top)
    page.mouse.down()
    page.mouse.move(box["x"] + right, box["y"] + top, steps=4)
    page.mouse.up()
    painted(page)
    millimetres = float(page.evaluate("() => ctViewer.ruler()").split()[0])
    assert millimetres == pytest.approx(100 * 0.7, abs=1)
    assert (canvas(page) != before).any()
    page.focus("#ct-stage")
    page.keyboard.press("Escape")
    np.testing.assert_array_equal(canvas(page), before)
    page.check("input[name=ct-tool][value=move]", force=True)


def test_three_classes_are_seen_at_once_and_chosen_by_their_maps(stack):
    page = stack
    maps = page.query_selector_all("#ct-classes button")
    assert [one.get_attribute("data-class") for one in maps] == ["normal", "benign", "malignant"]
    shares = [one.query_selector(".share").inner_text() for one in maps]
    assert shares == [row.inner_text() for row in page.query_selector_all("#result .bars .number")]
    size = "() => [document.querySelector('#ct').offsetWidth, document.querySelector('#ct').offsetHeight]"
    before = page.evaluate(size)
    maps[1].click()
    says(page, "#ct-caption", "Evidence for benign · Grad-CAM")
    page.check("input[value=side]", force=True)
    painted(page)
    assert page.evaluate(size) == before, "nothing jumps"
    page.check("input[value=overlay]", force=True)


def test_frames_are_a_series_and_pictures_a_list(page, phantom):
    stored = (phantom.hu + 1024).astype(np.int16)
    drop(page, ("frames.dcm", dicom_bytes(np.stack([stored, stored[:, ::-1]]), spacing=phantom.spacing)))
    page.wait_for_selector("#series-table", state="attached", timeout=WAIT)
    assert "Series of 2 slices" in page.inner_text("#series")
    checked(page)
    drop(page, EXAMPLES / "carina-normal.png", EXAMPLES / "arch-spiculated-mass.png", ("x.txt", b"text"))
    page.wait_for_function("() => document.querySelector('#series')?.innerText.includes('set aside')", timeout=WAIT)
    assert "2 pictures, each judged by itself" in page.inner_text("#series")


# ---------------------------------------------------------------- everyone


def test_keyboard_alone(page):
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.closest('.examples') !== null"):
            break
    page.keyboard.press("Enter")
    checked(page)
    assert page.evaluate("() => document.activeElement.id") == "ct-stage"
    with_heat = canvas(page)
    page.keyboard.press(" ")
    assert colourful(canvas(page)) < colourful(with_heat)
    page.keyboard.press(" ")
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "() => { const e = document.activeElement; const ring = getComputedStyle(e).outlineStyle; "
                "return [e.id || e.name || e.className || e.tagName, e.getAttribute('aria-label') || "
                "(e.labels && e.labels.length && e.labels[0].innerText) || e.innerText || '']; }"
            )
        )
        if reached[-1][0] == "take-heatmap":
            break
    names = [name for name, _ in reached]
    for wanted in ("ct-window", "ct-centre", "ct-width", "ct-grid", "ct-in", "ct-fit", "take-overlay", "take-heatmap"):
        assert wanted in names
    assert [name for name, label in reached if not label.strip()] == [], "a control without a label"
    canvas_label = page.get_attribute("#ct-canvas", "aria-label")
    assert canvas_label.startswith("The slice with the heatmap of the evidence for")


CONTRAST = """() => {
    const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
    const linear = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const ground = (e) => { for (; e; e = e.parentElement) {
        const c = numbers(getComputedStyle(e).backgroundColor);
        if (c.length < 4 || c[3] === 1) return c; }
        return [255, 255, 255]; };
    const found = [];
    const where = ['.head', '.result', '.trust', '.take', '.evidence', '.about', '#ct .ct-row', '.examples'];
    for (const e of document.querySelectorAll(where.map((place) => place + ' *').join())) {
        const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
        if (!own || !e.offsetParent || e.closest(':disabled') || e.tagName === 'OPTION') continue;
        const [a, b] = [light(numbers(getComputedStyle(e).color)), light(ground(e))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) found.push([e.className || e.tagName, e.textContent.slice(0, 40), ratio.toFixed(2)]);
    }
    return found;
}"""


@pytest.mark.parametrize(
    ("width", "height", "scheme"), [(390, 844, "light"), (390, 844, "dark"), (1024, 768, "dark"), (1440, 900, "light")]
)
def test_pages_fit_and_can_be_read(chromium, demo, width, height, scheme):
    page = visit(chromium, demo, width, height, color_scheme=scheme)
    example(page)
    page.click("#about button")
    page.wait_for_selector(".about", state="visible")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width + 1
    background = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    brightness = np.mean([int(v) for v in re.findall(r"\d+", background)[:3]])
    assert brightness < 60 if scheme == "dark" else brightness > 200
    assert page.evaluate(CONTRAST) == []
    stage = page.query_selector("#ct-stage").bounding_box()
    # Beside the maps of the three classes, or above them on a phone.
    assert stage["width"] > 0.5 * min(width, 1024)
    leave(page)


def test_two_visitors_see_their_own_slices(chromium, demo):
    pages = [visit(chromium, demo) for _ in range(2)]
    for number, visitor in enumerate(pages):
        visitor.click(f".examples button >> nth={number}")
    for visitor in pages:
        checked(visitor)
    slices = [json.loads(visitor.text_content("#slice-data"))["hu"] for visitor in pages]
    expected = [load_slice(EXAMPLES / f"{name}.dcm").hu for name in ("apex-normal", "arch-spiculated-mass")]
    assert slices == [packed(hu) for hu in expected]
    # Asking one for another class, or for a file, must not bring the other's slice.
    pages[0].get_by_label("benign", exact=True).check()
    pages[0].wait_for_function("() => document.querySelector('#check').innerText.includes('enign')", timeout=WAIT)
    heat = [np.load(io.BytesIO(take(visitor, "heatmap")[1])) for visitor in pages]
    assert (heat[0] != heat[1]).any()
    assert [json.loads(visitor.text_content("#slice-data"))["hu"] for visitor in pages] == slices
    tokens = [json.loads(visitor.text_content("#slice-data"))["id"] for visitor in pages]
    assert [json.loads(visitor.text_content("#map-data"))["slice"] for visitor in pages] == tokens
    for visitor in pages:
        leave(visitor)


@pytest.mark.slow
def test_screenshot_script_writes_a_picture_of_a_phantom(tmp_path):
    if shutil.which(CHROMIUM) is None:
        missing("Debian's chromium")
    out = tmp_path / "shot.png"
    subprocess.run([sys.executable, "-m", "demo.screenshot", "--out", str(out)], cwd=ROOT, check=True)
    assert cv2.imread(str(out)).shape == (900, 1440, 3)
    assert out.stat().st_size < 700_000


def test_the_page_asks_for_what_is_open_and_little_is_open_besides(page):
    drop(page, MASS)
    checked(page)
    page.click("#take-overlay")
    page.wait_for_timeout(500)
    asked = {routes.found(*one) for one in page.watch.asked}
    assert None not in asked, [one for one in page.watch.asked if routes.found(*one) is None]
    elsewhere = {  # what a browser has no use for here
        "the API's client": {"/config", API + "/info", API + "/call/explain", API + "/call/explain/{name}"},
        "passwords": {"/login", "/logout"},
        "icon, trouble, start": {"/favicon.ico", *(API + part for part in ("/app_id", "/cancel", "/reset"))},
        "Gradio itself": {API + "/startup-events"},
        "series": {"/slices/{name}/{name}/{name}"},
    }
    assert set(routes.OPEN) - asked == set().union(*elsewhere.values())


# ---------------------------------------------------------------- in another language


def test_arabic_reads_right_to_left(chromium, demo):
    page = visit(chromium, demo, locale="ar")
    page.wait_for_function("() => document.documentElement.dir === 'rtl'")
    assert page.inner_text(".foreign").startswith("الترجمة العربية آلية")
    example(page)
    assert page.evaluate("document.documentElement.lang") == "ar"
    assert "خبيث" in page.inner_text("#verdict")
    assert page.get_attribute("#trust-gate .mark", "title") in ("يؤيد ذلك", "احذر")
    # Another class: what comes from the server later is translated, too.
    page.get_by_label("حميد").check()
    page.wait_for_function("() => document.querySelector('#check').innerText.includes('حميد')")
    page.click(".examples button >> nth=7")
    page.wait_for_selector("#message")
    assert "لم يُحكم على هذه الصورة" in page.inner_text("#message")
    leave(page)


# ---------------------------------------------------------------- for everybody

# Rules that axe leaves off: WCAG 2.2's size of targets, labels that say what is read, links of one name.
RULES = ("target-size", "label-content-name-mismatch", "identical-links-same-purpose")
SMALL = """() => [...document.querySelectorAll('button, summary, select, input, a[href], [role=slider]')]
    .filter((e) => e.checkVisibility() && !e.closest('p, li'))
    .map((e) => [e, (e.closest('label') ?? e).getBoundingClientRect()])
    .filter(([, box]) => box.width && (box.width < 24 || box.height < 24)).map(([e]) => e.outerHTML.slice(0, 120))"""


def violations(page):
    from axe_playwright_python.base import AXE_SCRIPT

    page.evaluate(AXE_SCRIPT)
    options = {"resultTypes": ["violations"], "rules": {rule: {"enabled": True} for rule in RULES}}
    found = page.evaluate("async (options) => (await axe.run(document, options)).violations", options)
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize(
    ("width", "height", "scheme", "language"),
    [
        (1440, 900, "light", "en"),
        (1024, 768, "light", "en"),
        (390, 844, "dark", "en"),
        (1440, 900, "dark", "ar"),
        (390, 844, "light", "ar"),
    ],
)
def test_axe_finds_nothing(chromium, demo, phantom, width, height, scheme, language):
    page = visit(chromium, demo, width, height, color_scheme=scheme, locale=language, bypass_csp=True)
    assert violations(page) == []
    example(page)
    page.evaluate("document.querySelectorAll('details').forEach((part) => (part.open = true))")
    page.click("#about button >> nth=0")
    page.wait_for_selector(".about table")
    assert violations(page) == []
    assert page.evaluate(SMALL) == []
    drop(page, ("series.zip", series_zip(phantom)))
    page.wait_for_selector("#series-table", state="attached", timeout=WAIT)
    checked(page)
    page.evaluate("document.querySelectorAll('details').forEach((part) => (part.open = true))")
    assert violations(page) == []
    assert page.evaluate(SMALL) == []
    leave(page)


def test_on_a_phone_picture_verdict_trust_then_take_away(chromium, demo):
    page = visit(chromium, demo, 390, 844)
    example(page)
    tops = [page.locator(part).bounding_box()["y"] for part in ("#ct-stage", "#verdict", "#trust", ".take")]
    assert tops == sorted(tops)
    assert page.inner_text("#announcer").startswith(page.inner_text("#verdict strong"))
    # A message comes into view, wherever the visitor was.
    page.evaluate("scrollTo(0, 0)")
    page.click(".examples button >> nth=7")
    page.wait_for_selector("#message")
    page.wait_for_function(
        "() => { const box = document.querySelector('#message').getBoundingClientRect();"
        "return box.top >= 0 && box.top < innerHeight; }"
    )
    leave(page)


def test_a_shared_link_says_what_it_is(demo):
    html = httpx.get(demo.url).text
    said = dict(re.findall(r'<meta property="((?:og|twitter):[^"]+)" content="([^"]*)">', html))
    assert said["og:title"] == "Lung-CT slice classifier"
    assert "Not a medical device" in said["og:description"]
    assert said["og:url"] == f"{demo.url}/"
    assert "gradio" not in re.sub(r"gradio_api", "", " ".join(said.values())).lower()
    picture = httpx.get(said["og:image"])
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")
    assert cv2.imdecode(np.frombuffer(picture.content, np.uint8), cv2.IMREAD_COLOR).shape == (630, 1200, 3)
    assert html.count("og:title") == 1, "Gradio's own tags are gone"


def test_the_drawn_lesion_can_be_outlined(page):
    example(page)
    before = canvas(page)
    page.check("#ct-drawn")
    painted(page)
    changed = np.abs(canvas(page).astype(int) - before).max(axis=-1) > 40
    assert 50 < changed.sum() < 0.02 * changed.size, "a line around the lesion"
    page.click(".examples button >> nth=2")  # nothing was drawn into it
    page.wait_for_function("() => document.querySelector('#ct-drawn').disabled")
    assert not page.is_visible("#ct-drawn")
