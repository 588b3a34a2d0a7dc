import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from conftest import dicom_bytes
from hypothesis import given, settings, strategies as st
from PIL import Image

from lungcnn.errors import LungCNNError, UnreadableFileError, UnsupportedFileError
from lungcnn.reading.acquisition import SliceFacts
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.loading import iter_slices, load_slice
from lungcnn.reading.series_reader import read_series
from lungcnn.reading.sniffing import sniff
from lungcnn.windowing import LOWEST_HU

RAMP = (np.arange(40 * 48).reshape(40, 48) % 3000).astype(np.uint16)  # HU -1024 to 895
HU = RAMP.astype(np.float32) - 1024
GREY = (np.arange(40 * 48).reshape(40, 48) % 256).astype(np.uint8)
GREY_HU = GREY.astype(np.float32) / 255 * 1500 - 1250
UNCOMPRESSED = {
    "implicit little endian": "1.2.840.10008.1.2",
    "explicit little endian": "1.2.840.10008.1.2.1",
    "deflated": "1.2.840.10008.1.2.1.99",
    "explicit big endian": "1.2.840.10008.1.2.2",
}


def png(array) -> bytes:
    return cv2.imencode(".png", array)[1].tobytes()


def told(loaded) -> str:
    """The warnings of a slice; each has a code of its own."""
    assert len({warning.code for warning in loaded.warnings}) == len(loaded.warnings)
    return " ".join(warning.message for warning in loaded.warnings)


# ---------------------------------------------------------------- DICOM


@pytest.mark.parametrize("syntax", UNCOMPRESSED.values(), ids=UNCOMPRESSED)
def test_uncompressed_dicom_gives_exact_hu(syntax):
    loaded = load_slice(dicom_bytes(RAMP, syntax))
    assert loaded.hu.dtype == np.float32
    np.testing.assert_array_equal(loaded.hu, HU)
    assert (loaded.spacing, loaded.calibrated, loaded.kind) == ((0.7, 0.7), True, "dicom")


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"])
def test_dicom_without_preamble(syntax):
    np.testing.assert_array_equal(load_slice(dicom_bytes(RAMP, syntax, preamble=False)).hu, HU)


def test_rle_compressed():
    ds = pydicom.dcmread(io.BytesIO(dicom_bytes(RAMP)))
    ds.compress(pydicom.uid.RLELossless)
    stream = io.BytesIO()
    ds.save_as(stream)
    np.testing.assert_array_equal(load_slice(stream.getvalue()).hu, HU)


def test_jpeg2000_compressed_lossless():
    ds = pydicom.dcmread(io.BytesIO(dicom_bytes(RAMP)))
    ds.compress(pydicom.uid.JPEG2000Lossless, encoding_plugin="pylibjpeg")
    stream = io.BytesIO()
    ds.save_as(stream)
    np.testing.assert_array_equal(load_slice(stream.getvalue()).hu, HU)


def test_signed_values_slope_and_intercept():
    stored = RAMP.astype(np.int16) - 1500
    loaded = load_slice(dicom_bytes(stored, slope=2, intercept=-24.5))
    np.testing.assert_allclose(loaded.hu, stored * 2.0 - 24.5)


def test_monochrome1_with_inverted_values():
    body = np.full((64, 64), 24, np.uint16)  # air
    body[16:48, 16:48] = 1060
    inverted = (4095 - body).astype(np.uint16)
    loaded = load_slice(dicom_bytes(inverted, photometric="MONOCHROME1", bits=12))
    np.testing.assert_array_equal(loaded.hu, body.astype(np.float32) - 1024)
    assert "MONOCHROME1" in told(loaded)


def test_monochrome1_that_keeps_hu_is_left_alone():
    body = np.full((64, 64), 24, np.uint16)
    body[16:48, 16:48] = 1060
    loaded = load_slice(dicom_bytes(body, photometric="MONOCHROME1", bits=12))
    np.testing.assert_array_equal(loaded.hu, body.astype(np.float32) - 1024)


def test_padding_value_becomes_air_before_the_rescale():
    stored = RAMP.astype(np.int16)
    stored[:5] = -2000
    loaded = load_slice(dicom_bytes(stored, PixelPaddingValue=-2000))
    assert (loaded.hu[:5] == LOWEST_HU).all()
    np.testing.assert_array_equal(loaded.hu[5:], HU[5:])


