import base64
import dataclasses
import io
import json
import re
import zlib
from html import unescape

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from conftest import ROOT, dicom_bytes

from demo import series_view, texts, viewer, views
from demo.__main__ import main
from demo.about import measured, weighed
from demo.downloads import export_data
from demo.events import PREDICTED, Events
from demo.examples import find_examples, truth_of
from demo.intake import intake
from demo.judge import JudgeHere, ReadHere
from demo.packing import pack
from demo.page import build_demo, look
from demo.parts import numbers
from demo.plots import plots, reliability_plot
from demo.server import launch_settings
from demo.trust import share_interval, trust
from demo.viewer_frame import frame
from demo.visit import Shown, Visit
from demo.waiting import JudgeInWaiting
from lungcnn import CLASSES, LungCNNError, class_colours, encode_png, read_series, render_overlay
from lungcnn.errors import Reason
from lungcnn.reading.acquisition import SliceFacts
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.results.slice_report import SliceReport
from lungcnn.windowing import Window, to_grey


def data(html):
    """What a hidden element tells the browser."""
    found = re.search(r">(.*)</div>", html, re.DOTALL).group(1)
    return json.loads(unescape(found)) if found else None


def unpacked(packed, rows, columns):
    """HU of `packing.pack`, by another way than the browser's: as LOCO-I's predictor is written down."""
    low, high = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(2, rows, columns).astype(int)
    folded = low + 256 * high
    rest = (folded >> 1) ^ -(folded & 1)
    hu = np.zeros((rows + 1, columns + 1), int)
    for row in range(1, rows + 1):
        for column in range(1, columns + 1):
            west, north, corner = hu[row, column - 1], hu[row - 1, column], hu[row - 1, column - 1]
            guess = sorted((west, north, west + north - corner))[1]
            hu[row, column] = (guess + rest[row - 1, column - 1] + 32768) % 65536 - 32768
    return hu[1:, 1:]


@pytest.fixture(scope="module")
def report(pipeline, phantom_slice):
    return pipeline.run(phantom_slice)


@pytest.fixture(scope="module")
def card(pipeline):
    """A card with every figure that the page can show."""
    metric = {"value": 0.5, "low": 0.4, "high": 0.6}
    summary = {"accuracy": metric, "balanced_accuracy": metric, "auc_malignant": metric}
    figures = {
        "blocked": {
            "slice": summary,
            "case": summary,
            "slices": 100,
            "cases": 10,
            "confusion_slice": [[50, 4, 1], [5, 11, 2], [3, 6, 18]],
            "reliability": [
                {"from": 0.0, "to": 0.5, "slices": 40, "confidence": 0.4, "right": 0.35},
                {"from": 0.5, "to": 0.9, "slices": 60, "confidence": 0.7, "right": 0.815},
                {"from": 0.9, "to": 1.0, "slices": 0, "confidence": None, "right": None},
            ],
            "roc": {name: {"fpr": [0, 0.2, 1], "tpr": [0, 0.7, 1]} for name in CLASSES},
        },
        "random_leaky": {"slice": summary},
        "baselines": {"another": {"title": "Of <another>", "blocked": summary, "random_leaky": summary}},
        "sanity": {"layers": ["logits"], "correlation": [0.93], "survives": True},
    }
    calibration = dataclasses.replace(
        pipeline.card.calibration, malignant_threshold=0.3, malignant_sensitivity=0.9, malignant_specificity=0.57
    )
    return dataclasses.replace(pipeline.card, figures=figures, calibration=calibration)


# ---------------------------------------------------------------- what the browser gets


def test_the_browser_gets_every_pixel_in_whole_hu():
    rng = np.random.default_rng(0)
    hu = rng.integers(-32768, 32767, (40, 50)).astype(np.float32)
    sent = data(
        viewer.slice_data(Shown(CTSlice(hu=hu, spacing=(0.5, 0.7), calibrated=True, window=Window(40, 400)), name="t"))
    )
    np.testing.assert_array_equal(unpacked(base64.b64decode(sent["hu"]), 40, 50), hu)
    assert (sent["rows"], sent["columns"], sent["spacing"], sent["window"]) == (40, 50, [0.5, 0.7], [40, 400])
    assert sent["calibrated"]
    assert sent["id"] == "t"
    assert sent["sides"] is None


