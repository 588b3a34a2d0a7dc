"""The page under fingers in chromium: real touch events, through the browser's own protocol."""

import numpy as np
import pytest
from test_browser import (  # noqa: F401 - fixtures
    SMALL,
    WAIT,
    at_slice,
    canvas,
    checked,
    chromium,
    demo,
    drop,
    example,
    leave,
    painted,
    says,
    settled,
    thirty,
    visit,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Fingers:
    """Fingers on a page. Each way is a list of places `(x, y)` of the window, all of one length."""

    def __init__(self, page):
        self._session = page.context.new_cdp_session(page)

    def move(self, *ways):
        """Put a finger down at the start of each way, move all along, and lift them."""
        first, *rest = zip(*ways, strict=True)
        self._send("touchStart", first)
        for places in rest:
            self._send("touchMove", places)
        self._send("touchEnd", [])

    def _send(self, kind, places):
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def way(start, end, steps=12):
    return [tuple(place) for place in np.linspace(start, end, steps + 1).tolist()]


def picture(page):
    """The middle of the picture in the window, once it is in view."""
    page.locator("#ct-stage").scroll_into_view_if_needed()
    box = page.locator("#ct-stage").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.fixture
def phone(chromium, demo):  # noqa: F811
    page = visit(chromium, demo, 390, 844, has_touch=True, is_mobile=True, device_scale_factor=2)
    yield page
    leave(page)


def test_one_finger_scrolls_through_slices_and_the_page_stays(phone, phantom):
    page = phone
    drop(page, ("thirty.zip", thirty(phantom)))
    page.wait_for_selector("#series-table", state="attached", timeout=WAIT)
    checked(page)
    page.locator("#ct-slice").fill("20")
    page.wait_for_function("() => document.querySelector('#ct-place').textContent.startsWith('20 ')", timeout=WAIT)
    settled(page)
    x, y = picture(page)
    scrolled = page.evaluate("scrollY")
    fingers = Fingers(page)
    fingers.move(way((x, y), (x, y + 80)))  # 8 pixels a slice, down is towards the feet
    page.wait_for_function("() => document.querySelector('#ct-place').textContent.startsWith('10 ')", timeout=WAIT)
    fingers.move(way((x, y), (x, y - 40)))
    page.wait_for_function("() => document.querySelector('#ct-place').textContent.startsWith('15 ')", timeout=WAIT)
    fingers.move(way((x, y), (x + 60, y)))  # across does nothing
    settled(page)
    assert at_slice(page) == 15
    assert page.evaluate("scrollY") == scrolled
    assert "Slice 15 of 30" in page.inner_text("#result")


def test_two_fingers_zoom_and_move_the_picture(phone):
    page = phone
    example(page)
    x, y = picture(page)
    fingers = Fingers(page)
    under = "([x, y]) => { const box = document.querySelector('#ct-stage').getBoundingClientRect();"
    under += " const [left, top] = ctViewer.toScreen(256, 256); return [left + box.left - x, top + box.top - y]; }"
    fingers.move(way((x - 40, y), (x - 80, y)), way((x + 40, y), (x + 80, y)))
    page.wait_for_function("() => parseInt(document.querySelector('#ct-zoom').textContent) > 190")
    assert abs(int(page.inner_text("#ct-zoom").split()[0]) - 200) <= 8, "as far as the fingers moved apart"
    assert page.evaluate(under, [x, y]) == pytest.approx([0, 0], abs=6), "what lay between the fingers stays there"
    fingers.move(way((x - 40, y), (x - 10, y + 40)), way((x + 40, y), (x + 70, y + 40)))
    painted(page)
    assert page.evaluate(under, [x, y]) == pytest.approx([30, 40], abs=6), "both together move it"
    fingers.move(way((x, y), (x - 20, y - 60)))
    painted(page)
    assert page.evaluate(under, [x, y]) == pytest.approx([10, -20], abs=6), "one finger moves what is enlarged"
    fingers.move(way((x - 120, y), (x - 10, y)), way((x + 120, y), (x + 10, y)))
    says(page, "#ct-zoom", "100 %")


def test_a_finger_sets_the_window_and_measures(phone):
    page = phone
    example(page)
    x, y = picture(page)
    fingers = Fingers(page)
    page.locator("input[name=ct-tool][value=window]").check(force=True)
    x, y = picture(page)
    fingers.move(way((x, y), (x + 40, y + 20)))
    page.wait_for_function("() => document.querySelector('#ct-centre').value !== '-600'")
    assert (page.input_value("#ct-centre"), page.input_value("#ct-width")) == ("-560", "1620")
    page.locator("input[name=ct-tool][value=ruler]").check(force=True)
    x, y = picture(page)
    box = page.locator("#ct-stage").bounding_box()
    (left, top), (right, _) = (page.evaluate("x => ctViewer.toScreen(x, 200)", at) for at in (150, 250))
    before = canvas(page)
    fingers.move(way((box["x"] + left, box["y"] + top), (box["x"] + right, box["y"] + top)))
    painted(page)
    assert float(page.evaluate("() => ctViewer.ruler()").split()[0]) == pytest.approx(100 * 0.7, abs=1.5)
    assert (canvas(page) != before).any()


def test_a_finger_on_a_single_slice_scrolls_the_page(phone):
    page = phone
    example(page)
    page.evaluate("() => scrollTo(0, 0)")
    x, y = picture(page)
    scrolled = page.evaluate("scrollY")
    Fingers(page).move(way((x, y), (x, y - 160)))
    page.wait_for_function("from => scrollY > from + 80", arg=scrolled)
    assert page.inner_text("#ct-zoom") == "100 %"


def test_two_pictures_stand_where_they_are_larger(phone, chromium, demo):  # noqa: F811
    middles = "() => { document.querySelector('input[value=side]').click(); return new Promise((done) =>"
    middles += " requestAnimationFrame(() => done([0, 1].map((pane) => ctViewer.toScreen(256, 256, pane))))); }"
    example(phone)
    (left, top), (other, below) = phone.evaluate(middles)
    assert (left, below > top + 200) == (other, True), "one above the other on a phone"
    page = visit(chromium, demo, 1024, 768)
    example(page)
    (left, top), (other, below) = page.evaluate(middles)
    assert (other > left + 200, below) == (True, top), "beside each other on a wider screen"
    leave(page)


def test_all_that_is_pressed_is_large_enough(phone, phantom):
    page = phone
    example(page)
    assert page.evaluate(SMALL) == []
    drop(page, ("thirty.zip", thirty(phantom)))
    page.wait_for_selector("#series-table", state="attached", timeout=WAIT)
    checked(page)
    page.evaluate("document.querySelectorAll('details').forEach((part) => (part.open = true))")
    assert page.evaluate(SMALL) == []
