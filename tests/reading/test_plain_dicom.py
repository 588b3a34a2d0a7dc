"""What is read without pydicom is what pydicom reads; whatever is unusual is left to it."""

import io

import numpy as np
import pydicom
import pytest
from conftest import dicom_bytes

from lungcnn.errors import LungCNNError
from lungcnn.reading import dicom
from lungcnn.reading.dicom_parsing import TAGS
from lungcnn.reading.loading import load_slice
from lungcnn.reading.plain_dicom import _KNOWN, _UNUSUAL, read_plain

RAMP = (np.arange(40 * 48).reshape(40, 48) % 3000).astype(np.uint16)
SIGNED = RAMP.astype(np.int16) - 1500
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
FACTS = {
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "ConvolutionKernel": "B60f",
    "ImageOrientationPatient": ["1", "0", "0.0", "0", "1.0e0", "-0"],
    "ImagePositionPatient": ["-120.5", "+3", ".5"],
    "SliceThickness": "1.25",
    "WindowCenter": ["-600", "40"],
    "WindowWidth": ["1500", "400"],
    "BurnedInAnnotation": "NO",
    "RescaleType": "HU",
    "PatientComments": "\\".join("x" * 60 for _ in range(30)),
}


def outcome(content: bytes):
    try:
        found = load_slice(content)
    except LungCNNError as error:
        return type(error), str(error)
    told = found.spacing, found.calibrated, found.window, found.frames, found.warnings, found.facts
    return found.hu.tobytes(), *told


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
@pytest.mark.parametrize(
    ("stored", "elements"),
    [
        (RAMP, {}),
        (RAMP, FACTS),
        (np.stack([RAMP, RAMP + 1]), FACTS),
        (SIGNED, {"PixelPaddingValue": -1500, "PixelPaddingRangeLimit": -1490, **FACTS}),
        (RAMP, {"PixelPaddingValue": 7, "bits": 12, "HighBit": 13}),
        (RAMP, {"photometric": "MONOCHROME1", "slope": "2.5e0", "intercept": "-1024.5"}),
        (RAMP, {"slope": None, "spacing": None, "SliceThickness": None, "WindowCenter": None, "ConvolutionKernel": ""}),
        (RAMP, {"Modality": "MR"}),
        (RAMP, {"Modality": ["CT", "MR"], "spacing": ("1e999", 1)}),
    ],
)
def test_a_plain_file_says_what_pydicom_finds(monkeypatch, syntax, stored, elements):
    content = dicom_bytes(stored, syntax, **elements)
    assert read_plain(content) is not None
    plainly = outcome(content)
    monkeypatch.setattr(dicom, "read_plain", lambda data: None)
    assert plainly == outcome(content)


def test_whatever_is_unusual_is_left_to_pydicom():
    plain = dicom_bytes(RAMP, **FACTS)
    rows, spacing = plain.index(b"\x28\0\x10\0US"), plain.index(b"\x28\0\x30\0DS")
    twice = plain[:rows] + plain[rows : rows + 10] + plain[rows:]
    unusual = {
        "no file meta": dicom_bytes(RAMP, preamble=False),
        "big endian": dicom_bytes(RAMP, "1.2.840.10008.1.2.2"),
        "32 bits": dicom_bytes(RAMP.astype(np.uint32), BitsAllocated=32),
        "no number": plain.replace(b"0.7\\0.7", b"0.7\\O.7"),
        "no ASCII": dicom_bytes(RAMP, SpecificCharacterSet="ISO_IR 100", ConvolutionKernel="Brüsk"),
        "twice": twice,
        "another VR": plain[: spacing + 4] + b"LO" + plain[spacing + 6 :],
        "cut short": plain[:-1],
        "more after the pixels": plain + b"\xfc\x7f\x10\0",
        "functional groups": dicom_bytes(RAMP, SharedFunctionalGroupsSequence=[pydicom.Dataset()]),
        "empty": b"",
    }
    assert read_plain(plain) is not None
    assert [name for name, content in unusual.items() if read_plain(content) is not None] == []


def test_the_table_is_that_of_the_standard():
    sequences = {"SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "ModalityLUTSequence"}
    offsets = {"ExtendedOffsetTable", "ExtendedOffsetTableLengths"}
    pixels = {"FloatPixelData", "DoubleFloatPixelData", "PixelData"}
    assert {keyword for keyword, _ in _KNOWN.values()} == set(TAGS) - sequences - offsets - pixels
    assert {pydicom.datadict.tag_for_keyword(keyword) for keyword in sequences} == _UNUSUAL
    for tag, (keyword, vr) in _KNOWN.items():
        assert pydicom.datadict.tag_for_keyword(keyword) == tag
        assert pydicom.datadict.dictionary_VR(tag) == vr.decode()


def test_padding_after_the_pixels_is_plain():
    ds = pydicom.dcmread(io.BytesIO(dicom_bytes(RAMP)))
    ds.DataSetTrailingPadding = bytes(20)
    stream = io.BytesIO()
    ds.save_as(stream)
    np.testing.assert_array_equal(load_slice(stream.getvalue()).hu, RAMP.astype(np.float32) - 1024)
    assert read_plain(stream.getvalue()) is not None