def test_padding_range_and_padding_written_unsigned():
    stored = RAMP.astype(np.int16)
    stored[0], stored[1], stored[2] = -2000, -1990, -1900
    raw = dicom_bytes(stored, PixelPaddingRangeLimit=-1950, PixelPaddingValue=-2000)
    loaded = load_slice(raw)
    assert (loaded.hu[:2] == LOWEST_HU).all()
    assert (loaded.hu[2] == -1900 - 1024).all()
    wrapped = pydicom.dcmread(io.BytesIO(dicom_bytes(stored)))
    wrapped.add_new("PixelPaddingValue", "US", 65536 - 2000)  # as GE writes it
    stream = io.BytesIO()
    wrapped.save_as(stream)
    assert (load_slice(stream.getvalue()).hu[0] == LOWEST_HU).all()


def test_frames_of_an_enhanced_object_have_their_own_rescale_and_spacing():
    from pydicom.dataset import Dataset

    def group(slope, spacing):
        item, transform, measures = Dataset(), Dataset(), Dataset()
        transform.RescaleSlope, transform.RescaleIntercept, transform.RescaleType = slope, -1000, "HU"
        measures.PixelSpacing = [spacing, spacing]
        item.PixelValueTransformationSequence, item.PixelMeasuresSequence = [transform], [measures]
        return item

    frames = np.stack([RAMP, RAMP + 1])
    raw = dicom_bytes(
        frames, slope=None, spacing=None, PerFrameFunctionalGroupsSequence=[group(1, "0.5"), group(2, "0.6")]
    )
    first, second = iter_slices(raw)
    np.testing.assert_array_equal(first.hu, RAMP - np.float32(1000))
    np.testing.assert_array_equal(second.hu, (RAMP + 1) * np.float32(2) - 1000)
    assert (first.spacing, second.spacing) == ((0.5, 0.5), (0.6, 0.6))
    assert (second.frame, second.frames) == (1, 2)
    np.testing.assert_array_equal(load_slice(raw, frame=1).hu, second.hu)
    with pytest.raises(UnsupportedFileError, match=r"2 frame\(s\).*received frame 2"):
        load_slice(raw, frame=2)


@pytest.mark.parametrize(
    ("of_group", "of_file", "calibrated"), [("HU", "US", True), ("US", "HU", False), ("US", None, False)]
)
def test_the_unit_of_a_frame_is_that_of_its_functional_group(of_group, of_file, calibrated):
    from pydicom.dataset import Dataset

    group, transform = Dataset(), Dataset()
    transform.RescaleSlope, transform.RescaleIntercept, transform.RescaleType = 1, -1024, of_group
    group.PixelValueTransformationSequence = [transform]
    unit = {} if of_file is None else {"RescaleType": of_file}
    loaded = load_slice(dicom_bytes(RAMP, slope=None, SharedFunctionalGroupsSequence=[group], **unit))
    np.testing.assert_array_equal(loaded.hu, HU)
    assert (loaded.calibrated, [w.code for w in loaded.warnings]) == (calibrated, [] if calibrated else ["not_hu"])


def test_facts_of_a_slice_as_the_file_states_them():
    raw = dicom_bytes(
        RAMP,
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL", "MARKER"],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        ImagePositionPatient=["-180", "-170.5", "42"],
        BodyPartExamined="CHEST",
        SliceThickness="2.5",
        ConvolutionKernel="B60f",
        BurnedInAnnotation="NO",
    )
    assert load_slice(raw).facts == SliceFacts(
        orientation=(1, 0, 0, 0, 1, 0),
        position=(-180, -170.5, 42),
        image_type=("ORIGINAL", "PRIMARY", "AXIAL"),
        body_part="CHEST",
        thickness=2.5,
        kernel="B60f",
        burned_in=False,
        sop_class="CT Image",
    )


def test_facts_that_are_free_text_or_damaged_are_dropped():
    odd = dicom_bytes(
        RAMP,
        ImageType=["MARKER"],
        ImageOrientationPatient=[1, 0, 0, 1, 0, 0],
        ImagePositionPatient=["1", "2"],
        BodyPartExamined="MARKER",
        SliceThickness="-1",
        ConvolutionKernel="MARKER",
        BurnedInAnnotation="MARKER",
        SOPClassUID="1.2.3.4",
    )
    assert load_slice(odd).facts == SliceFacts()
    assert load_slice(png(GREY)).facts is None


