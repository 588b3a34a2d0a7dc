import base64
import re

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from conftest import ROOT

from demo import texts, views
from demo.__main__ import main
from demo.app import PipelineInWaiting, build_demo, find_examples, look
from demo.server import launch_settings
from lungcnn import CLASSES, LungCNNError
from lungcnn.loading import CTSlice
from lungcnn.report import Reason, SliceReport


def images(html):
    """The pictures of a page, decoded, by id."""
    found = re.findall(r'<img id="(\w+)" src="data:image/png;base64,([^"]+)"', html)
    return {
        name: cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_UNCHANGED)
        for name, data in found
    }


@pytest.fixture(scope="module")
def report(pipeline, phantom_slice):
    return pipeline.run(phantom_slice)


def test_viewer_holds_slice_and_overlay_at_full_resolution(phantom_slice, report):
    shown = images(views.viewer(phantom_slice, report))
    assert shown["slice"].shape == (512, 512)
    assert shown["overlay"].shape == (512, 512, 3)
    assert f"Evidence for <b>{report.prediction}</b>, Grad-CAM" in views.viewer(phantom_slice, report)


def test_pixels_that_are_not_square_are_shown_in_their_shape(pipeline):
    tall = CTSlice(hu=np.full((100, 200), -1000.0), spacing=(2.0, 1.0))
    html = views.viewer(tall, pipeline.run(tall))
    assert "aspect-ratio: 200 / 200.000" in html
    assert texts.NO_OVERLAY in html


def test_bars_keep_the_order_of_the_classes_and_their_numbers():
    html = views.bars({"malignant": 0.9, "benign": 0.0951, "normal": 0.0049}, "malignant")
    assert re.findall(r'data-class="(\w+)"', html) == list(CLASSES)
    assert re.findall(r'class="number">([^<]+)<', html) == ["&lt; 1 %", "10 %", "90 %"]
    assert html.count('class="predicted"') == 1


@pytest.mark.parametrize(
    ("share", "shown"), [(0, "0 %"), (0.004, "< 1 %"), (0.01, "1 %"), (0.5, "50 %"), (0.996, "> 99 %"), (1, "100 %")]
)
def test_percentages(share, shown):
    assert views.percent(share) == shown


def test_result_says_class_set_check_and_what_it_is_not_for(report):
    html = views.result(report)
    assert f'<p id="prediction" class="prediction">{report.prediction}</p>' in html
    assert "Not a medical device" in html
    assert views.check_sentence(report).split(";")[0] in html.replace("&#x27;", "'")
    if len(report.prediction_set) < 3:
        assert "Can&#x27;t be ruled out: " + " or ".join(report.prediction_set) in html
    else:
        assert "abstains" in html


def test_check_sentences(report):
    import dataclasses

    def sentence(**fields):
        explanation = dataclasses.replace(report.explanation, **fields)
        return views.check_sentence(dataclasses.replace(report, explanation=explanation))

    checks = report.explanation.faithfulness
    good = dataclasses.replace(
        checks, better_than_random=True, in_lungs=0.81, probability=0.91, hidden_probability=0.22
    )
    name = report.prediction
    yes = sentence(faithfulness=good, peak_xy=(1, 1))
    assert yes.startswith("The map is better than random at finding what the model used; 81 % of it lies in the lungs.")
    assert yes.endswith(f"{name.capitalize()} 0.91, with the highlighted region hidden 0.22.")
    no = sentence(faithfulness=dataclasses.replace(good, better_than_random=False), peak_xy=(1, 1))
    assert no.startswith("The map is not better than random")
    assert "speaks for" in sentence(faithfulness=None, peak_xy=None)


def test_the_sanity_of_the_models_maps_is_told(pipeline):
    import dataclasses

    assert views.sanity(None) == views.sanity(pipeline.card) == ""
    figures = {"sanity": {"layers": ["logits"], "correlation": [0.93], "survives": True}}
    assert "survive randomisation" in views.sanity(dataclasses.replace(pipeline.card, figures=figures))


def test_states_without_a_result():
    assert texts.EMPTY_VIEW in views.viewer()
    assert texts.EMPTY_RESULT in views.result()
    refused = SliceReport(status="refused", reasons=(Reason("no_lungs", "No <lungs> & so on."),))
    html = views.result(refused)
    assert texts.REFUSED in html
    assert "No &lt;lungs&gt; &amp; so on." in html
    assert texts.ERROR in views.result(SliceReport(status="error", reasons=(Reason("x", "y"),)))


def test_pipeline_in_waiting_gives_the_pipeline_or_its_error(pipeline):
    waiting = PipelineInWaiting(lambda: pipeline)
    assert not waiting.ready
    waiting.start()
    assert waiting.get() is pipeline

    def fail():
        raise LungCNNError("no model today")

    waiting = PipelineInWaiting(fail)
    waiting.start()
    with pytest.raises(LungCNNError, match="no model today"):
        waiting.get()
    assert waiting.ready


def test_examples_have_thumbnails_and_only_one_endpoint_is_public(pipeline, tmp_path):
    examples = find_examples(tmp_path)
    assert len(examples) >= 6
    assert all(cv2.imread(str(example.thumbnail)).std() > 20 for example in examples)
    page = build_demo(PipelineInWaiting(lambda: pipeline), examples)
    public = [d["api_name"] for d in page.config["dependencies"] if d["api_visibility"] == "public"]
    assert public == ["explain"]
    assert len(page.config["dependencies"]) == len(examples) + 4


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