def test_values_that_are_none_become_air_and_large_pictures_shrink():
    hu = np.zeros((2000, 3300), np.float32)
    hu[0, 0] = np.nan
    sent = data(viewer.slice_data(Shown(CTSlice(hu=hu, spacing=(0.5, 0.5)))))
    assert (sent["rows"], sent["columns"], sent["shrink"], sent["spacing"]) == (667, 1100, 3, [1.5, 1.5])
    assert data(viewer.slice_data(None)) is None
    small = np.full((40, 40), np.nan, np.float32)
    assert unpacked(pack(small), 40, 40)[0, 0] == -1024


@pytest.mark.parametrize(
    ("cosines", "shown"),
    [
        ((1, 0, 0, 0, 1, 0), "RLAP"),
        ((-1, 0, 0, 0, -1, 0), "LRPA"),  # prone, or feet first: the file says so
        ((0.98, 0.17, 0, -0.17, 0.98, 0), "RLAP"),
        ((0, 1, 0, 0, 0, -1), "APHF"),
    ],
)
def test_sides_of_the_patient(cosines, shown):
    ct_slice = CTSlice(hu=np.zeros((40, 40)), facts=SliceFacts(orientation=cosines))
    assert "".join(viewer.patient_sides(ct_slice)[side] for side in ("left", "right", "top", "bottom")) == shown


def test_the_maps_of_all_classes_travel_together(phantom_slice, report):
    sent = data(viewer.map_data(Shown(phantom_slice, report, name="t")))
    explanation = report.explanation
    cells = np.frombuffer(base64.b64decode(sent["cells"]), "<f4").reshape(3, sent["rows"], sent["columns"])
    np.testing.assert_array_equal(cells[CLASSES.index(sent["class"])], explanation.cells)
    np.testing.assert_array_equal(cells, explanation.maps)
    assert sent["box"] == [getattr(explanation.box, name) for name in ("left", "top", "width", "height")]
    assert sent["scale"] == explanation.scale
    assert sent["predicted"] == report.prediction
    assert sent["slice"] == "t"


def test_nothing_of_the_frame_needs_a_blank_line(phantom_slice):
    for html in (frame(), viewer.slice_data(Shown(phantom_slice)), views.head()):
        assert "\n\n" not in html


# ---------------------------------------------------------------- what is said


def test_bars_keep_the_order_of_the_classes_and_their_numbers():
    html = views.bars({"normal": 0.0049, "benign": 0.0951, "malignant": 0.9}, "malignant")
    assert re.findall(r'data-class="(\w+)"', html) == list(CLASSES)
    assert re.findall(r'class="number">([^<]+)<', html) == ["&lt;\u00a01\u00a0%", "10\u00a0%", "90\u00a0%"]
    assert html.count('class="predicted"') == 1


@pytest.mark.parametrize(
    ("share", "shown"), [(0, "0 %"), (0.004, "< 1 %"), (0.01, "1 %"), (0.5, "50 %"), (0.996, "> 99 %"), (1, "100 %")]
)
def test_percentages(share, shown):
    assert views.percent(share) == shown.replace(" ", "\u00a0")


def test_the_verdict_leads_and_the_set_excludes_nothing(report):
    shares = {"normal": 0.45, "benign": 0.28, "malignant": 0.27}
    above = dataclasses.replace(
        report,
        prediction="normal",
        probabilities=shares,
        prediction_set=("normal", "malignant"),
        operating_point=0.16,
    )
    html = views.result(above)
    text = plain(html)
    assert '<p id="verdict" class="verdict flagged"><strong>' in html
    assert (
        "Flagged as suspicious malignant 27\u00a0% lies above the operating point of 16\u00a0%, though normal" in text
    )
    assert text.index("Flagged as suspicious") < text.index("Most probable class: normal")
    assert "In the prediction set: normal or malignant. Outside it, but not excluded: benign (28\u00a0%)." in text
    assert "Not flagged" in views.result(dataclasses.replace(above, operating_point=0.3, prediction_set=("normal",)))
    abstains = plain(views.result(dataclasses.replace(above, prediction_set=CLASSES)))
    assert "every class is in the prediction set: the model abstains." in abstains
    assert "All classes are in" not in abstains, "it is said once"
    assert "prediction-set" not in views.result(dataclasses.replace(above, prediction_set=None))
    assert "Not a medical device" in views.head()