def test_facts_of_a_frame_come_from_its_functional_groups():
    from pydicom.dataset import Dataset

    group = Dataset()
    for sequence, keyword, value in (
        ("PlaneOrientationSequence", "ImageOrientationPatient", [1, 0, 0, 0, 0, -1]),
        ("PixelMeasuresSequence", "SliceThickness", "3"),
        ("CTImageFrameTypeSequence", "FrameType", ["DERIVED", "PRIMARY", "VOLUME", "MPR"]),
    ):
        item = Dataset()
        setattr(item, keyword, value)
        setattr(group, sequence, [item])
    raw = dicom_bytes(np.stack([RAMP, RAMP]), PerFrameFunctionalGroupsSequence=[group], SliceThickness="9")
    first, second = (ct_slice.facts for ct_slice in iter_slices(raw))
    assert (first.orientation, first.thickness) == ((1, 0, 0, 0, 0, -1), 3)
    assert first.image_type == ("DERIVED", "PRIMARY", "VOLUME", "MPR")
    assert (second.orientation, second.thickness, second.image_type) == (None, 9, ())


def test_no_rescale_means_not_calibrated():
    loaded = load_slice(dicom_bytes(RAMP, slope=None))
    assert not loaded.calibrated
    assert "no usable rescale" in told(loaded)


@pytest.mark.parametrize("spacing", [None, (0, 0), ("nan", "nan"), (-1, -1), (1000, 1000)])
def test_unusable_spacing_is_none(spacing):
    loaded = load_slice(dicom_bytes(RAMP, spacing=spacing))
    assert loaded.spacing is None
    assert "pixel spacing" in told(loaded)


def test_file_window_is_kept():
    loaded = load_slice(dicom_bytes(RAMP, WindowCenter=["-600", "40"], WindowWidth=["1500", "400"]))
    assert (loaded.window.centre, loaded.window.width) == (-600, 1500)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Modality": "MR"}, "modality is MR; accepted is CT"),
        ({"Modality": "<b>MARKER"}, "modality is not one that is known"),
        ({"Rows": 60000, "Columns": 60000}, "60000 x 60000"),
        ({"NumberOfFrames": 2000000000}, "2000000000 frames"),
        ({"SamplesPerPixel": 3}, "in colour"),
        ({"Rows": 0}, "Rows"),
    ],
)
def test_dicom_that_is_no_ct_slice(change, message):
    with pytest.raises(LungCNNError, match=message) as caught:
        load_slice(dicom_bytes(RAMP, **change))
    assert "MARKER" not in str(caught.value)


def test_cut_short_dicom_is_told_as_damaged():
    with pytest.raises(UnreadableFileError, match="damaged, cut short"):
        load_slice(dicom_bytes(RAMP)[:-500])


def test_infinite_rescale_is_refused():
    with pytest.raises(UnreadableFileError, match="not finite"):
        load_slice(dicom_bytes(RAMP, slope="1e38", intercept="1e38"))


def test_nothing_of_the_patient_is_kept():
    loaded = load_slice(dicom_bytes(RAMP))
    assert "MARKER" not in repr(loaded) + repr(vars(loaded))


# ---------------------------------------------------------------- pictures


@pytest.mark.parametrize(
    ("suffix", "channels"),
    [(f".{kind}", channels) for kind in ("png", "tiff", "bmp") for channels in ("grey", "rgb", "rgba")][:-1],
)
def test_lossless_pictures_map_to_the_dataset_window(suffix, channels):
    code = {"rgb": cv2.COLOR_GRAY2BGR, "rgba": cv2.COLOR_GRAY2BGRA}.get(channels)
    picture = GREY if code is None else cv2.cvtColor(GREY, code)
    loaded = load_slice(cv2.imencode(suffix, picture)[1].tobytes())
    np.testing.assert_allclose(loaded.hu, GREY_HU, atol=0.01)
    assert not loaded.calibrated
    assert loaded.spacing is None
    assert "uncalibrated" in loaded.warnings[0].message


