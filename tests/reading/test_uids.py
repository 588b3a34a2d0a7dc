"""UIDs that a plain file states are taken without pydicom, and are those that pydicom finds."""

import io
import struct

import numpy as np
import pydicom
import pytest
from conftest import ROOT, dicom_bytes

from lungcnn.reading import uids
from lungcnn.reading.uids import stated_uids

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value:UserWarning", "ignore:End of file:UserWarning")
RAMP = np.arange(40 * 48, dtype=np.uint16).reshape(40, 48)
SERIES, INSTANCE = b"\x20\x00\x0e\x00", b"\x08\x00\x18\x00"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"


def by_pydicom(content: bytes):
    ds = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True, force=True)
    return tuple(str(ds.get(tag) or "") or None for tag in ("SeriesInstanceUID", "SOPInstanceUID"))


@pytest.fixture
def asked(monkeypatch):
    """How often pydicom was asked."""
    calls: list[int] = []
    real = uids._by_pydicom
    monkeypatch.setattr(uids, "_by_pydicom", lambda stream: calls.append(1) or real(stream))
    return calls


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
@pytest.mark.parametrize("series", ["1.2.3", "1.2.3.4", "", None])
def test_a_plain_file_is_not_read_again(asked, tmp_path, syntax, series):
    """An odd length is filled up by a NUL, which is no part of the value."""
    stated = {} if series is None else {"SeriesInstanceUID": series}
    content = dicom_bytes(RAMP, syntax, **stated)
    expected = by_pydicom(content)
    assert (expected[0], bool(expected[1])) == (series or None, True)
    (tmp_path / "slice").write_bytes(content)
    assert stated_uids(content) == stated_uids(tmp_path / "slice") == expected
    assert not asked


def explicit(tag: bytes, value: bytes, vr: bytes = b"UI") -> bytes:
    return tag + vr + struct.pack("<H", len(value)) + value


PLAIN = dicom_bytes(RAMP, EXPLICIT, SeriesInstanceUID="1.2.34")
STATED = explicit(SERIES, b"1.2.34")


@pytest.mark.parametrize(
    "ugly",
    [
        explicit(SERIES, b"1.2.3 "),
        explicit(SERIES, b"1.2.3\0\0 \0"),
        explicit(SERIES, b"1.2\\3.4 "),
        explicit(SERIES, b" 1.2.3"),
        explicit(SERIES, "1.2.é".encode("latin-1") + b"\0"),
        explicit(SERIES, b"1.2.3\n"),
        explicit(SERIES, b"1.2.34", b"LO"),
        explicit(SERIES, b"1.2.34") + explicit(SERIES, b"5.6.78"),
        explicit(SERIES, b"1.2.34") + explicit(INSTANCE, b"5.6.78"),
        b"",
    ],
)
def test_ugly_values_are_what_pydicom_makes_of_them(ugly):
    assert STATED in PLAIN
    content = PLAIN.replace(STATED, ugly)
    assert stated_uids(content) == by_pydicom(content)


def test_what_is_not_plain_is_left_to_pydicom(asked):
    pixels = PLAIN.index(b"\xe0\x7f\x10\x00")
    long = explicit(b"\x20\x00\x00\x40", b"x" * 65_000, b"LT")
    for content in (PLAIN[:pixels], PLAIN[:pixels] + 2 * long + PLAIN[pixels:]):
        assert stated_uids(content) == by_pydicom(content)
    assert len(asked) == 2


def test_a_damaged_header_and_a_picture_state_none():
    assert stated_uids(PLAIN[:140]) == (None, None)
    assert stated_uids(b"\0" * 128 + b"DICM" + b"\xff" * 40) == (None, None)
    assert stated_uids((ROOT / "examples" / "carina-normal.png").read_bytes()) == (None, None)
    assert stated_uids(ROOT / "no such file") == (None, None)


@pytest.mark.data
def test_real_files_state_what_pydicom_finds(data, asked):
    files = sorted((data / "lidc-0001").glob("*.dcm"))[::20]
    for file in [*files, *(data / "dicom-syntaxes").glob("*.dcm")]:
        content = file.read_bytes()
        assert stated_uids(content) == by_pydicom(content)
    assert len(asked) == len(list((data / "dicom-syntaxes").glob("*.dcm")))  # those are compressed