def plain(html):
    """What is read of HTML."""
    return unescape(re.sub(r"<[^>]*>", "", html))


def test_what_was_drawn_stands_beside_what_the_model_says(report):
    def said(name, **fields):
        judged = dataclasses.replace(report, probabilities={"normal": 0.2, "benign": 0.2, "malignant": 0.6}, **fields)
        return plain(views.result(judged, truth=truth_of(name)))

    alone = {"prediction_set": ("malignant",)}
    mass = said("arch-spiculated-mass", operating_point=0.3, **alone)
    assert "Drawn here: A spiculated mass of 30 mm in the right lung" in mass
    assert "The model is right." in mass
    assert "The model is wrong: nothing" in said("carina-normal", operating_point=0.3, **alone)
    assert "The model doesn't decide." in said("carina-normal", operating_point=0.3, prediction_set=CLASSES)
    refused = SliceReport(status="refused", reasons=(Reason("no_lungs", "No lungs."),))
    assert "Refusing it is right." in plain(views.result(refused, truth=truth_of("abdomen-refused")))
    assert truth_of("somebody's") is None


def test_a_peak_lies_on_what_was_drawn_or_elsewhere():
    truth = truth_of("arch-spiculated-mass")
    middle = truth.outline.mean(axis=0)
    assert truth.marks(tuple(map(float, middle)))
    assert not truth.marks(tuple(map(float, middle + 60)))


def with_confidence(report, share):
    rest = (1 - share) / 2
    probabilities = {"normal": rest, "benign": rest, "malignant": share}
    return dataclasses.replace(report, prediction="malignant", probabilities=probabilities)


def test_trust_tells_how_often_such_calls_were_right(report, card):
    html = trust_text(with_confidence(report, 0.7), card)
    assert "got 50 to 90 %, it was the true one on 82\u00a0% of 60 slices" in html
    assert "(95 % interval 70\u00a0% to 89\u00a0%)" in html
    assert "It lies at 30\u00a0%: 90\u00a0% of the malignant slices" in html
    assert "43\u00a0% of the others" in html
    assert texts.CONFIDENCE_NONE in trust_text(with_confidence(report, 0.95), card), "nothing was measured there"
    assert html.count(texts.WHAT) == 4


def trust_text(report, card):
    return plain(trust(report, card))


@pytest.mark.parametrize(
    ("right", "slices", "mark"), [(1.0, 5, "none"), (0.82, 60, "caution"), (0.95, 100, "good"), (1.0, 30, "good")]
)
def test_a_tick_for_confidence_is_earned(report, card, right, slices, mark):
    reliability = [{"from": 0.0, "to": 1.0, "slices": slices, "confidence": 0.7, "right": right}]
    figures = card.figures | {"blocked": card.figures["blocked"] | {"reliability": reliability}}
    html = trust(report, dataclasses.replace(card, figures=figures))
    assert f'class="point {mark}" id="trust-confidence"' in html
    low, high = share_interval(right, slices)
    assert 0 <= low < right <= high <= 1


@pytest.mark.parametrize(
    ("better", "in_lungs", "strength", "mark"),
    [
        (True, 0.7, "strong", "good"),
        (True, 0.7, None, "good"),
        (False, 0.7, "strong", "caution"),
        (True, 0.04, "strong", "caution"),
        (True, 0.7, "none", "caution"),
    ],
)
def test_a_tick_for_the_heatmap_is_earned(report, better, in_lungs, strength, mark):
    checks = dataclasses.replace(report.explanation.faithfulness, better_than_random=better, in_lungs=in_lungs)
    name = report.explanation.class_name
    strengths = {name: strength} if strength else {}
    explanation = dataclasses.replace(report.explanation, faithfulness=checks, strengths=strengths, peak_xy=(1, 1))
    html = trust(dataclasses.replace(report, explanation=explanation), None)
    assert f'class="point {mark}" id="trust-heatmap"' in html
    said = {"strong": f"Strong evidence for {name}", "none": f"No evidence for {name}", None: "isn't known"}
    assert said[strength] in plain(html)
    assert ("Evidence outside the lungs" in plain(html)) == (in_lungs < 0.5)
    assert f"{explanation.cells.max():.3g}" in html, "the number stands behind the disclosure"


