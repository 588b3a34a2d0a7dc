"""The page in Arabic in chromium: no sentence of it is left in English, whatever happens."""

import re

import cv2
import numpy as np
import pytest
from demo_process import Demo
from test_browser import WAIT, checked, chromium, demo, drop, example, leave, series_zip, visit  # noqa: F401 - fixtures

from demo.catalogue import translated

pytestmark = [pytest.mark.browser, pytest.mark.slow]
# What stays in Latin letters: names of methods, formats and places, units, keys of the keyboard.
NAMES = re.compile(
    r"Grad-CAM|HiResCAM|Occlusion|\(\w+ \d{4}\)|DICOM|PACS|LIDC-IDRI|TCIA|CC BY 3\.0|JPEG|PNG|PDF|JSON|NumPy|zip|HU|Mb|"
    r"ROC|AUC|Brier|IQ-OTH/NCCD|lungcnn/gate|logits?|Inferno|Viridis|Magma|Cividis|Jet|secondary capture|scout|MIP|"
    r"Lee|Guo|Petsiuk|Draelos|Carin|Adebayo|Shift|Ctrl|Esc|Page|Home|End|python -m lungcnn predict FOLDER --series"
)
# All that is read or heard, but for what says of itself that it is in English.
SAID = """() => {
    const ours = (e) => e && !e.closest('script, style, [lang=en], [hidden], .file-preview') &&
        (e.checkVisibility() || e.closest('details, option, .unseen'));
    const found = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) if (ours(walk.currentNode.parentElement)) found.push(walk.currentNode.nodeValue);
    for (const name of ['title', 'aria-label', 'alt', 'placeholder', 'aria-valuetext'])
        for (const e of document.body.querySelectorAll(`[${name}]`)) if (ours(e)) found.push(e.getAttribute(name));
    return [document.title, ...found]; }"""


def in_english(page) -> list[str]:
    """What is said on the page in other letters than Arabic ones."""
    return [text for text in page.evaluate(SAID) if re.search(r"[A-Za-z]{3}", NAMES.sub("", text))]


@pytest.fixture
def page(chromium, demo):  # noqa: F811
    page = visit(chromium, demo, locale="ar")
    page.wait_for_function("() => document.documentElement.dir === 'rtl'")
    yield page
    leave(page)


def test_no_english_is_left_on_a_slice(page):
    assert in_english(page) == []
    example(page)
    page.select_option("#ct-colours", "jet")
    assert in_english(page) == []
    page.get_by_label("حميد").check()  # what comes from the server later is translated, too
    page.wait_for_function("() => document.querySelector('#check').innerText.includes('حميد')")
    page.click("#about button")
    page.wait_for_selector(".about table")
    # The collections of the card and the references are names.
    assert [text for text in in_english(page) if "ACRIN" not in text and "logits" not in text] == []


def test_no_english_is_left_where_something_is_refused_or_fails(page):
    page.click(".examples button >> nth=7")
    page.wait_for_selector("#message")
    assert in_english(page) == []
    drop(page, ("slice.dcm", b"a text"))
    page.wait_for_selector("#ct.empty #ct-stage")
    page.wait_for_selector("#message")
    assert in_english(page) == []
    noise = np.random.default_rng(0).integers(0, 255, (256, 256)).astype(np.uint8)
    drop(page, ("noise.png", cv2.imencode(".png", noise)[1].tobytes()))
    page.wait_for_selector("#ct:not(.empty)")
    page.wait_for_selector("#message")
    assert in_english(page) == []


def test_no_english_is_left_on_a_series(page, phantom):
    drop(page, ("series.zip", series_zip(phantom)))
    page.wait_for_selector(".working")
    assert in_english(page) == []
    page.wait_for_selector("#series-table", state="attached", timeout=WAIT)
    checked(page)
    page.evaluate("document.querySelectorAll('.series details').forEach((part) => (part.open = true))")
    assert in_english(page) == []
    page.focus("#ct-stage")
    page.keyboard.press("End")
    page.wait_for_function(r"() => /\D0\.0/.test(document.querySelector('#ct-place').textContent)")
    page.keyboard.press("ArrowUp")  # to one that is refused
    page.wait_for_selector("#message:visible")
    assert in_english(page) == []
    page.click("#clear")
    page.wait_for_selector("#ct.empty")
    assert in_english(page) == []


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (
            429,
            '{"detail": "You have 32 things under way, the most that one visitor may have. Wait for some of them."}',
            "32",
        ),
        (503, '{"detail": "Queue is full. Max size is 64 and size is 64. Try again in a minute."}', "مشغول"),
    ],
)
def test_what_gradio_says_by_itself_is_in_arabic(page, status, body, said):
    page.route("**/queue/join*", lambda route: route.fulfill(status=status, body=body, content_type="application/json"))
    page.click(".examples button >> nth=0")
    page.wait_for_selector("[data-testid=toast-body]")
    toast = page.inner_text("[data-testid=toast-body]")
    assert said in toast
    assert in_english(page) == []
    page.watch.errors.clear()  # the browser's own word on the status


def test_who_is_to_log_in_is_asked_in_arabic(chromium, tmp_path):  # noqa: F811
    with Demo(tmp_path / "home", "--auth", "someone:secret") as shut:
        page = chromium.new_context(locale="ar").new_page()
        page.goto(shut.url)
        page.fill("input:not([type=password])", "someone")
        page.fill("input[type=password]", "wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=بيانات الاعتماد غير صحيحة")
        assert page.evaluate("getComputedStyle(document.querySelector('button')).direction") == "rtl"
        assert page.title() == translated()["ar"]["title"]
        assert in_english(page) == []
        page.context.close()
