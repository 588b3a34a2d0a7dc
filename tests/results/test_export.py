"""Files to take away: what stands in them, and what must not."""

import dataclasses
import io
import json
from datetime import date

import cv2
import numpy as np
import pytest
from pypdf import PdfReader

from lungcnn import (
    DISCLAIMER,
    View,
    Window,
    export_heatmap,
    export_overlay,
    export_record,
    export_report,
    render_overlay,
    render_slice,
)
from lungcnn.errors import Reason, UsageError
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.results.finding import Finding
from lungcnn.results.marks import marked as draw_marks, what_is_shown
from lungcnn.results.series_report import SeriesReport
from lungcnn.results.slice_report import SliceReport

DAY = date(2026, 11, 25)
FIELDS = (
    "/Author",
    "/CreationDate",
    "/Creator",
    "/Keywords",
    "/ModDate",
    "/Producer",
    "/Subject",
    "/Title",
    "/Trapped",
)


@pytest.fixture(scope="module")
def report(pipeline, phantom_slice):
    return pipeline.run(phantom_slice)


def text_of(pdf: bytes) -> str:
    return " ".join(PdfReader(io.BytesIO(pdf)).pages[0].extract_text().split())


def test_the_overlay_is_the_one_that_is_rendered_marked_and_framed(phantom_slice, report):
    view = View(Window(50, 350), opacity=0.3, colour_map="cividis")
    picture = cv2.imdecode(np.frombuffer(export_overlay(report, view), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    expected = render_overlay(report, Window(50, 350), opacity=0.3, colour_map="cividis")
    above = next(y for y in range(len(picture) - 511) if (picture[y : y + 512] == expected).mean() > 0.95)
    assert 30 < above < 120, "a band above says what is shown"
    inner = picture[above : above + 512]
    same = (inner == expected).all(axis=2)
    assert same.mean() > 0.97, "the marks leave the picture as it is"
    x, y = map(round, report.explanation.peak_xy)
    assert not same[y - 14 : y + 14, x - 14 : x + 14].all(), "the peak is marked"
    bare = draw_marks(expected, report, dataclasses.replace(view, peak=False))
    assert (bare[y - 14 : y + 14, x - 14 : x + 14] == expected[y - 14 : y + 14, x - 14 : x + 14]).all()
    assert len(picture) > above + 512 + 30, "a band below has verdict and disclaimer"


def test_an_inverted_picture_is_taken_away_inverted_and_says_so(phantom_slice, report):
    window = Window(-600, 1500)
    grey = render_slice(phantom_slice, window)
    np.testing.assert_array_equal(render_slice(phantom_slice, window, inverted=True), 255 - grey)
    plain, turned = render_overlay(report, window), render_overlay(report, window, inverted=True)
    outside = np.ones(grey.shape, bool)
    outside[report.explanation.box.on_slice] = False
    np.testing.assert_array_equal(turned[outside], 255 - plain[outside])
    view = View(window, heatmap=False, inverted=True)
    picture = cv2.imdecode(np.frombuffer(export_overlay(report, view), np.uint8), cv2.IMREAD_COLOR)
    assert np.ptp(picture, axis=2).max() == 0, "without a heatmap there are no colours"
    assert any((picture[y : y + 512, :, 0] == 255 - grey).mean() > 0.95 for y in range(len(picture) - 511))
    assert what_is_shown(report, view)[-1] == "Window -600/1500 HU, inverted"
    assert "window -600/1500 HU, inverted" in text_of(export_report(report, view, day=DAY))
    images = PdfReader(io.BytesIO(export_report(report, view, day=DAY))).pages[0].images
    pictures = [np.asarray(one.image.convert("RGB"))[..., 0] for one in images]
    assert any(one.shape == grey.shape and (one == 255 - grey).all() for one in pictures)


def test_what_is_shown_is_said(report):
    view = View(place=(93, 133), position_mm=-120.5)
    first, second, third = what_is_shown(report, view)
    assert first == f"Evidence for {report.prediction}, Grad-CAM (Selvaraju 2017)"
    assert second.startswith(f"Colours from 0 to {report.explanation.scale:.2g} logits; strongest at x ")
    assert third == "Slice 93 of 133. At -120.5 mm. Window -500/1500 HU"
    assert "Outline at 50 % of the peak" in what_is_shown(report, View(contour=0.5))[1]
    assert "blue against it" in what_is_shown(report, View(signed=True))[1]
    refused = dataclasses.replace(report, explanation=None)
    assert what_is_shown(refused, View()) == ["Window -500/1500 HU"]


@pytest.mark.parametrize("shape", [(40, 60), (700, 64)])
def test_pictures_of_any_shape_are_framed(shape):
    refused = SliceReport("refused", (Reason("no_lungs", "No lungs."),), ct_slice=CTSlice(hu=np.zeros(shape)))
    picture = cv2.imdecode(np.frombuffer(export_overlay(refused), np.uint8), cv2.IMREAD_COLOR)
    factor = max(1, -(-512 // max(shape)))
    assert picture.shape[1] == factor * shape[1]
    assert picture.shape[0] > factor * shape[0]


def test_the_heatmap_is_the_raw_map_and_a_refused_slice_has_none(report):
    heat = np.load(io.BytesIO(export_heatmap(report)), allow_pickle=False)
    assert heat.dtype == np.float32
    np.testing.assert_array_equal(heat, report.explanation.heatmap())
    with pytest.raises(UsageError, match="was not judged"):
        export_heatmap(SliceReport(status="refused"))


def test_the_record_names_no_file(report):
    record = json.loads(export_record(report))
    assert record == report.to_json()
    assert record["file"] is None


def test_the_page_tells_the_result_its_checks_and_what_it_is_not_for(phantom_slice, report):
    warned = dataclasses.replace(
        report, warnings=(Reason("a", "Something <odd> & so on."),), prediction_set=tuple(report.probabilities)
    )
    pdf = export_report(warned, day=DAY)
    reader = PdfReader(io.BytesIO(pdf))
    assert len(reader.pages) == 1
    assert len(reader.pages[0].images) == 2
    text = text_of(pdf)
    for name, share in report.probabilities.items():
        assert name in text
        assert f"{share:.3f}" in text
    checks = report.explanation.faithfulness
    for expected in (
        "Research use only",
        DISCLAIMER,
        "2026-11-25",
        report.model.sha256,
        f"deletion {checks.deletion_auc:.2f} (random {checks.random_deletion_auc:.2f})",
        checks.sentence.split(";")[0],
        f"Evidence for {report.prediction}, Grad-CAM (Selvaraju 2017)",
        "Something <odd> & so on.",
        "All classes are in the prediction set: on this slice the model abstains.",
        warned.verdict.sentence,
    ):
        assert expected in text


def test_the_page_is_the_same_for_the_same_input_and_its_metadata_name_nobody(phantom_slice, report):
    first, second = (export_report(report, day=DAY) for _ in range(2))
    assert first == second
    metadata = PdfReader(io.BytesIO(first)).metadata
    assert {metadata[key] for key in ("/Creator", "/Producer")} == {"lungcnn"}
    assert not metadata.get("/Author")
    assert set(metadata) <= {*FIELDS}
    assert "2026" not in str(metadata), "no time of making"


def test_the_page_of_a_slice_of_a_series_tells_the_first_findings(report):
    found = [
        Finding((n, n + 1), (5.0 * n, 5.0 * n + 5), n, (9, 9), (1, 1, 19, 19), (8, 9, 10), 0.9 - n / 10, n < 2, 0.5)
        for n in range(5)
    ]
    series = SeriesReport("ok", (report,) * 6, tuple(5.0 * n for n in range(6)), tuple(found))
    pdf = export_report(report, day=DAY, series=series)
    assert len(PdfReader(io.BytesIO(pdf)).pages) == 1
    text = text_of(pdf)
    assert "5 findings, 2 above the operating point" in text
    assert [one.sentence in text for one in found] == [True, True, True, False, False]


@pytest.mark.parametrize("shape", [(700, 64), (64, 700)])
def test_a_refused_slice_of_any_shape_fits_on_the_page(shape):
    ct_slice = CTSlice(hu=np.zeros(shape), spacing=(1.0, 1.0))
    refused = SliceReport(status="refused", reasons=(Reason("no_lungs", "No lungs."),), ct_slice=ct_slice)
    pdf = export_report(refused, day=DAY)
    assert len(PdfReader(io.BytesIO(pdf)).pages) == 1
    text = text_of(pdf)
    assert "Not judged" in text
    assert "No lungs." in text
    assert "No heatmap" in text
