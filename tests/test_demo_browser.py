"""The running demo in Debian's chromium."""

import base64
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlparse

import cv2
import numpy as np
import pytest
from conftest import ROOT, missing

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-sync", "--no-first-run"]
EXAMPLES = ROOT / "examples"
WAIT = 90_000
pytestmark = pytest.mark.browser


def start_demo(*arguments):
    """Start `python -m demo` on a free port; returns the process and the line it prints."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "demo", "--port", str(port), *arguments]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"LUNGCNN_MODEL": ""},
    )
    return process, process.stdout.readline()


@pytest.fixture(scope="module")
def url():
    process, line = start_demo()
    found = re.search(r"http://127\.0\.0\.1:\d+", line)
    if not found:
        process.kill()
        pytest.fail(f"the demo did not start: {line} {process.stderr.read()}")
    yield found.group()
    process.terminate()
    process.wait(10)


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


@pytest.fixture
def page(chromium, url):
    """A fresh visitor; afterwards nothing was asked of another host, and the console shows no error."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    hosts, errors = set(), []
    page.on("request", lambda request: hosts.add(urlparse(request.url).hostname))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(url)
    page.wait_for_selector(".examples button")
    yield page
    context.close()
    assert hosts <= {"127.0.0.1", None}
    assert errors == []


def picture(page, name) -> np.ndarray:
    """The picture with that id, decoded from the page."""
    data = page.get_attribute(f"#{name}", "src").split(",", 1)[1]
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)


def drop(page, path: Path, name: str | None = None) -> None:
    """Drop a file onto the upload area as a person would with the mouse."""
    content = base64.b64encode(path.read_bytes()).decode()
    transfer = page.evaluate_handle(
        """([content, name]) => {
            const bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name));
            return transfer;
        }""",
        [content, name or path.name],
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("#upload button", event, {"dataTransfer": transfer})


def coloured_share(image) -> float:
    return float((np.ptp(image.astype(int), axis=2) > 25).mean())


def test_dropping_a_dicom_file_gives_class_probabilities_and_overlay(page, shipped):
    from lungcnn import load_slice

    file = EXAMPLES / "arch-spiculated-mass.dcm"
    drop(page, file, "no suffix at all")
    page.wait_for_selector("#prediction", timeout=WAIT)
    expected = shipped.run(load_slice(file))
    assert page.inner_text("#prediction") == expected.prediction
    shown = {
        row.get_attribute("data-class"): float(row.get_attribute("data-probability"))
        for row in page.query_selector_all("#probabilities li")
    }
    assert shown == pytest.approx(expected.probabilities, abs=2e-4)
    overlay, plain = picture(page, "overlay"), picture(page, "slice")
    assert overlay.shape == plain.shape == (512, 512, 3)
    assert coloured_share(plain) == 0
    assert coloured_share(overlay) > 0.002
    x, y = expected.explanation.peak_xy
    assert np.ptp(overlay[int(y), int(x)].astype(int)) > 25, "no colour at the map's peak"
    assert "Not a medical device" in page.inner_text("#result")


def test_dropping_a_text_file_gives_a_sentence_and_the_next_slice_works(page):
    drop(page, ROOT / "LICENSE", "slice.dcm")
    page.wait_for_selector("#message", timeout=WAIT)
    assert "This file is a text file. Accepted are CT slices as DICOM" in page.inner_text("#message")
    assert page.query_selector("#probabilities") is None
    page.set_input_files("#upload input[type=file]", EXAMPLES / "carina-normal.png")
    page.wait_for_selector("#prediction", timeout=WAIT)
    assert "not calibrated" in page.inner_text("#notes")


def test_a_slice_that_cannot_be_judged_is_refused_with_the_slice_still_shown(page, tmp_path):
    rng = np.random.default_rng(0)
    file = tmp_path / "noise.png"
    cv2.imwrite(str(file), rng.integers(0, 255, (256, 256)).astype(np.uint8))
    drop(page, file)
    page.wait_for_selector("#message", timeout=WAIT)
    assert "was not judged" in page.inner_text("#message")
    assert picture(page, "slice").shape == (256, 256, 3)
    assert page.query_selector("#overlay") is None


def test_every_example_gives_probabilities_and_an_overlay(page):
    seen = set()
    for button in page.query_selector_all(".examples button"):
        button.click()
        page.wait_for_function(
            "seen => { const o = document.querySelector('#overlay'); return o && !seen.includes(o.src); }",
            arg=list(seen),
            timeout=WAIT,
        )
        seen.add(page.get_attribute("#overlay", "src"))
        assert picture(page, "overlay").shape == (512, 512, 3)
        numbers = [float(row.get_attribute("data-probability")) for row in page.query_selector_all("#probabilities li")]
        assert sum(numbers) == pytest.approx(1, abs=0.001)
    assert len(seen) >= 6


def wait_for_caption(page, text):
    page.wait_for_function("text => document.querySelector('#viewer').innerText.includes(text)", arg=text, timeout=WAIT)


def test_class_and_method_switch_without_a_new_upload(page):
    page.click(".examples button >> nth=1")
    page.wait_for_selector("#overlay", timeout=WAIT)
    page.get_by_label("benign", exact=True).check()
    wait_for_caption(page, "Evidence for benign, Grad-CAM")
    page.get_by_role("combobox", name="Method").click()
    page.get_by_role("option", name="HiResCAM").click()
    wait_for_caption(page, "Evidence for benign, HiResCAM")
    page.click(".examples button >> nth=2")  # a new slice is explained for its own predicted class again
    page.wait_for_function(
        "() => document.querySelector('#viewer').innerText.includes("
        "`Evidence for ${document.querySelector('#prediction').innerText}`)",
        timeout=WAIT,
    )


def test_keyboard_alone_reaches_an_example(page):
    page.focus(".examples button >> nth=3")
    page.keyboard.press("Enter")
    page.wait_for_selector("#prediction", timeout=WAIT)
    assert page.get_attribute("#overlay", "alt").startswith("The slice with a heatmap")


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1024, "dark")])
def test_narrow_and_dark_pages_fit(chromium, url, width, scheme):
    context = chromium.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    page.goto(url)
    page.click(".examples button >> nth=0")
    page.wait_for_selector("#overlay", timeout=WAIT)
    assert page.evaluate("document.documentElement.scrollWidth") <= width + 1
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = np.mean([int(v) for v in re.findall(r"\d+", background)[:3]])
    assert brightness < 60 if scheme == "dark" else brightness > 200
    context.close()


