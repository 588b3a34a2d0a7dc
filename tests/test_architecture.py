"""docs/architecture.md names what exists, and the changes it describes need no more places than it says."""

import importlib
import re
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from conftest import ROOT

from lungcnn.errors import RefusalError
from lungcnn.windowing import Window

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TABLE = re.findall(r"`(\w+(?:/|\.py))`", PAGE.split("| package or module |")[1].split("\n\n")[0])
NAMED = sorted(set(re.findall(r"`([\w./-]+)`", PAGE)))


@pytest.mark.parametrize("path", [name for name in NAMED if name.endswith("/") or re.search(r"\.\w{2,4}$", name)])
def test_every_path_named_exists(path):
    assert (ROOT / path).exists() or (ROOT / "lungcnn" / path).exists()


@pytest.mark.parametrize("name", [name for name in NAMED if re.fullmatch(r"[a-z_.]+\.[A-Z_]+", name)])
def test_every_value_named_exists(name):
    module, value = name.rsplit(".", 1)
    assert hasattr(importlib.import_module(f"lungcnn.{module}"), value)


def test_every_package_and_module_is_in_the_table():
    inside = (ROOT / "lungcnn").iterdir()
    packages = {f"{path.name}/" for path in inside if (path / "__init__.py").exists()}
    modules = {path.name for path in (ROOT / "lungcnn").glob("*.py") if not path.name.startswith("__")}
    assert set(TABLE) == packages | modules


def test_the_table_is_in_the_order_of_the_layers():
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    floors = [re.findall(r"lungcnn\.(\w+)", floor) for floor in reversed(layers[0]["layers"])]
    place = {name: number for number, floor in enumerate(floors) for name in floor}
    walked = [place[name.removesuffix(".py").removesuffix("/")] for name in TABLE]
    assert walked == sorted(walked)


def test_a_display_window_is_one_line(monkeypatch):
    from demo.viewer_frame import frame
    from lungcnn import WINDOWS

    assert "liver" not in frame().lower()
    monkeypatch.setitem(WINDOWS, "liver", Window(60, 150))
    page = frame()
    assert "&quot;liver&quot;: [60, 150]" in page
    assert ">Liver<" in page


def test_a_cam_method_is_one_entry(monkeypatch, pipeline, phantom_slice):
    from demo.page import build_demo
    from demo.waiting import JudgeInWaiting
    from lungcnn import load_slice
    from lungcnn.explaining.methods import METHODS

    def ones(explainer, crop):
        return np.ones((3, 4, 4), np.float32)

    monkeypatch.setitem(METHODS, "ones", replace(METHODS["occlusion"], title="Ones", source="Us", on_demand=ones))
    report = pipeline.run(phantom_slice, method="ones", explain_class="benign", checks=False)
    assert report.to_json()["explanation"]["method"] == "ones"
    assert report.explanation.signed
    assert (report.explanation.cells == 1).all()
    page = build_demo(JudgeInWaiting(lambda: pipeline, load_slice), []).get_config_file()
    (choices,) = [part["props"]["choices"] for part in page["components"] if part["props"].get("elem_id") == "method"]
    assert ("Ones (Us)", "ones") in choices


def test_a_gate_rule_from_the_picture_is_a_measure_and_a_bound(monkeypatch, phantom_slice):
    from lungcnn.gate import bounds
    from lungcnn.gate.examine import admit

    slender = bounds.Bound("aspect", 0, 0.1, "not_slender", "the body is {:.2f} times as wide as high")
    monkeypatch.setattr(bounds, "BOUNDS", (slender, *bounds.BOUNDS))
    with pytest.raises(RefusalError, match="times as wide as high") as refusal:
        admit(phantom_slice)
    assert refusal.value.code == "not_slender"


def test_a_gate_rule_from_the_file_is_one_rule(monkeypatch, phantom_slice):
    from lungcnn.gate.examine import admit
    from lungcnn.reading import file_rules
    from lungcnn.reading.acquisition import SliceFacts

    rule = file_rules.FileRule("on_a_monday", lambda facts: "a slice of a Monday")
    monkeypatch.setattr(file_rules, "RULES", (rule, *file_rules.RULES))
    with pytest.raises(RefusalError, match="holds a slice of a Monday") as refusal:
        admit(replace(phantom_slice, facts=SliceFacts()))
    assert refusal.value.code == "on_a_monday"
