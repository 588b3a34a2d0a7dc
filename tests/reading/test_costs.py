"""Each row of the table "what a file may cost": read or refused within 2 s of processor time and 300 MB."""

import os
from pathlib import Path

import numpy as np
import pytest
from conftest import dicom_bytes
from cost import cost
from hostile_files import (
    LARGE,
    RAMP,
    SMALL,
    UNKNOWN,
    before_pixels,
    element,
    jpeg2000,
    many_frames,
    small_slices,
    zipped,
)

from lungcnn.errors import LungCNNError, UnsupportedFileError
from lungcnn.reading.cheap import find_pixels, is_cheap
from lungcnn.reading.loading import load_slice
from lungcnn.reading.series_reader import read_series

SECONDS, MEGABYTES = 2, 300
# Header by header; `progress` says how far it is.
LISTING_SECONDS = 10
STARTING_SECONDS = 1.5


def check(content: bytes, seconds: float = SECONDS) -> None:
    for as_series in (True,) if content[:2] == b"PK" else (False, True):
        found = cost(content, as_series)
        assert found.megabytes < MEGABYTES, found
        assert found.seconds < seconds, found
        assert "could not be read: damaged" not in found.outcome


@pytest.mark.parametrize("name", SMALL)
def test_a_small_file_costs_little(name):
    check(SMALL[name]())


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_a_large_file_costs_little(name):
    check(LARGE[name](), LISTING_SECONDS if "slices" in name else SECONDS)


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_no_check_knows_ends_in_a_sentence(name):
    """The system's limits end it, and another process is started, whose imports count here."""
    content = UNKNOWN[name]()
    for as_series in (False, True):
        found = cost(content, as_series)
        assert found.megabytes < MEGABYTES, found
        assert found.seconds < SECONDS + STARTING_SECONDS, found
    with pytest.raises(LungCNNError, match=r"more than 2 s|could not be decoded"):
        load_slice(content)
    assert load_slice(jpeg2000(64, 64)).hu.shape == (64, 64)


def test_progress_is_said():
    said = []
    read_series(small_slices(3), lambda done, files: said.append((done, files)))
    assert said == [(0, 3), (1, 3), (2, 3)]


def test_files_that_claim_too_many_slices_are_refused():
    with pytest.raises(UnsupportedFileError, match="more than 100000 slices"):
        read_series(many_frames(12))


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
@pytest.mark.parametrize("preamble", [True, False])
def test_an_ordinary_slice_is_read_in_this_process(syntax, preamble):
    content = dicom_bytes(np.zeros((512, 512), np.uint16), syntax, preamble=preamble)
    start, end = find_pixels(content)
    assert (start, end) == (content.index(b"\xe0\x7f\x10\x00"), len(content))
    assert is_cheap(content)


def test_compressed_large_or_nested_is_read_in_the_other_process():
    assert not is_cheap(jpeg2000(64, 64))
    assert not is_cheap(dicom_bytes(RAMP, "1.2.840.10008.1.2.1.99"))
    assert not is_cheap(dicom_bytes(np.zeros((9, 512, 512), np.uint16)))
    assert not is_cheap(before_pixels(element((0x0009, 0x1010), b"OB", bytes(70_000))))
    assert not is_cheap(dicom_bytes(RAMP) + bytes(70_000))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_or_a_device_is_not_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(UnsupportedFileError, match="pipe or a device"):
            load_slice(path)
        reading = read_series([path])
        assert "pipe or a device" in reading.set_aside[0].reason.message


def test_a_file_object_without_end_is_refused(monkeypatch):
    monkeypatch.setattr("lungcnn.reading.loading.MAX_BYTES", 2**20)
    with open("/dev/zero", "rb") as endless, pytest.raises(UnsupportedFileError, match="more than the 1 MiB"):
        load_slice(endless)


def test_a_name_of_digits_is_sorted():
    (series,) = read_series(zipped({"1" * 5000: dicom_bytes(RAMP), "2": dicom_bytes(RAMP + 1)})).series
    assert len(series) == 2
