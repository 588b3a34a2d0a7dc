import io
import zipfile

import numpy as np
import pytest
from conftest import dicom_bytes
from hypothesis import given, settings, strategies as st

from lungcnn.errors import UnreadableFileError, UnsupportedFileError
from lungcnn.reading.loading import load_slice
from lungcnn.reading.series_reader import read_series

AXIAL = [1, 0, 0, 0, 1, 0]
CORONAL = [1, 0, 0, 0, 0, -1]


def ct(z, level=None, uid="1.2.3", orientation=AXIAL, **elements) -> bytes:
    """A tiny slice at height z whose stored values all are `level` (default: z)."""
    stored = np.full((32, 32), 100 + (z if level is None else level), np.uint16)
    place = {"ImagePositionPatient": [0, 0, z], "ImageOrientationPatient": orientation, "SeriesInstanceUID": uid}
    return dicom_bytes(stored, **{name: value for name, value in {**place, **elements}.items() if value is not None})


def levels(series) -> list[int]:
    return [int(one.read().hu[0, 0]) + 1024 - 100 for one in series.slices]


def codes(items) -> list[str]:
    return sorted(getattr(item, "reason", item).code for item in items)


def packed(files: dict) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(6)))
def test_order_is_that_of_positions_whatever_names_and_numbers_say(order):
    files = {f"{rank}.dcm": ct(5 * z, InstanceNumber=(7 * z) % 6) for rank, z in enumerate(order)}
    (series,) = read_series(files).series
    assert levels(series) == [0, 5, 10, 15, 20, 25]
    assert series.positions == (0, 5, 10, 15, 20, 25)
    assert (series.spacing_mm, series.gaps, series.notes, series.set_aside) == (5.0, (), (), ())


def test_positions_grow_towards_the_head_for_every_way_to_lie_and_tilt():
    turned = [-1, 0, 0, 0, 1, 0]  # the normal points to the feet
    (series,) = read_series([ct(z, orientation=turned) for z in (9, 3, 6)]).series
    assert levels(series) == [3, 6, 9]
    tilt = np.radians(20)
    tilted = [1, 0, 0, 0, np.cos(tilt), np.sin(tilt)]
    (series,) = read_series([ct(z, orientation=[f"{v:.6f}" for v in tilted]) for z in (9, 3, 6)]).series
    assert levels(series) == [3, 6, 9]
    assert series.spacing_mm == pytest.approx(3 * np.cos(tilt), abs=1e-3)


def test_series_are_told_apart_and_no_uid_is_kept():
    files = [ct(z, uid="1.2.777") for z in (0, 5)] + [ct(z, uid="1.2.888") for z in (0, 5, 10)]
    reading = read_series(files)
    assert [len(series) for series in reading.series] == [3, 2]
    assert "777" not in repr(reading)
    assert "MARKER" not in repr(reading)


