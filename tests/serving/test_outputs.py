"""Overlays, heatmaps and DICOM results: one name each, whatever the inputs are called, and whole or not there."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given, strategies as st

from lungcnn.reading.loading import load_slice
from lungcnn.serving import outputs as module
from lungcnn.serving.output_names import OutputNames
from lungcnn.serving.outputs import Outputs
from lungcnn.system import printable_name

MASS = ROOT / "examples" / "arch-spiculated-mass.dcm"
UID = "1.2.826.0.1.3680043.8.498.12345"


def names_of(*inputs, folders=()) -> list[str]:
    names = OutputNames(folders)
    names.spare(inputs)
    return [names.claim(one) for one in inputs]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (["A/IM-2", "B/IM", "C/IM"], ["IM-2", "IM", "IM-3"]),
        ([f"{UID}.1", f"{UID}.2"], [f"{UID}.1", f"{UID}.2"]),
        ([f"{UID}.1.dcm", f"{UID}.1"], [f"{UID}.1", f"{UID}.1-2"]),
        (["a.png", "a.dcm", "a-2.png"], ["a", "a-2", "a-2-2"]),
        (["a.png", "A.PNG"], ["a", "A-2"]),
        (["folder\\a.dcm", ""], ["a", "slice"]),
    ],
)
def test_names_are_the_inputs_own_and_distinct(inputs, expected):
    assert names_of(*inputs) == expected


@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=300), max_size=8))
def test_no_two_inputs_share_a_name_and_every_name_can_be_written(inputs):
    names = names_of(*inputs)
    assert len({name.casefold() for name in names}) == len(names)
    assert all(0 < len(os.fsencode(f".{name}-frame9999.draft.png")) <= 255 for name in names)
    assert not any("/" in name for name in names)
    assert names == names_of(*inputs)


def test_long_names_that_begin_alike_stay_apart():
    one, other = names_of("x" * 255, "x" * 254 + "y")
    assert one != other
    assert len(one) == len(other) == 200


def test_no_input_is_overwritten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert names_of("a.png", "b.dcm", folders=[tmp_path]) == ["a-2", "b"]
    assert names_of("a.png", folders=[tmp_path / "elsewhere"]) == ["a"]


@pytest.fixture(scope="module")
def report(shipped):
    return shipped.run(load_slice(MASS), checks=False)


def test_the_files_written_are_named(report, tmp_path):
    outputs = Outputs(tmp_path / "o", tmp_path / "h", dicom=tmp_path / "d", kinds=("sr",))
    first, second = outputs.write(MASS, report), outputs.write(MASS, report)
    assert [str(path.relative_to(tmp_path)) for path in first] == [
        f"d/{MASS.stem}-sr.dcm", f"o/{MASS.stem}.png", f"h/{MASS.stem}.npy",
    ]  # fmt: skip
    assert not set(first) & set(second)
    assert all(path.is_file() for path in first + second)
    assert cv2.imread(str(second[1])).shape == (512, 512, 3)
    assert np.array_equal(np.load(first[2]), report.explanation.heatmap())


def test_frames_are_told_apart(report, tmp_path):
    outputs = Outputs(tmp_path)
    frames = [replace(report, ct_slice=replace(report.ct_slice, frame=frame, frames=2)) for frame in (0, 1)]
    assert [path.name for frame in frames for path in outputs.write(Path("a"), frame)] == [
        "a-frame0.png", "a-frame1.png",
    ]  # fmt: skip


def test_a_full_disk_leaves_nothing_half_written_and_the_rest_goes_on(report, tmp_path, monkeypatch):
    outputs = Outputs(tmp_path / "o", tmp_path / "h", dicom=tmp_path / "d", kinds=("sr",))
    whole = module.write_whole

    def full(path, write):
        def some(draft):
            draft.write_bytes(b"some of it")
            raise OSError(errno.ENOSPC, "No space left on device")

        return whole(path, some)

    for place in (module, __import__("lungcnn.results.dicom.files", fromlist=["files"])):
        monkeypatch.setattr(place, "write_whole", full)
    assert outputs.write(MASS, report) == []
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(outputs.unwritten) == 3
    assert all("No space left on device" in sentence for _, sentence in outputs.unwritten)


def test_names_that_are_not_utf8_are_shown_as_text():
    assert printable_name(os.fsdecode(b"caf\xe9.dcm")) == "caf\\xe9.dcm"
    assert printable_name("plain ä 山.dcm") == "plain ä 山.dcm"
    assert printable_name("\ud800").encode() == b"\\ud800"