def test_trust_copes_with_cards_that_tell_nothing(report):
    for card in (None, dataclasses.replace(report_card(report), figures={})):
        html = plain(trust(report, card))
        assert texts.CONFIDENCE_NONE in html
        assert texts.OPERATING_NONE in html


def report_card(report):
    from lungcnn import ModelCard

    return ModelCard(sha256=report.model.sha256)


def test_trust_lists_remarks_and_what_was_not_seen_in_training(report):
    unremarked = trust(dataclasses.replace(report, warnings=()), None)
    assert texts.GATE_OK in unremarked
    assert "trust-training" not in unremarked
    warnings = (
        Reason("lung_ends", "Little <lung>."),
        Reason("of_tomorrow", "Not <yet>."),
        Reason("unlike_training", "Far."),
    )
    html = trust(dataclasses.replace(report, warnings=warnings), None)
    assert texts.REASONS["lung_ends"] in plain(html)
    assert "Little &lt;lung&gt;." in html, "the exact sentence is there, folded away"
    assert "<li>Not &lt;yet&gt;.</li>" in html, "a code without words of its own"
    assert texts.REASONS["unlike_training"] in plain(html)
    card = dataclasses.replace(report_card(report), familiarity=object())
    assert texts.TRAINING_OK in trust(dataclasses.replace(report, warnings=()), card)
    assert texts.HEATMAP_PENDING in trust(report, None, pending=True)
    assert trust(None, None) == trust(SliceReport(status="refused"), None) == ""


def test_states_without_a_result():
    assert texts.EMPTY_VIEW in frame()
    assert texts.EMPTY_RESULT in views.result()
    refused = SliceReport(status="refused", reasons=(Reason("no_lungs", "No <lungs> & so on."),))
    html = views.result(refused)
    assert texts.REFUSED in html
    assert texts.REASONS["no_lungs"] in plain(html)
    assert "No &lt;lungs&gt; &amp; so on." in html
    assert texts.ERROR in views.result(SliceReport(status="error", reasons=(Reason("x", "y"),)))
    assert views.warming(True) == ""
    assert "warming up" in views.warming(False)


@pytest.mark.parametrize("step", list(texts.STEPS))
def test_each_step_is_named_and_marked_once(step):
    html = views.working(step, "3 of <7>")
    assert html.count('aria-current="step"') == 1
    assert f"{texts.STEPS[step]} 3 of <7>" in plain(html)