@pytest.mark.parametrize(("suffix", "options"), [(".jpg", [cv2.IMWRITE_JPEG_QUALITY, 98]), (".webp", [])])
def test_lossy_pictures_come_close(suffix, options):
    smooth = cv2.GaussianBlur(GREY, (0, 0), 6)
    loaded = load_slice(cv2.imencode(suffix, cv2.cvtColor(smooth, cv2.COLOR_GRAY2BGR), options)[1].tobytes())
    np.testing.assert_allclose(loaded.hu, smooth / 255 * 1500 - 1250, atol=25)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_16_bit_does_not_saturate(suffix):
    levels = (np.arange(40 * 48, dtype=np.uint32).reshape(40, 48) * 34).astype(np.uint16)
    loaded = load_slice(cv2.imencode(suffix, levels)[1].tobytes())
    np.testing.assert_allclose(loaded.hu, levels / 65535 * 1500 - 1250, atol=0.05)
    assert len(np.unique(loaded.hu)) == levels.size


def test_12_bits_in_a_16_bit_file():
    levels = np.linspace(0, 4095, 40 * 48).round().astype(np.uint16).reshape(40, 48)
    loaded = load_slice(png(levels))
    np.testing.assert_allclose(loaded.hu, levels / 4095 * 1500 - 1250, atol=0.05)
    assert "12 bits" in told(loaded)


def test_palette_picture():
    stream = io.BytesIO()
    image = Image.fromarray(255 - GREY)
    image.putpalette([v for level in range(255, -1, -1) for v in (level, level, level)])
    image.save(stream, "PNG")
    np.testing.assert_allclose(load_slice(stream.getvalue()).hu, GREY_HU, atol=0.01)


def test_transparent_is_black_and_colour_is_told():
    rgba = cv2.cvtColor(GREY, cv2.COLOR_GRAY2BGRA)
    rgba[:10, :, 3] = 0
    assert (load_slice(png(rgba)).hu[:10] == -1250).all()
    red = np.zeros((40, 48, 3), np.uint8)
    red[..., 2] = 200
    loaded = load_slice(png(red))
    assert "in colour" in told(loaded)
    np.testing.assert_allclose(loaded.hu, 0.299 * 200 / 255 * 1500 - 1250, atol=0.5)


# ---------------------------------------------------------------- anything else


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"hello, this is a note\n" * 20, "a text file"),
        (b"%PDF-1.7 ....", "a PDF"),
        (b"PK\x03\x04" + bytes(100), "a zip archive"),
        (b"\x1f\x8b" + bytes(100), "a gzip archive"),
        (b"\x93NUMPY" + bytes(100), "a NumPy array"),
        (struct.pack("<i", 348).ljust(344, b"\0") + b"n+1\0", "a NIfTI volume: export its slices as DICOM"),
        (struct.pack(">i", 348).ljust(344, b"\0") + b"n+1\0", "a NIfTI volume"),
        (b"NRRD0004\ntype: short\n", "an NRRD volume"),
        (b"ObjectType = Image\nNDims = 3\n", "a MetaImage volume"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1", "a picture in the form HEIC: save it as PNG"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "a video"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
        (b"7z\xbc\xaf'\x1c\0\4", "a 7-Zip archive: unpack it, and give the folder"),
        (b"Rar!\x1a\x07\1\0", "a RAR archive: unpack it"),
        (b"a.dcm".ljust(257, b"\0") + b"ustar\0" + bytes(250), "a tar archive: unpack it"),
        (bytes(0x8001) + b"CD001\1", "an image of a disc"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an Office document"),
        (b"PK\x03\x04".ljust(30, b"\0") + b"[Content_Types].xml", "an Office document"),
        (b"PK\x03\x04".ljust(30, b"\0") + b"mimetypeapplication/vnd.oasis.opendocument.text", "an Office document"),
        ("Größe der Läsion".encode(), "a text file"),
        ("تقرير طبي ".encode() * 200, "a text file"),
        ("a report".encode("utf-16"), "a text file"),
        (bytes(range(256)), "of a kind not known"),
    ],
)
def test_other_files_are_named(content, message):
    with pytest.raises(LungCNNError, match=message) as caught:
        load_slice(content)
    assert "Accepted are CT slices as DICOM" in str(caught.value)
    if content and not content.startswith(b"PK"):
        assert message in read_series([content]).set_aside[0].reason.message