def test_localizers_and_projections_are_set_aside_with_a_reason():
    files = [ct(z) for z in (0, 5, 10)]
    files.append(ct(40, orientation=CORONAL))
    files.append(ct(50, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    files.append(ct(60, ImageType=["DERIVED", "SECONDARY", "MIP"]))
    files.append(b"not a slice")
    files.append(dicom_bytes(np.zeros((32, 32), np.uint16), Modality="MR"))
    reading = read_series(files)
    (series,) = reading.series
    assert levels(series) == [0, 5, 10]
    assert {item.item: item.reason.code for item in series.set_aside} == {
        3: "not_axial", 4: "localizer", 5: "projection",
    }  # fmt: skip
    assert "90 degrees" in series.set_aside[[i.item for i in series.set_aside].index(3)].reason.message
    assert codes(series.notes) == ["localizer", "not_axial", "projection"]
    assert {item.item: item.reason.code for item in reading.set_aside} == {6: "unsupported", 7: "not_ct"}


def test_a_series_of_localizers_alone_is_none():
    reading = read_series([ct(0, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])])
    assert reading.series == ()
    assert codes(reading.set_aside) == ["localizer"]


def test_gaps_and_mixed_distances_are_told():
    (series,) = read_series([ct(z) for z in (0, 5, 10, 30, 35, 40)]).series
    assert [(gap.after, gap.mm) for gap in series.gaps] == [(2, 20.0)]
    assert [note.code for note in series.notes] == ["gap"]
    assert "after slice 3, about 3 slices" in series.notes[0].message
    (series,) = read_series([ct(z) for z in (0, 5, 11, 16)]).series
    assert codes(series.notes) == ["mixed_spacing"]
    assert "5.00 to 6.00 mm" in series.notes[0].message
    (series,) = read_series([ct(z, SliceThickness=1 + z % 2) for z in range(4)]).series
    assert codes(series.notes) == ["mixed_thickness"]


def test_duplicates_are_dropped_and_other_slices_at_a_place_are_told():
    twice = ct(5)
    reading = read_series([ct(0), twice, twice, ct(5), ct(10), ct(10, level=77)])
    (series,) = reading.series
    assert levels(series) == [0, 5, 10]
    assert {item.item: item.reason.code for item in series.set_aside} == {
        2: "duplicate", 3: "duplicate", 5: "same_position",
    }  # fmt: skip


def test_two_acquisitions_under_one_uid_become_two_series():
    files = [ct(z, AcquisitionNumber=1) for z in (0, 5, 10)] + [ct(z, 50, AcquisitionNumber=2) for z in (0, 5)]
    first, second = read_series(files).series
    assert (levels(first), levels(second)) == ([0, 5, 10], [50, 50])


def test_an_enhanced_multi_frame_object_is_a_series():
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    def frame_at(z):
        group, place, orientation = Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient, orientation.ImageOrientationPatient = [0, 0, z], AXIAL
        group.PlanePositionSequence, group.PlaneOrientationSequence = Sequence([place]), Sequence([orientation])
        return group

    places = [20, 0, 10]
    stored = np.stack([np.full((32, 32), 100 + z, np.uint16) for z in places])
    groups = Sequence([frame_at(z) for z in places])
    data = dicom_bytes(stored, SeriesInstanceUID="1.2", PerFrameFunctionalGroupsSequence=groups)
    (series,) = read_series(data).series
    assert levels(series) == [0, 10, 20]
    assert [one.frame for one in series.slices] == [1, 2, 0]
    assert series.spacing_mm == 10


def test_without_positions_the_numbers_count_and_it_is_said():
    files = [ct(0, level, ImagePositionPatient=None, InstanceNumber=n) for level, n in ((1, 30), (2, 4), (3, 20))]
    (series,) = read_series(files).series
    assert levels(series) == [2, 3, 1]
    assert (series.positions, codes(series.notes)) == ((None,) * 3, ["no_position"])


def test_pictures_come_in_the_natural_order_of_their_names():
    import cv2

    def picture(level):
        return cv2.imencode(".png", np.full((32, 32), level, np.uint8))[1].tobytes()

    files = {"slice10.png": picture(30), "slice9.png": picture(20), "Slice1.png": picture(10), "copy.png": picture(20)}
    (series,) = read_series(packed(files)).series
    assert [one.name for one in series.slices] == ["copy.png", "Slice1.png", "slice10.png"]
    assert series.kind == "picture"
    assert codes(series.notes) == ["duplicate", "order_of_names"]


@pytest.mark.parametrize("as_path", [False, True])
def test_a_zip_is_read_in_memory_and_names_cannot_climb(tmp_path, as_path):
    names = ["../../climb.dcm", "/absolute.dcm", "b/deep.dcm", "__MACOSX/b/._deep.dcm", "DICOMDIR"]
    files = {name: ct(5 * index) for index, name in enumerate(names)}
    files["inner.zip"], files["note.txt"] = packed({"a.dcm": ct(99)}), b"a note"
    source = packed(files)
    if as_path:
        (tmp_path / "study").mkdir()
        (tmp_path / "study" / "all.bin").write_bytes(source)
        source = tmp_path / "study" / "all.bin"
    reading = read_series(source)
    (series,) = reading.series
    assert levels(series) == [0, 5, 10]
    assert sorted(item.reason.message[:20] for item in reading.set_aside) == [
        "An archive inside wh",
        "This file is a text ",
    ]
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["all.bin"] * as_path


def test_archives_that_are_too_much_are_refused_before_they_are_unpacked(monkeypatch):
    monkeypatch.setattr("lungcnn.reading.zip_archive.MAX_MEMBERS", 3)
    with pytest.raises(UnsupportedFileError, match="holds 4 files; accepted are up to 3"):
        read_series(packed({str(i): b"x" for i in range(4)}))
    monkeypatch.setattr("lungcnn.reading.zip_archive.MAX_UNPACKED", 2 * 2**20)
    bomb = packed({"bomb.dcm": bytes(3 * 2**20)})
    assert len(bomb) < 10_000
    with pytest.raises(UnsupportedFileError, match="unpacks to 3 MiB; accepted are up to 2 MiB"):
        read_series(bomb)


def test_damaged_and_encrypted_members_are_told_and_do_not_stop_the_rest():
    whole = packed({"a.dcm": ct(0), "b.dcm": ct(5), "c.dcm": ct(10)})
    at = whole.index(b"b.dcm") + 40
    damaged = whole[:at] + bytes(60) + whole[at + 60 :]
    reading = read_series(damaged)
    assert [levels(series) for series in reading.series] == [[0, 10]]
    assert codes(reading.set_aside) == ["unreadable"]
    entry = whole.index(b"PK\x01\x02")
    encrypted = bytearray(whole)
    encrypted[entry + 8] |= 1
    assert "encrypted" in read_series(bytes(encrypted)).set_aside[0].reason.message
    with pytest.raises(UnreadableFileError, match="damaged or cut short"):
        read_series(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    ("source", "message"),
    [("/nowhere/at/all", "no such file"), ([], "No files were given"), (5, "received int"), ({}, "No files")],
)
def test_what_is_no_source_is_told(source, message):
    with pytest.raises((UnsupportedFileError, UnreadableFileError), match=message):
        read_series(source)


def test_a_folder_and_a_single_file_and_streams(tmp_path):
    for z in (10, 0):
        (tmp_path / f"{z}.dcm").write_bytes(ct(z))
    (series,) = read_series(tmp_path).series
    assert levels(series) == [0, 10]
    (series,) = read_series(tmp_path / "10.dcm").series
    assert levels(series) == [10]
    (series,) = read_series([io.BytesIO(ct(3)), ct(1)]).series
    assert levels(series) == [1, 3]
    assert np.array_equal(series.slices[0].read().hu, load_slice(ct(1)).hu)


@pytest.mark.data
def test_a_real_series(data):
    (series,) = read_series(data / "lidc-0001").series
    assert (len(series), series.spacing_mm, series.gaps, series.notes) == (133, 2.5, (), ())
    assert (series.positions[0], series.positions[-1]) == (-340.0, -10.0)


# ---------------------------------------------------------------- what places and parts slices where files are poor


UNNAMED = {"uid": None, "StudyInstanceUID": "1.7", "FrameOfReferenceUID": "1.8"}


@pytest.mark.parametrize(
    "other",
    [
        {"PatientID": "MARKER-2"},
        {"StudyInstanceUID": "1.9"},
        {"FrameOfReferenceUID": "1.9"},
        {"SeriesNumber": 2},
        {"ConvolutionKernel": "B80f"},
        {"orientation": CORONAL},
    ],
)
def test_without_series_uid_what_differs_within_no_series_parts_them(other):
    first = [ct(z, **UNNAMED) for z in (0, 5, 10)]
    second = [ct(z, 50, **{**UNNAMED, **other}) for z in (1, 6)]
    reading = read_series(first + second)
    if "orientation" in other:
        assert [levels(series) for series in reading.series] == [[0, 5, 10]]
        assert codes(reading.set_aside) == ["not_axial"] * 2
    else:
        assert [levels(series) for series in reading.series] == [[0, 5, 10], [50, 50]]
    assert "MARKER" not in repr(reading)


def test_without_series_uid_folders_and_sizes_part_series():
    first = {f"A/{z}.dcm": ct(z, **UNNAMED) for z in (0, 5, 10)}
    second = {f"B/{z}.dcm": ct(z, 50, **UNNAMED) for z in (1, 6)}
    assert [levels(series) for series in read_series(first | second).series] == [[0, 5, 10], [50, 50]]
    place = {"ImagePositionPatient": [0, 0, 3], "ImageOrientationPatient": AXIAL, "StudyInstanceUID": "1.7"}
    larger = dicom_bytes(np.full((40, 40), 130, np.uint16), FrameOfReferenceUID="1.8", **place)
    assert [len(series) for series in read_series([*first.values(), larger]).series] == [3, 1]


def test_two_patients_under_one_uid_are_two_series():
    files = [ct(z) for z in (0, 5, 10)] + [ct(z, 50, PatientID="MARKER-2") for z in (1, 6)]
    assert [levels(series) for series in read_series(files).series] == [[0, 5, 10], [50, 50]]


def test_all_slices_at_one_position_are_in_the_order_of_location_or_number():
    at_one = {"ImagePositionPatient": [0, 0, 7]}
    heights = (15, 0, 10, 5)
    (series,) = read_series([ct(z, SliceLocation=z, **at_one) for z in heights]).series
    assert (levels(series), series.positions) == ([0, 5, 10, 15], (0, 5, 10, 15))
    assert codes(series.notes) == ["slice_location"]
    (series,) = read_series([ct(z, InstanceNumber=9 - z, **at_one) for z in heights]).series
    assert (levels(series), series.positions) == ([15, 10, 5, 0], (None,) * 4)
    assert "order of their numbers" in series.notes[0].message
    assert series.set_aside == ()


def test_one_instance_uid_with_different_pixels_is_no_duplicate():
    same = {"SOPInstanceUID": "1.2.3.4"}
    (series,) = read_series([ct(0, **same), ct(5, **same), ct(5, **same), ct(10, **same)]).series
    assert levels(series) == [0, 5, 10]
    assert codes(series.set_aside) == ["duplicate"]
    no_place = {"ImagePositionPatient": None, **same}
    (series,) = read_series([ct(0, 1, **no_place), ct(0, 2, **no_place), ct(0, 2, **no_place)]).series
    assert levels(series) == [1, 2]


@pytest.mark.parametrize("number", [None, 1])
def test_heights_and_locations_order_slices_where_orientation_or_position_are_missing(number):
    heights = (15, 0, 10, 5)
    (series,) = read_series([ct(z, orientation=None, InstanceNumber=number) for z in heights]).series
    assert (levels(series), series.positions, codes(series.notes)) == (
        [0, 5, 10, 15],
        (0, 5, 10, 15),
        ["assumed_axial"],
    )
    files = [ct(z, ImagePositionPatient=None, SliceLocation=z, InstanceNumber=number) for z in heights]
    (series,) = read_series(files).series
    assert (levels(series), series.spacing_mm, codes(series.notes)) == ([0, 5, 10, 15], 5, ["slice_location"])
    (series,) = read_series([ct(z, ImagePositionPatient=None, InstanceNumber=number) for z in heights]).series
    assert levels(series) == list(heights)
    assert "order of their names" in series.notes[0].message


def test_locations_that_grow_towards_the_feet_are_turned_by_the_positions_that_are_known():
    files = [ct(z, SliceLocation=-z, ImagePositionPatient=[0, 0, z] if z < 10 else None) for z in (15, 0, 10, 5)]
    (series,) = read_series(files).series
    assert (levels(series), series.positions) == ([0, 5, 10, 15], (0, 5, 10, 15))


def test_phases_over_the_same_places_are_series_of_their_own():
    files = [ct(z, 10 * phase + z, InstanceNumber=10 * phase + z) for phase in (1, 2, 3) for z in (0, 5)]
    found = read_series(files).series
    assert [levels(series) for series in found] == [[10, 15], [20, 25], [30, 35]]
    assert all(series.set_aside == () for series in found)


def test_axial_reformats_are_slices_of_their_series():
    files = [ct(z, ImageType=["DERIVED", "SECONDARY", "REFORMATTED"]) for z in (10, 0, 5)]
    (series,) = read_series(files).series
    assert (levels(series), series.notes) == ([0, 5, 10], ())


def test_a_zip_with_backslashes_has_folders():
    import cv2

    files = {f"{folder}\\{z}.png": cv2.imencode(".png", np.full((32, 32), z, np.uint8))[1].tobytes()
             for folder in "AB" for z in range(3 if folder == "A" else 2)}  # fmt: skip
    files["A\\"] = b""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo("placeholder")
            info.filename = name
            archive.writestr(info, content)
    reading = read_series(stream.getvalue())
    assert [[one.name for one in series.slices] for series in reading.series] == [
        ["A/0.png", "A/1.png", "A/2.png"],
        ["B/0.png", "B/1.png"],
    ]
    assert reading.set_aside == ()


def test_a_zip_of_a_thin_slice_chest_is_read():
    noise = np.random.default_rng(0).integers(0, 2000, (512, 512)).astype(np.uint16)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for z in range(700):
            place = {"ImagePositionPatient": [0, 0, z / 2], "ImageOrientationPatient": AXIAL}
            archive.writestr(f"{z}.dcm", dicom_bytes(noise, SeriesInstanceUID="1.2", **place))
    (series,) = read_series(stream.getvalue()).series
    assert (len(series), series.spacing_mm) == (700, 0.5)


def test_pictures_are_a_list():
    import cv2

    picture = cv2.imencode(".png", np.full((32, 32), 9, np.uint8))[1].tobytes()
    (series,) = read_series({"a.png": picture}).series
    assert (series.kind, series.ordered) == ("picture", False)
    (series,) = read_series([ct(0)]).series
    assert (series.kind, series.ordered) == ("dicom", True)


def test_a_damaged_picture_in_an_archive_is_a_record_of_its_own():
    import cv2

    noise = np.random.default_rng(0).integers(0, 255, (3, 64, 64)).astype(np.uint8)
    whole = packed({f"{index}.png": cv2.imencode(".png", page)[1].tobytes() for index, page in enumerate(noise)})
    at = whole.index(b"1.png") + 1000
    (series,) = read_series(whole[:at] + bytes(40) + whole[at + 40 :]).series
    assert [one.name for one in series.slices] == ["0.png", "1.png", "2.png"]
    with pytest.raises(UnreadableFileError, match="damaged"):
        series.slices[1].read()
    assert series.slices[2].read().hu.shape == (64, 64)


def test_two_kernels_over_the_same_places_are_series_of_their_own():
    kernels = ("B30f", "B80f")
    files = [ct(z, 40 * k + z, ConvolutionKernel=kernels[k ^ (z == 5)]) for z in (0, 5) for k in (0, 1)]
    assert [levels(series) for series in read_series(files).series] == [[0, 45], [40, 5]]


def test_frames_of_one_file_without_places_keep_their_order():
    (series,) = read_series(dicom_bytes(np.stack([np.full((32, 32), 100 + n, np.uint16) for n in (3, 1, 2)]))).series
    assert levels(series) == [3, 1, 2]
    assert "order of the file" in series.notes[0].message


@pytest.mark.parametrize("places", [{"SliceLocation": "1e308"}, {"SliceLocation": "-2e5"}])
def test_places_beyond_any_scanner_are_none(places):
    files = [ct(0, level, ImagePositionPatient=None, InstanceNumber=level, **places) for level in (2, 1)]
    (series,) = read_series(files).series
    assert (levels(series), series.positions) == ([1, 2], (None, None))
    (series,) = read_series([ct(0), ct(5), ct(0, 9, ImagePositionPatient=[0, 0, "1e300"])]).series
    assert (levels(series), codes(series.set_aside)) == ([0, 5], ["no_position"])


def test_one_of_several_that_can_not_be_opened_is_set_aside(tmp_path):
    whole = packed({"a.dcm": ct(0)})
    (tmp_path / "cut.zip").write_bytes(whole[:-30])
    given = [tmp_path / "missing.dcm", tmp_path / "cut.zip", whole, ct(5)]
    reading = read_series(given)
    assert [levels(series) for series in reading.series] == [[0, 5]]
    said = [item.reason.message for item in reading.set_aside]
    assert said == ["There is no such file. Check the path.", "The zip archive is damaged or cut short. Pack it again."]
    assert read_series({"x": tmp_path / "cut.zip", "y": ct(5)}).set_aside[0].name == "x"
    with pytest.raises(UnreadableFileError, match="damaged or cut short"):
        read_series([tmp_path / "cut.zip"])