def test_two_visitors_see_their_own_slices(chromium, url):
    contexts = [chromium.new_context() for _ in range(2)]
    pages = [context.new_page() for context in contexts]
    for visitor in pages:
        visitor.goto(url)
        visitor.wait_for_selector(".examples button")
    for index, visitor in enumerate(pages):
        visitor.click(f".examples button >> nth={index}")
    for visitor in pages:
        visitor.wait_for_selector("#overlay", timeout=WAIT)
    # Asking one for another class must not bring the other's slice.
    before = [picture(visitor, "slice") for visitor in pages]
    pages[0].get_by_label("benign", exact=True).check()
    pages[0].wait_for_function("() => document.querySelector('#viewer').innerText.includes('for benign')", timeout=WAIT)
    assert not np.array_equal(before[0], before[1])
    np.testing.assert_array_equal(picture(pages[0], "slice"), before[0])
    np.testing.assert_array_equal(picture(pages[1], "slice"), before[1])
    for context in contexts:
        context.close()


def test_api_gives_the_record_and_the_overlay(url, shipped):
    from gradio_client import Client, handle_file

    from lungcnn import load_slice

    file = EXAMPLES / "heart-chest-wall-mass.dcm"
    client = Client(url, verbose=False)
    record, overlay = client.predict(handle_file(str(file)), "malignant", "grad-cam", api_name="/explain")
    assert record == shipped.run(load_slice(file), explain_class="malignant").to_json()
    assert cv2.imread(overlay).shape == (512, 512, 3)
    assert Path(overlay).suffix == ".png"
    record, overlay = client.predict(handle_file(str(ROOT / "LICENSE")), "", "", api_name="/explain")
    assert (record["status"], record["reasons"][0]["code"], overlay) == ("error", "unsupported", None)
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/explain"]


def test_uploads_do_not_stay_on_disk_and_nothing_stays_after_sigterm():
    before = set(Path(tempfile.gettempdir()).glob("lungcnn-demo-*"))
    process, line = start_demo()
    (folder,) = set(Path(tempfile.gettempdir()).glob("lungcnn-demo-*")) - before
    assert folder.stat().st_mode & 0o777 == 0o700
    from gradio_client import Client, handle_file

    client = Client(re.search(r"http://\S+", line).group(), verbose=False)
    client.predict(handle_file(str(EXAMPLES / "base-normal.dcm")), "", "grad-cam", api_name="/explain")
    assert [path for path in folder.rglob("*") if path.is_file() and b"DICM" in path.read_bytes()[:200]] == []
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
    assert not folder.exists()
    assert process.stderr.read() == ""


def test_a_taken_port_is_told(url):
    port = url.rsplit(":", 1)[1]
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--port", port], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"port {port}: the address is taken" in done.stderr
    assert "Traceback" not in done.stderr


def test_screenshot_script_writes_a_picture_of_a_phantom(tmp_path):
    if shutil.which(CHROMIUM) is None:
        missing("Debian's chromium")
    out = tmp_path / "shot.png"
    subprocess.run([sys.executable, "-m", "demo.screenshot", "--out", str(out)], cwd=ROOT, check=True)
    assert cv2.imread(str(out)).shape == (900, 1440, 3)
