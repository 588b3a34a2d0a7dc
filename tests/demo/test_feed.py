"""Slices of a series as the browser fetches them."""

import asyncio
import gc
import json
import re
import struct

import numpy as np
import pytest
from conftest import ROOT
from test_page import SERIES, ask, phantom_bytes, ready, unpacked, uploaded

from demo import feed, texts
from demo.events import Events
from demo.packing import pack
from demo.viewer_script import FOLDER, viewer_script
from demo.visit import Visit


def fetched(path):
    answer = asyncio.run(feed.answer(path, "he"))
    (length,) = struct.unpack("<I", answer[:4])
    return json.loads(answer[4 : 4 + length]), answer[4 + length :]


def test_a_slice_comes_with_all_that_is_said_of_it_while_its_series_is_shown(pipeline, phantom):
    events = Events(ready(pipeline), pipeline.card)
    visit = Visit()
    ask(events, visit, "upload", uploaded(*(phantom_bytes(phantom, z, **SERIES) for z in (0.0, 5.0))))
    name = visit.shown.stack.name
    told, pixels = fetched(f"/slices/{name}/1/grad-cam")
    ask(events, visit, "scroll", f"{name}/2")
    assert pixels == pack(visit.shown.ct_slice.hu)
    assert told["slice"]["place"] == 5.0
    assert told["slice"]["id"] == told["map"]["slice"] == f"{name}-1"
    assert "Slice 2 of 2" in told["result"]
    assert texts.HEATMAP_PENDING in told["trust"]
    slow, _ = fetched(f"/slices/{name}/1/occlusion")
    assert slow["map"] is None, "many passes for a slice that is only scrolled past"
    for path in (f"{name}/2/grad-cam", f"{name}/1/other", f"{name}/-1/grad-cam", "0/0/grad-cam"):
        assert asyncio.run(feed.answer("/slices/" + path, "he")) is None
    assert asyncio.run(feed.answer(f"/slices/{'0' * 32}/0/grad-cam", "he")) == b""
    ask(events, visit, "example", ROOT / "examples" / "apex-normal.dcm")
    gc.collect()
    assert asyncio.run(feed.answer(f"/slices/{name}/1/grad-cam", "he")) == b"", "nothing of the series is left"


def test_more_than_a_browser_asks_at_once_is_not_begun():
    one = object.__new__(feed.SliceFeed)
    one._fetched = feed.MOST_WAITING
    with pytest.raises(feed.Busy):
        asyncio.run(one.fetch(0, "grad-cam", "he"))


def test_pixels_are_packed_without_loss_to_the_ends_of_their_range():
    rng = np.random.default_rng(0)
    hu = rng.choice([-32768, -2048, -1, 0, 32767], (30, 40)).astype(np.float32)
    np.testing.assert_array_equal(unpacked(pack(hu), 30, 40), hu)


def test_the_script_is_one_of_modules_with_names_of_their_own():
    declared = re.compile(r"^(?:export )?(?:async )?(?:function\*?|const|let) (\w+)", re.MULTILINE)
    names = [name for module in FOLDER.glob("*.js") for name in declared.findall(module.read_text())]
    assert sorted(names) == sorted(set(names))
    script = viewer_script()
    assert not re.search(r"^(import|export)", script, re.MULTILINE)
    assert set(names) <= set(declared.findall(script)), "every module is reached from main.js"