@pytest.mark.parametrize("kind", [".png", ".jpg", ".tiff", ".bmp", ".webp"])
def test_damaged_pictures(kind):
    whole = cv2.imencode(kind, GREY)[1].tobytes()
    with pytest.raises(UnreadableFileError, match="damaged or cut short"):
        load_slice(whole[:20])


def test_picture_bomb_is_refused_by_its_header():
    stream = io.BytesIO()
    Image.new("1", (30000, 30000)).save(stream, "PNG")
    with pytest.raises(UnsupportedFileError, match="more than 16 megapixels"):
        load_slice(stream.getvalue())


def test_too_small():
    with pytest.raises(UnsupportedFileError, match="8 x 9 pixels"):
        load_slice(png(np.zeros((8, 9), np.uint8)))


def test_float_picture_is_refused():
    with pytest.raises(UnsupportedFileError, match="float32"):
        load_slice(cv2.imencode(".tiff", HU)[1].tobytes())


def test_sources(tmp_path: Path):
    file = tmp_path / "a name that lies.txt"
    file.write_bytes(dicom_bytes(RAMP))
    for source in (file, str(file), file.read_bytes(), bytearray(file.read_bytes()), io.BytesIO(file.read_bytes())):
        np.testing.assert_array_equal(load_slice(source).hu, HU)
    with pytest.raises(UnreadableFileError, match="no such file"):
        load_slice(tmp_path / "missing.dcm")
    with pytest.raises(UnsupportedFileError, match="folder"):
        load_slice(tmp_path)
    with pytest.raises(UnsupportedFileError, match="received int"):
        load_slice(3)
    with pytest.raises(UnsupportedFileError, match="binary mode"):
        load_slice(io.StringIO("text"))
    with pytest.raises(UnreadableFileError, match="valid file name"):
        load_slice("nul\0byte")


def test_slice_is_frozen():
    loaded = CTSlice(hu=HU)
    with pytest.raises(ValueError, match="read-only"):
        loaded.hu[0, 0] = 0
    with pytest.raises(AttributeError):
        loaded.spacing = (1, 1)


def slice_or_sentence(content: bytes):
    try:
        return load_slice(content), None
    except LungCNNError as error:
        return None, str(error)


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=400), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"BM", b"\x08\0"])
)
def test_any_bytes_give_a_slice_or_a_sentence(content, head):
    _, sentence = slice_or_sentence(head + content)
    assert sentence is None or sentence.endswith(".")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=12), st.integers(0, 4400))
def test_mutated_dicom_gives_a_slice_or_a_sentence(changes, length):
    raw = bytearray(dicom_bytes(RAMP))
    for position, value in changes:
        raw[position % len(raw)] = value
    loaded, sentence = slice_or_sentence(bytes(raw[: max(length, 300)]))
    if loaded:
        assert np.isfinite(loaded.hu).all()
    else:
        assert sentence.endswith(".")
        assert "MARKER" not in sentence


def test_pydicom_repeats_no_header_values(recwarn, caplog):
    raw = dicom_bytes(RAMP).replace(b"CT\x10\x00\x10\x00PN", b"CT\x10\x00\x10\x00UI")
    load_slice(raw.replace(b"1.2.840.10008.5.1.4.1.1.2\0", b"1.2.MARKER.08.5.1.4.1.1.2\0"))
    assert "MARKER" not in caplog.text + " ".join(str(w.message) for w in recwarn)


def test_sniff_reads_bytes_not_names():
    assert sniff(dicom_bytes(RAMP)) == "dicom"
    assert sniff(png(GREY)) == "png"
    assert sniff(b"RIFF\0\0\0\0WEBPVP8 ") == "webp"
    assert sniff(b"just text") is None


@pytest.mark.parametrize("spacing", [(0, 0), (-1, 1), (1,), (float("nan"), 1), ("a", "b"), 1.0])
def test_a_spacing_that_is_none_is_told(spacing):
    with pytest.raises(UnsupportedFileError, match="two positive numbers"):
        CTSlice(hu=HU, spacing=spacing)
