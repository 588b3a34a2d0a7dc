"""Pages, planes, orientations and odd encodings of pictures, each with the right levels."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps, TiffImagePlugin

from lungcnn.errors import UnreadableFileError, UnsupportedFileError
from lungcnn.gate.examine import examine
from lungcnn.reading.loading import FileHere, iter_slices, load_slice
from lungcnn.reading.series_reader import read_series
from lungcnn.windowing import to_grey

GREY = (np.arange(40 * 48).reshape(40, 48) % 251).astype(np.uint8)
SMOOTH = cv2.GaussianBlur(GREY, (0, 0), 5)
HIGH_QUALITY = {"JPEG": {"quality": 98}, "PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}}


def saved(kind: str, *pages: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    first, *others = [Image.fromarray(page) for page in pages]
    if others:
        options |= {"save_all": True, "append_images": others}
    first.save(stream, kind, **options)
    return stream.getvalue()


def levels(loaded) -> np.ndarray:
    return to_grey(loaded.hu)


def codes(loaded) -> list[str]:
    return [warning.code for warning in loaded.warnings]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("number", range(1, 9))
def test_orientation_is_heeded(kind, number):
    exif = Image.Exif()
    exif[0x0112] = number
    content = saved(kind, SMOOTH, exif=exif, **HIGH_QUALITY[kind])
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("L"))
    loaded = load_slice(content)
    assert levels(loaded).shape == upright.shape
    np.testing.assert_allclose(levels(loaded).astype(int), upright.astype(int), atol=2)
    if kind != "TIFF":
        assert ("exif_orientation" in codes(loaded)) == (number > 1)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_each_page_is_a_frame(kind):
    pages = [GREY, 255 - GREY, GREY // 2]
    found = list(iter_slices(saved(kind, *pages, **HIGH_QUALITY[kind])))
    for index, (loaded, page) in enumerate(zip(found, pages, strict=True)):
        np.testing.assert_array_equal(levels(loaded), page)
        assert (loaded.frame, loaded.frames) == (index, 3)
        assert loaded.warnings[-1].message == f"Frame {index + 1} of 3."
    (series,) = read_series({"stack": saved(kind, *pages, **HIGH_QUALITY[kind])}).series
    assert [one.frame for one in series.slices] == [0, 1, 2]
    np.testing.assert_array_equal(levels(series.slices[1].read()), pages[1])


def test_a_thumbnail_in_a_tiff_is_no_page():
    stream = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(stream) as out:
        Image.fromarray(GREY).save(out, "TIFF")
        out.newFrame()
        Image.fromarray(GREY[::2, ::2]).save(out, "TIFF", tiffinfo={254: 1})
    assert codes(load_slice(stream.getvalue())) == ["assumed_window"]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_planes_of_an_imagej_stack_behind_one_page(dtype):
    planes = [(GREY.astype(dtype) * (257 if dtype == np.uint16 else 1)) // part for part in (1, 2, 3)]
    content = saved("TIFF", planes[0], tiffinfo={270: "ImageJ=1.54f\nimages=3\nslices=3\n"})
    with TiffImagePlugin.TiffImageFile(io.BytesIO(content)) as image:
        end = image.tag_v2[273][0] + planes[0].nbytes
    content = content[:end] + b"".join(plane.tobytes() for plane in planes[1:])
    found = list(iter_slices(content))
    for loaded, plane in zip(found, planes, strict=True):
        np.testing.assert_allclose(loaded.hu, plane / np.iinfo(dtype).max * 1500 - 1250, atol=0.05)
    with pytest.raises(UnreadableFileError):
        load_slice(content[:-10], frame=2)


def test_pages_beyond_reason_are_refused(monkeypatch):
    monkeypatch.setattr("lungcnn.reading.picture_layout.MAX_PAGES", 2)
    with pytest.raises(UnsupportedFileError, match="more than 2 pages"):
        FileHere(saved("TIFF", GREY, GREY, GREY))


def test_hu_counted_from_32768_are_hu(phantom):
    stored = np.round(phantom.hu + 32768).astype(np.uint16)
    stored[:4] = 0
    loaded = load_slice(cv2.imencode(".png", stored)[1].tobytes())
    np.testing.assert_allclose(loaded.hu[4:], np.round(phantom.hu[4:]))
    assert (loaded.hu[:4] == -1024).all()
    assert codes(loaded) == ["offset_32768"]
    examination = examine(loaded)
    assert (examination.refusal, examination.ct_slice is loaded) == (None, True)


def test_full_16_bits_are_not_taken_for_hu(phantom):
    levels16 = np.round((phantom.hu.clip(-1250, 250) + 1250) / 1500 * 65535).astype(np.uint16)
    loaded = load_slice(cv2.imencode(".png", levels16)[1].tobytes())
    np.testing.assert_allclose(loaded.hu, phantom.hu.clip(-1250, 250), atol=0.05)


@pytest.mark.parametrize("padding", [-2000, -3024])
def test_exports_from_the_padding_to_the_brightest_are_judged(phantom, padding):
    hu = phantom.hu.copy()
    rows, columns = np.indices(hu.shape)
    hu[(rows - 255.5) ** 2 + (columns - 255.5) ** 2 > 256**2] = padding
    grey = np.round((hu - padding) / (hu.max() - padding) * 255).astype(np.uint8)
    examination = examine(load_slice(cv2.imencode(".png", grey)[1].tobytes()))
    assert (examination.refusal, codes(examination)) == (None, ["window_corrected"])
    inside = phantom.body_mask
    assert np.abs(examination.ct_slice.hu - phantom.hu)[inside].mean() < 45


def test_an_alpha_of_0_everywhere_is_opaque():
    rgba = cv2.cvtColor(GREY, cv2.COLOR_GRAY2BGRA)
    rgba[..., 3] = 0
    np.testing.assert_array_equal(levels(load_slice(cv2.imencode(".png", rgba)[1].tobytes())), GREY)


def test_a_compression_that_is_not_supported_is_named():
    try:
        content = saved("TIFF", GREY, compression="zstd")
    except (OSError, KeyError, RuntimeError):
        pytest.skip("this Pillow can't write ZSTD")
    with pytest.raises(UnsupportedFileError, match=r"compression \(zstd\) is not supported"):
        load_slice(content)


def tiff(levels: np.ndarray, numbers: int = 1, photometric: int = 1, bits: int = 0, order: str = "<") -> bytes:
    """A TIFF of one uncompressed strip, by the specification (6.0, section 2)."""
    strip = levels.astype(levels.dtype.newbyteorder(order)).tobytes()
    rows, columns = levels.shape
    tags = {256: columns, 257: rows, 258: bits or levels.dtype.itemsize * 8, 259: 1, 262: photometric, 273: 8,
            277: 1, 278: rows, 279: len(strip), 339: numbers}  # fmt: skip
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8 + len(strip))
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags.items())
    return head + strip + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


# Pillow knows no big-endian pages of 16 bits of which 0 is white.
@pytest.mark.parametrize(("dtype", "order"), [(np.uint8, "<"), (np.uint8, ">"), (np.uint16, "<")])
def test_levels_of_which_0_is_white_are_turned_round(dtype, order):
    top = np.iinfo(dtype).max
    levels = (GREY.astype(dtype) * (257 if dtype == np.uint16 else 1)).astype(dtype)
    for photometric, stored in ((1, levels), (0, top - levels)):
        loaded = load_slice(tiff(stored, photometric=photometric, order=order))
        np.testing.assert_allclose(loaded.hu, levels / top * 1500 - 1250, atol=0.01)


def test_planes_of_an_imagej_stack_of_which_0_is_white():
    planes = [GREY, GREY // 2]
    content = saved("TIFF", planes[0], tiffinfo={270: "ImageJ=1.54f\nimages=2\nslices=2\n", 262: 0})
    with TiffImagePlugin.TiffImageFile(io.BytesIO(content)) as image:
        assert image.tag_v2[262] == 0  # Pillow turned it round
        end = image.tag_v2[273][0] + GREY.size
    found = list(iter_slices(content[:end] + (255 - planes[1]).tobytes()))
    np.testing.assert_array_equal([levels(loaded) for loaded in found], planes)


def test_big_tiff_is_read():
    for page in (GREY, GREY.astype(np.uint16) * 257):
        loaded = load_slice(saved("TIFF", page, big_tiff=True))
        np.testing.assert_array_equal(levels(loaded), GREY)
    assert len(list(iter_slices(saved("TIFF", GREY, GREY, big_tiff=True)))) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (tiff(SMOOTH.astype(np.float64), 3), "64-bit floating-point"),
        (tiff(SMOOTH.astype(np.float16), 3), "16-bit floating-point"),
        (tiff(SMOOTH.astype(np.float32), 3), "float32"),
        (tiff(SMOOTH.astype(np.int16), 2), "int16"),
        (tiff(GREY, bits=4), "4-bit unsigned"),
    ],
)
def test_numbers_that_are_no_grey_levels_are_named(content, said):
    with pytest.raises(UnsupportedFileError, match=f"holds {said} values; accepted are 8- and 16-bit"):
        load_slice(content)


def test_a_jpeg_of_another_kind_is_named():
    import pydicom
    from conftest import dicom_bytes

    ds = pydicom.dcmread(io.BytesIO(dicom_bytes(GREY.astype(np.uint16))))
    ds.compress(pydicom.uid.JPEGLSLossless)
    with pytest.raises(UnsupportedFileError, match="The JPEG is JPEG-LS"):
        load_slice(next(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1)))
    whole = saved("JPEG", SMOOTH)
    place = whole.index(b"\xff\xc0")
    for change, said in ((b"\xff\xc3\0\x0b\x08", "lossless"), (b"\xff\xc1\0\x0b\x0c", "of 12 bits")):
        with pytest.raises(UnsupportedFileError, match=f"The JPEG is {said}"):
            load_slice(whole[:place] + change + whole[place + 5 :])
