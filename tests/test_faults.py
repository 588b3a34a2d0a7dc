"""The inputs in ../shared/faults, which failed once, and their right answers, with the model that ships."""

import pytest

# What the uncompressed phantom gives: see ../shared/faults/README.md.
MALIGNANT, PEAK = 0.9994, (159, 262.2)
AS_THE_PHANTOM = {
    "pixelspacing_one_value.dcm": "no_spacing",
    "highbit15_12bit.dcm": None,
    "frames_zero.dcm": None,
    "mono1_padding_signed.dcm": None,
    "missing_PixelRepresentation.dcm": "sign_assumed",
    "jpegext12.dcm": None,
    "bot_wrong.dcm": None,
    "no_seq_delimiter.dcm": None,
    "deflated_no_group_length.dcm": None,
    "japanese_h31.dcm": None,
    "deeplesion16.png": "offset_32768",
    "minmax_padded.png": "window_corrected",
    "exif3.png": "exif_orientation",
    "bmp32_v4_alpha0.bmp": "assumed_window",
}
ERRORS = {
    "empty_pixeldata.dcm": "holds no pixels",
    "tiff_zstd.tif": "not supported",
    "mutated_syntax_list.dcm": "damaged",
    "mutated_syntax_text.dcm": "damaged",
    "mutated_jpeg_lossless_abort.dcm": "damaged",
}


def reports(pipeline, content: bytes) -> list:
    return list(pipeline.run_file(content, checks=False))


@pytest.mark.data
@pytest.mark.parametrize("name", AS_THE_PHANTOM)
def test_answered_as_the_phantom(shipped, faults, name):
    (report,) = reports(shipped, faults(name))
    assert report.probabilities["malignant"] == pytest.approx(MALIGNANT, abs=0.005)
    assert report.explanation.peak_xy == pytest.approx(PEAK, abs=1)
    assert AS_THE_PHANTOM[name] in {None, *(warning.code for warning in report.warnings)}


@pytest.mark.data
@pytest.mark.parametrize("name", ["exif2.jpg", "exif3.jpg"])
def test_pictures_are_turned_as_exif_says(shipped, faults, name):
    (report,) = reports(shipped, faults(name))
    assert report.probabilities["malignant"] == pytest.approx(MALIGNANT, abs=0.005)
    assert report.explanation.peak_xy == pytest.approx((160.6, 261.2), abs=1)


@pytest.mark.data
@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_a_record(shipped, faults, name):
    (report,) = reports(shipped, faults(name))
    assert report.status == "error"
    assert ERRORS[name] in report.reasons[0].message


@pytest.mark.data
def test_pages_and_frames_are_all_judged(shipped, faults):
    from lungcnn import read_series

    assert len(reports(shipped, faults("stack7.tif"))) == 7
    (series,) = read_series({"stack7.tif": faults("stack7.tif")}).series
    report = shipped.run_series(series)
    assert (len(report.slices), report.findings, report.reasons[0].code) == (7, (), "list_of_pictures")
    (series,) = read_series(faults("enhanced_900x22.dcm")).series
    assert (len(series), {report.reasons[0].code for report in shipped.run_series(series).slices}) == (
        900,
        {"too_small"},
    )


@pytest.mark.data
def test_mutated_members_of_an_archive_are_records(shipped, faults):
    from lungcnn import read_series

    for series in read_series(faults("mutated_series.zip")).series:
        assert {report.status for report in shipped.run_series(series).slices} <= {"ok", "refused", "error"}