def rows(html):
    """The cells of tables, row by row."""
    lines = re.findall(r"<tr.*?</tr>", html)
    return [[plain(cell) for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", line)] for line in lines]


def test_about_shows_what_the_card_holds(card):
    html = measured(card)
    assert rows(html)[1][:2] == ["Accuracy", "0.500 (0.400–0.600)"]
    assert "Leaky: slices split at random" in rows(html)[0]
    assert ["benign", "5", "11", "2"] in rows(html)
    assert card.sha256 in html
    against = weighed(card)
    assert ["Of <another>", "0.50"] in [row[:2] for row in rows(against)]
    assert "survive randomisation" in plain(against)
    assert "10.17632/bhmdr45bh2" in against
    assert plots(card).count("<svg") == 2
    assert plots(None) == ""
    assert texts.ABOUT_TRAINED_UNKNOWN in plain(measured(None))
    assert texts.LIMITS[0] in plain(weighed(None))


def test_reliability_bars_are_as_high_as_their_share(card):
    plot = reliability_plot(card.figures["blocked"]["reliability"])
    heights = [float(value) for value in re.findall(r'height="([\d.]+)" class="bar"', plot)]
    assert len(heights) == 2
    assert heights[1] / heights[0] == pytest.approx(0.815 / 0.35, rel=0.01)


def test_the_shipped_card_is_shown():
    from lungcnn import default_model_path, load_card

    html = weighed(load_card(default_model_path()))
    assert texts.FIGURE_WORDS["this_model"] in plain(html)
    assert texts.BASELINES["lungs_out"].key in html, "it can be translated"
    assert "The maps change when" in plain(html) or "survive randomisation" in plain(html)


# ---------------------------------------------------------------- what the events do


def ready(pipeline) -> JudgeInWaiting:
    waiting = JudgeInWaiting(lambda: JudgeHere(pipeline), ReadHere())
    waiting.start()
    waiting.get()
    return waiting


@pytest.fixture
def events(pipeline):
    return Events(ready(pipeline), pipeline.card)


def ask(events, visit, name, *values, wanted=PREDICTED, method="grad-cam") -> list[dict]:
    """The steps of an event that a visitor asks for."""
    turn = visit.begin()
    choices = () if name in ("cancel", "clear") else (wanted, method)
    return list(events.guarded(visit, turn, getattr(events, name)(visit, turn, *values, *choices)))


def uploaded(*contents):
    """Tickets of uploads."""
    return [intake.put(content) for content in contents]


def phantom_bytes(phantom, z=0.0, **elements):
    stored = (phantom.hu + 1024).astype(np.int16)
    position = {"ImagePositionPatient": [0, 0, z], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
    return dicom_bytes(stored, spacing=phantom.spacing, **position, **elements)


def last(changes):
    """What the page shows once all steps are done."""
    shown = {}
    for step in changes:
        shown |= step
    return shown


def test_the_slice_is_shown_before_it_is_judged(events, phantom, tmp_path):
    visit = Visit()
    steps = ask(events, visit, "upload", uploaded(phantom_bytes(phantom)))
    first = next(i for i, step in enumerate(steps) if "slice" in step and data(step["slice"]))
    judged = next(i for i, step in enumerate(steps) if "prediction" in step["outcome"])
    assert first < judged < len(steps)
    assert texts.HEATMAP_PENDING in steps[judged]["trust"]
    assert texts.HEATMAP_PENDING not in steps[-1]["trust"]
    assert sum("slice" in step and bool(data(step["slice"])) for step in steps) == 1, "it was as it should be"
    assert list(tmp_path.iterdir()) == []
    assert "JANE" not in str(steps)
    shown = last(steps)
    assert data(shown["map"])["slice"] == data(shown["slice"])["id"] == visit.shown.name


def test_the_slice_that_is_shown_is_the_slice_that_was_judged(events, phantom):
    upright = to_grey(phantom.hu, Window(-500, 1500))
    png = cv2.imencode(".png", 255 - upright)[1].tobytes()
    visit = Visit()
    steps = ask(events, visit, "upload", uploaded(png))
    sent = [data(step["slice"]) for step in steps if "slice" in step and data(step["slice"])]
    raw, judged = visit.shown.given.hu, visit.shown.report.ct_slice.hu
    assert raw[5, 5] > 0 > judged[5, 5], "the background becomes dark"
    assert [base64.b64decode(one["hu"]) for one in sent] == [pack(raw), pack(judged)]
    assert sent[0]["id"] == sent[1]["id"] == data(last(steps)["map"])["slice"]
    assert visit.shown.given.hu[5, 5] > 0, "asked again, the pipeline corrects it again, and says so"
    again = last(ask(events, visit, "explain", wanted="benign"))
    assert "slice" not in again
    assert "inverted" in again["trust"]


def test_what_fails_empties_the_viewer_and_a_refused_slice_stays_in_it(events, phantom):
    visit = Visit()
    broken = last(ask(events, visit, "upload", uploaded(b"just a text")))
    assert "This file is a text file" in plain(broken["outcome"])
    assert data(broken["slice"]) is None
    assert visit.empty
    noise = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
    refused = last(ask(events, visit, "upload", uploaded(cv2.imencode(".png", noise)[1].tobytes())))
    assert texts.REFUSED in plain(refused["outcome"])
    assert data(refused["slice"])["rows"] == 64
    assert data(refused["map"]) is None
    assert (visit.shown.given, visit.shown.size) == (None, 0), "no pixels are kept of what is refused"
    unexpected = last(events.guarded(visit, visit.begin(), _boom()))
    assert texts.FAILED in unescape(unexpected["outcome"])
    assert "secret" not in plain(unexpected["outcome"])


def _boom():
    raise RuntimeError("secret")
    yield


@pytest.mark.parametrize(
    ("name", "values"), [("explain", ()), ("another", (0,)), ("another", (None,)), ("scroll", (f"{'0' * 32}/1",))]
)
def test_a_page_whose_session_has_gone_is_told_and_goes_on(events, phantom, name, values):
    visit = Visit()  # as Gradio makes one where it has none (any more)
    steps = ask(events, visit, name, *values)
    assert "What you had open is no longer here" in last(steps)["outcome"]
    assert "This is no longer here" in last(steps)["outcome"]
    assert "prediction" in last(ask(events, visit, "upload", uploaded(phantom_bytes(phantom))))["outcome"]


def test_a_series_whose_choices_are_forgotten_can_be_named_and_one_that_never_was_changes_nothing(events, phantom):
    assert numbers().preprocess(0) == 0
    visit = Visit()
    ask(events, visit, "upload", uploaded(*(phantom_bytes(phantom, z) for z in (0, 5))))
    for number in (1, -1, "0", [0], None):
        assert ask(events, visit, "another", number) == []
    assert visit.shown.stack is not None


def test_another_class_and_method(events, phantom):
    visit = Visit()
    ask(events, visit, "upload", uploaded(phantom_bytes(phantom)))
    again = last(ask(events, visit, "explain", wanted="benign", method="hires-cam"))
    assert (data(again["map"])["class"], data(again["map"])["method"]) == ("benign", "hires-cam")
    assert "slice" not in again
    ask(events, visit, "clear")
    assert ask(events, visit, "explain", wanted="benign") == [], "nothing is shown"


def test_a_chosen_class_stays_from_slice_to_slice(events, phantom):
    visit = Visit()
    for wanted in ("benign", PREDICTED):
        for files in ([phantom_bytes(phantom)], [phantom_bytes(phantom, z, **SERIES) for z in (0.0, 5.0)]):
            shown = last(ask(events, visit, "upload", uploaded(*files), wanted=wanted))
            assert data(shown["map"])["class"] == (wanted or visit.shown.report.prediction)
        assert data(last(ask(events, visit, "scroll", place(visit, 1), wanted=wanted))["map"])["class"] == (
            wanted or visit.shown.report.prediction
        )


def place(visit, number):
    """What the browser sends when it comes to rest at a slice."""
    return f"{visit.shown.stack.name}/{number}"


def test_files_of_a_series_are_ordered_judged_and_scrolled(events, phantom):
    files = [
        phantom_bytes(phantom, 10.0, **SERIES),
        blank_in_series(5.0),
        phantom_bytes(phantom, 0.0, **SERIES),
        b"text",
    ]
    visit = Visit()
    shown = last(ask(events, visit, "upload", uploaded(*files)))
    stack = visit.shown.stack
    assert stack.series.positions == (0.0, 5.0, 10.0)
    assert [report.status for report in stack.report.slices] == ["ok", "refused", "ok"]
    assert "Series of 3 slices" in shown["overview"]
    assert "1 file(s) belong to no series" in shown["overview"]
    assert data(shown["slice"])["index"] == stack.report.suspicious[0]
    assert f"Slice {visit.shown.index + 1} of 3" in plain(shown["outcome"])
    refused = last(ask(events, visit, "scroll", place(visit, 2)))
    assert f"Slice 2 of 3: {texts.REFUSED}" in plain(refused["outcome"])
    assert data(refused["slice"])["index"] == 1
    quick, *_, rested = ask(events, visit, "scroll", place(visit, 1))
    assert "Slice 1 of 3: What the model says" in plain(quick["outcome"])
    assert texts.HEATMAP_PENDING in quick["trust"]
    assert texts.HEATMAP_PENDING not in rested["trust"]
    assert ask(events, visit, "scroll", f"{'0' * 32}/1") == [], "of another series"
    record = json.loads(taken("record", visit))
    assert len(record["slices"]) == 3


def test_pictures_are_a_list_without_axis_or_result(events, phantom):
    pictures = [encode_png(to_grey(hu)) for hu in (phantom.hu, phantom.hu[:, ::-1])]
    shown = last(ask(events, Visit(), "upload", uploaded(*pictures)))
    overview = shown["overview"]
    assert texts.LIST_TITLE.format(count=2) in overview
    assert "series-findings" not in overview
    assert 'class="ends"' not in overview
    drawn = re.findall(r'<path d="(M[^"]+)" class="curve of-malignant"', overview)
    assert drawn[0].count("M") == 2, "a stroke each, joined by no line"
    assert not data(shown["slice"])["ordered"]


def test_a_slice_of_a_series_that_cannot_be_read_is_named(events, phantom):
    torn = dicom_bytes(np.zeros((64, 64), np.int16), ImagePositionPatient=[0, 0, 5.0], **AXIAL, **SERIES)[:-4000]
    files = [phantom_bytes(phantom, 0.0, **SERIES), torn, phantom_bytes(phantom, 10.0, **SERIES)]
    visit = Visit()
    ask(events, visit, "upload", uploaded(*files))
    assert len(visit.shown.stack.series) == 3
    said = last(ask(events, visit, "scroll", place(visit, 2)))
    assert f"Slice 2 of 3: {texts.ERROR}" in plain(said["outcome"])
    assert data(said["slice"])["index"] == 1
    assert visit.shown.stack is not None


def test_work_for_an_older_turn_changes_nothing(events, phantom):
    visit = Visit()
    turn = visit.begin()
    files = [phantom_bytes(phantom, z, **SERIES) for z in (0.0, 5.0, 10.0)]
    older = events.guarded(visit, turn, events.upload(visit, turn, uploaded(*files), PREDICTED, "grad-cam"))
    assert "outcome" in next(older)
    newer = last(ask(events, visit, "upload", uploaded(phantom_bytes(phantom))))
    shown = visit.shown
    assert list(older) == [], "it ends without a word"
    assert visit.shown is shown
    assert data(newer["slice"])["id"] == shown.name


def test_cancel_and_clear_leave_nothing(events, phantom):
    visit = Visit()
    ask(events, visit, "upload", uploaded(phantom_bytes(phantom)))
    assert not visit.empty
    cleared = last(ask(events, visit, "clear"))
    assert visit.empty
    assert data(cleared["slice"]) is data(cleared["map"]) is None
    assert texts.EMPTY_RESULT in plain(cleared["outcome"])
    assert texts.CANCELLED in last(ask(events, visit, "cancel"))["outcome"]


AXIAL = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
SERIES = {"SeriesInstanceUID": "1.2.3"}


def blank_in_series(z):
    return dicom_bytes(np.zeros((64, 64), np.int16), ImagePositionPatient=[0, 0, z], **AXIAL, **SERIES)


def taken(kind, visit, settings="") -> bytes:
    html = export_data(kind, visit.shown, settings)
    _, content = re.search(r">(\w+):([^<]+)</div>", html).groups()
    return base64.b64decode(content)


def framed(picture, export) -> bool:
    """Whether an export shows a picture between its captions; a part is compared on which no marks are drawn."""
    part = picture[360:460, 120:400].astype(int)
    assert part.std() > 10
    tops = range(export.shape[0] - picture.shape[0] + 1)
    return any(np.abs(export[top + 360 : top + 460, 120:400] - part).max() <= 1 for top in tops)


def test_what_is_taken_away_looks_as_in_the_viewer(events, phantom):
    visit = Visit()
    ask(events, visit, "upload", uploaded(phantom_bytes(phantom)))
    settings = {"centre": 50, "width": 350, "opacity": 0.0, "colour_map": "viridis", "contour": None}
    plain = cv2.imdecode(np.frombuffer(taken("overlay", visit, json.dumps(settings)), np.uint8), cv2.IMREAD_COLOR)
    expected = np.clip((visit.shown.ct_slice.hu + 125) * 255 / 350 + 0.5, 0, 255).astype(np.uint8)
    assert framed(expected, plain[..., 0])
    ask(events, visit, "explain", wanted="normal", method="hires-cam")
    settings |= {"opacity": 0.6, "signed": True}
    signed = cv2.imdecode(np.frombuffer(taken("overlay", visit, json.dumps(settings)), np.uint8), cv2.IMREAD_COLOR)
    expected = render_overlay(visit.shown.report, Window(50, 350), signed=True)
    assert framed(expected, signed[..., ::-1])
    assert (expected != render_overlay(visit.shown.report, Window(50, 350))).any()
    settings |= {"signed": False, "inverted": True, "peak": False}
    turned = cv2.imdecode(np.frombuffer(taken("overlay", visit, json.dumps(settings)), np.uint8), cv2.IMREAD_COLOR)
    expected = render_overlay(visit.shown.report, Window(50, 350), colour_map="viridis", inverted=True)
    assert framed(expected, turned[..., ::-1])
    for nonsense in (
        "",
        "[]",
        '{"centre": "x"}',
        '{"centre": 0, "width": -1, "opacity": 1, "colour_map": [], "contour": 9}',
    ):
        assert taken("overlay", visit, nonsense)
    heat = np.load(io.BytesIO(taken("heatmap", visit)))
    np.testing.assert_array_equal(heat, visit.shown.report.explanation.heatmap())
    with pytest.raises(Exception, match="nothing to take away"):
        export_data("report", Shown(), "")


def test_profile_and_table_tell_what_was_not_judged(pipeline, phantom):
    reading = read_series([phantom_bytes(phantom, 0.0, **SERIES), blank_in_series(4.0)])
    series_report = pipeline.run_series(reading.series[0])
    html = series_view.overview(series_report, reading, None)
    assert html.count("data-row=") == 2
    assert texts.NOT_JUDGED in html
    assert 'data-slice="0" class="jump"' in html
    assert 'data-slice="1" class="jump"' not in html
    assert html.count(' class="curve of-malignant"') == 2  # the curve and its legend


def test_a_judge_in_waiting_comes_or_its_error(pipeline):
    judge = JudgeHere(pipeline)
    waiting = JudgeInWaiting(lambda: judge, judge)
    assert not waiting.ready
    waiting.start()
    assert waiting.get() is judge

    def fail():
        raise LungCNNError("no model today")

    waiting = JudgeInWaiting(fail, ReadHere())
    waiting.start()
    with pytest.raises(LungCNNError, match="no model today"):
        waiting.get()
    assert waiting.ready


def test_examples_have_thumbnails_and_only_one_endpoint_is_public(pipeline, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    examples = find_examples()
    assert len(examples) >= 6
    for example in examples:
        assert cv2.imdecode(np.frombuffer(example.thumbnail, np.uint8), cv2.IMREAD_COLOR).std() > 20
    page = build_demo(ready(pipeline), examples)
    public = [d["api_name"] for d in page.config["dependencies"] if d["api_visibility"] == "public"]
    assert public == ["explain"]
    assert [d["js"] for d in page.config["dependencies"] if d["js"]] == []


def test_class_colours_are_said_once():
    style = (ROOT / "demo" / "style.css").read_text(encoding="utf-8")
    for name, colour in class_colours(CLASSES).items():
        assert f"of-{name}" not in style
        assert f".fill.of-{name} {{ background: {colour}; }}" in look()["css"]


def test_launch_keeps_to_itself():
    settings = launch_settings()
    assert settings["enable_monitoring"] is settings["run_history"] is settings["mcp_server"] is False
    assert not settings["show_error"]
    assert "fonts.googleapis" not in str(look()["theme"]._get_theme_css())


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--help"], 0, "--share"),
        (["--prot", "1"], 2, "Did you mean --port|--port"),
        (["--port", "99999"], 2, "range"),
        (["--auth", "nobody"], 2, "USER:PASSWORD"),
        (["--model", "nothing.keras"], 1, "There is no model at nothing.keras"),
    ],
)
def test_command_line(arguments, status, message, monkeypatch):
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == status
    assert re.search(message, re.sub(r"\s+", " ", result.output)), result.output
