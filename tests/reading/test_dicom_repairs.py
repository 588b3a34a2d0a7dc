"""DICOM files that other readers forgive, each with the right HU; and decoders that die."""

import io
import logging
import os
import struct
import threading
import time

import numpy as np
import pydicom
import pytest
from conftest import dicom_bytes
from pydicom.encaps import encapsulate, generate_frames

from lungcnn.errors import NotCTError, UnreadableFileError, UnsupportedFileError
from lungcnn.reading import reader_process
from lungcnn.reading.damage import told_as_damage
from lungcnn.reading.loading import iter_slices, load_slice
from lungcnn.reading.series_reader import read_series
from lungcnn.windowing import LOWEST_HU

RAMP = (np.arange(40 * 48).reshape(40, 48) % 3000).astype(np.uint16)
HU = RAMP.astype(np.float32) - 1024
BODY = np.full((64, 64), 24, np.int16)
BODY[16:48, 16:48] = 1060


def changed(raw: bytes, change, syntax=None) -> bytes:
    """A file's bytes after `change(dataset)`, compressed where a syntax is given."""
    ds = pydicom.dcmread(io.BytesIO(raw))
    if syntax:
        ds.compress(syntax, encoding_plugin="pylibjpeg" if syntax == pydicom.uid.JPEG2000Lossless else "")
    change(ds)
    stream = io.BytesIO()
    ds.save_as(stream)
    return stream.getvalue()


def jpeg2000(stored=RAMP, change=lambda ds: None) -> bytes:
    return changed(dicom_bytes(stored, bits=12), change, pydicom.uid.JPEG2000Lossless)


def codes(loaded) -> list[str]:
    return [warning.code for warning in loaded.warnings]


@pytest.mark.parametrize(("high", "signed"), [(15, False), (13, False), (11, False), (15, True), (13, True)])
def test_values_in_higher_bits_are_shifted_down(high, signed):
    values = (RAMP % 2000).astype(np.int16) - (1000 if signed else 0)
    stored = (values << (high - 11)).astype(np.int16 if signed else np.uint16)
    loaded = load_slice(dicom_bytes(stored, bits=12, HighBit=high))
    np.testing.assert_array_equal(loaded.hu, values.astype(np.float32) - 1024)


@pytest.mark.parametrize("frames", ["0", "", None])
def test_no_frames_are_one(frames):
    np.testing.assert_array_equal(load_slice(dicom_bytes(RAMP, NumberOfFrames=frames)).hu, HU)


def test_a_wrong_offset_table_is_not_asked():
    def spoil(ds):
        table = struct.pack("<HHII", 0xFFFE, 0xE000, 4, 1234)
        ds.PixelData = table + ds.PixelData[8 + struct.unpack_from("<I", ds.PixelData, 4)[0] :]

    np.testing.assert_array_equal(load_slice(jpeg2000(change=spoil)).hu, HU)

    def spoil_many(ds):
        frames = list(generate_frames(ds.PixelData, number_of_frames=2))
        whole = encapsulate(frames, has_bot=False)
        ds.PixelData = struct.pack("<HHIII", 0xFFFE, 0xE000, 8, 0, 77) + whole[8:]

    found = list(iter_slices(jpeg2000(np.stack([RAMP, RAMP + 1]), spoil_many)))
    np.testing.assert_array_equal([loaded.hu for loaded in found], [HU, HU + 1])


def test_a_frame_in_several_fragments():
    def split(ds):
        (frame,) = generate_frames(ds.PixelData, number_of_frames=1)
        ds.PixelData = encapsulate([frame], fragments_per_frame=3)

    np.testing.assert_array_equal(load_slice(jpeg2000(change=split)).hu, HU)


def test_a_missing_sequence_delimiter_is_forgiven_and_a_cut_frame_is_damage():
    whole = jpeg2000()
    assert whole.endswith(b"\xfe\xff\xdd\xe0\0\0\0\0")
    np.testing.assert_array_equal(load_slice(whole[:-8]).hu, HU)
    with pytest.raises(UnreadableFileError, match="damaged, cut short"):
        load_slice(whole[:-200])


def test_deflated_without_group_length():
    raw = dicom_bytes(RAMP, "1.2.840.10008.1.2.1.99")
    assert raw[132:138] == b"\x02\0\0\0UL"
    np.testing.assert_array_equal(load_slice(raw[:132] + raw[144:]).hu, HU)


@pytest.mark.parametrize("value", [-1500, 200])
def test_a_missing_sign_is_told_by_the_values(value):
    stored = (RAMP % 1000).astype(np.int16) + np.int16(value)
    loaded = load_slice(changed(dicom_bytes(stored), lambda ds: ds.pop("PixelRepresentation")))
    np.testing.assert_array_equal(loaded.hu, stored.astype(np.float32) - 1024)
    assert codes(loaded) == ["sign_assumed"]


def test_missing_attributes_are_named():
    loaded = load_slice(changed(dicom_bytes(RAMP), lambda ds: ds.pop("PhotometricInterpretation")))
    np.testing.assert_array_equal(loaded.hu, HU)
    assert "PhotometricInterpretation" in loaded.warnings[0].message
    for keyword in ("Rows", "Columns", "BitsAllocated", "BitsStored"):
        with pytest.raises(UnreadableFileError, match=keyword):
            load_slice(changed(dicom_bytes(RAMP), lambda ds, keyword=keyword: ds.pop(keyword)))


def test_one_number_of_spacing_is_a_warning():
    loaded = load_slice(dicom_bytes(RAMP, spacing=None, PixelSpacing="0.7"))
    assert (loaded.spacing, codes(loaded)) == (None, ["no_spacing"])


def test_empty_pixel_data_is_told():
    with pytest.raises(UnreadableFileError, match="holds no pixels"):
        load_slice(changed(dicom_bytes(RAMP), lambda ds: setattr(ds, "PixelData", b"")))


@pytest.mark.parametrize("stated", [{}, {"PixelPaddingValue": -2000}])
@pytest.mark.parametrize("padded", [0, 6])
def test_monochrome1_is_not_judged_by_its_padding(padded, stated):
    stored = BODY.copy()
    for part in (np.s_[:padded], np.s_[64 - padded :], np.s_[:, :padded], np.s_[:, 64 - padded :]):
        stored[part] = -2000
    expected = stored.astype(np.float32) - 1024
    inside = stored > -2000
    loaded = load_slice(dicom_bytes(stored, photometric="MONOCHROME1", **stated))
    np.testing.assert_array_equal(loaded.hu[inside], expected[inside])
    assert not stated or (loaded.hu[~inside] == LOWEST_HU).all()
    inverted = np.where(inside, -1 - stored, -2000).astype(np.int16)
    loaded = load_slice(dicom_bytes(inverted, photometric="MONOCHROME1", **stated))
    np.testing.assert_array_equal(loaded.hu[inside], expected[inside])
    assert codes(loaded) == ["inverted_values"]


def test_padding_that_stands_for_water_is_taken_at_the_border_alone():
    stored = BODY - np.int16(1024)
    stored[30:34, 30:34] = 0
    stored[:4] = 0
    loaded = load_slice(dicom_bytes(stored, intercept=0, PixelPaddingValue=0))
    assert (loaded.hu[30:34, 30:34] == 0).all()
    assert (loaded.hu[:4] == LOWEST_HU).all()
    assert codes(loaded) == ["padding_in_tissue"]


def test_a_transfer_syntax_that_is_not_one_is_damage():
    raw = bytearray(dicom_bytes(RAMP))
    place = raw.index(b"1.2.840.10008.1.2.1\0")
    raw[place : place + 20] = b"1.2.840\\10008.1.2.1\0"
    with pytest.raises(UnreadableFileError, match="damaged"):
        load_slice(bytes(raw))
    assert read_series(bytes(raw)).set_aside[0].reason.code == "unreadable"


def test_900_enhanced_frames_are_not_too_many_items():
    from pydicom.dataset import Dataset

    def group(z):
        item = Dataset()
        for number in range(20):
            setattr(item, "PixelMeasuresSequence" if number == 0 else "PlanePositionSequence", [Dataset()])
        item.PlanePositionSequence[0].ImagePositionPatient = [0, 0, z]
        item.DerivationImageSequence = [Dataset() for _ in range(20)]
        return item

    stored = np.zeros((900, 32, 32), np.uint16)
    raw = dicom_bytes(stored, PerFrameFunctionalGroupsSequence=[group(z) for z in range(900)])
    assert raw.count(b"\xfe\xff\x00\xe0") > 20_000
    (series,) = read_series(raw).series
    assert (len(series), series.spacing_mm) == (900, 1)


@pytest.mark.parametrize("vr", ["US", "SL", "DS", "IS", "AT"])
def test_pixels_that_are_a_number_are_told(vr):
    raw = jpeg2000()
    place = raw.index(b"\xe0\x7f\x10\0") + 4
    with pytest.raises(UnreadableFileError, match="not pixels"):
        load_slice(raw[:place] + vr.encode() + b"\x04\0" + b"1234")


def test_a_decoder_that_died_is_started_again():
    content = jpeg2000()
    np.testing.assert_array_equal(load_slice(content).hu, HU)
    process = reader_process._READERS[False]._process
    process.kill()
    process.wait()
    np.testing.assert_array_equal(load_slice(content).hu, HU)


def test_a_decoder_that_nobody_asks_gives_its_memory_back(monkeypatch):
    monkeypatch.setattr(reader_process, "IDLE_S", 0.01)
    reader = reader_process._Reader()
    monkeypatch.setitem(reader_process._READERS, False, reader)
    file = reader_process.FileApart(jpeg2000())
    for _ in range(2):
        while reader._process is not None:
            time.sleep(0.001)
        np.testing.assert_array_equal(file.read(0).hu, HU)


def test_single_files_are_not_read_behind_those_of_a_series():
    content = jpeg2000()
    load_slice(content)
    with reader_process.reading_many():
        np.testing.assert_array_equal(load_slice(content).hu, HU)
    single, many = (reader_process._READERS[of_many]._process.pid for of_many in (False, True))
    assert single != many
    assert os.getpriority(os.PRIO_PROCESS, many) == os.getpriority(os.PRIO_PROCESS, single) + reader_process.NICENESS


def test_who_has_waited_longest_is_next():
    lock, order, go = reader_process._InTurn(), [], threading.Event()

    def work(name):
        with lock:
            order.append(name)
            go.wait()

    threads = []
    for name in "abc":
        threads.append(threading.Thread(target=work, args=(name,)))
        threads[-1].start()
        while len(order) + len(lock._waiting) < len(threads):
            time.sleep(0.001)
    go.set()
    for thread in threads:
        thread.join()
    assert (order, lock._taken) == (["a", "b", "c"], False)


@pytest.mark.data
def test_a_frame_that_aborts_its_decoder_is_a_record(faults):
    with pytest.raises(UnreadableFileError, match="could not be decoded"):
        load_slice(faults("mutated_jpeg_lossless_abort.dcm"))
    np.testing.assert_array_equal(load_slice(jpeg2000()).hu, HU)


def test_what_escapes_becomes_a_sentence_and_its_kind_is_logged(caplog):
    caplog.set_level(logging.WARNING, "lungcnn")
    with pytest.raises(UnreadableFileError, match="A sentence"), told_as_damage("A sentence."):
        raise KeyError("MARKER^NAME")
    assert "KeyError raised in test_dicom_repairs.py" in caplog.text
    assert "MARKER" not in caplog.text
    with pytest.raises(UnsupportedFileError, match="mine"), told_as_damage("A sentence."):
        raise UnsupportedFileError("mine")


def test_one_bad_slice_never_ends_a_series(monkeypatch):
    from lungcnn.gate.prepared import prepare
    from lungcnn.reading.dicom import DicomFile

    files = {str(z): dicom_bytes(RAMP, ImagePositionPatient=[0, 0, z], SeriesInstanceUID="1.2") for z in range(3)}
    (series,) = read_series(files).series

    def broken(*_):
        raise ZeroDivisionError("MARKER")

    monkeypatch.setattr(DicomFile, "_spacing", broken)
    assert [prepare(one.read).error.code for one in series.slices] == ["unreadable"] * 3
    monkeypatch.undo()
    monkeypatch.setattr("lungcnn.gate.upright.find_masks", broken)
    for one in series.slices:
        error = prepare(one.read).error
        assert error.code == "unreadable"
        assert "could not be judged" in str(error)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("less", [2, 20])
@pytest.mark.parametrize("of", ["sequence", "item", "both"])
def test_an_icon_of_another_length_than_it_states_hides_no_image(compressed, undefined, less, of):
    from pydicom.dataset import Dataset

    def add_icon(ds):
        icon = Dataset()
        icon.Rows = icon.Columns = 16
        icon.BitsAllocated, icon.PixelData = 8, bytes(range(256))
        icon["PixelData"].VR = "OB"
        ds.IconImageSequence = [icon]
        icon.is_undefined_length_sequence_item = undefined

    raw = bytearray(jpeg2000(change=add_icon) if compressed else changed(dicom_bytes(RAMP), add_icon))
    start = raw.index(b"\x88\x00\x00\x02SQ") + 8
    for place in {"sequence": [start], "item": [start + 8], "both": [start, start + 8]}[of]:
        (length,) = struct.unpack_from("<I", raw, place)
        if length < 0xFFFFFFFF:
            struct.pack_into("<I", raw, place, length - less)
    np.testing.assert_array_equal(load_slice(bytes(raw)).hu, HU)
    (series,) = read_series(bytes(raw)).series
    np.testing.assert_array_equal(series.slices[0].read().hu, HU)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"])
def test_values_that_are_called_unsigned_and_can_not_be(syntax):
    stored = RAMP.astype(np.int16) - np.int16(1500)
    loaded = load_slice(dicom_bytes(stored, syntax, PixelRepresentation=0))
    np.testing.assert_array_equal(loaded.hu, stored.astype(np.float32) - 1024)
    assert codes(loaded) == ["sign_assumed"]
    loaded = load_slice(changed(dicom_bytes(stored, syntax), lambda ds: ds.pop("PixelRepresentation")))
    np.testing.assert_array_equal(loaded.hu, stored.astype(np.float32) - 1024)
    high = (RAMP.astype(np.int32) - 1024 + 32768).astype(np.uint16)  # HU counted from 32768 are none of these
    loaded = load_slice(dicom_bytes(high, syntax, intercept=-32768))
    np.testing.assert_array_equal(loaded.hu, HU)
    assert codes(loaded) == []


@pytest.mark.parametrize("stated", ["monochrome2", "MONOCHROME2\0", "MONOCHROME", "GREY"])
def test_polarity_in_other_words(stated):
    loaded = load_slice(dicom_bytes(RAMP, photometric=stated))
    np.testing.assert_array_equal(loaded.hu, HU)
    assert codes(loaded) == ([] if "2" in stated else ["polarity_assumed"])
    inverted = load_slice(dicom_bytes(np.int16(-1) - BODY, photometric="monochrome1"))
    assert codes(inverted) == ["inverted_values"]


def floats(ds):
    ds.FloatPixelData = RAMP.astype("<f4").tobytes()
    ds.BitsAllocated = 32
    del ds.PixelData


def table(ds):
    from pydicom.dataset import Dataset

    item = Dataset()
    item.LUTDescriptor = [30_000, 0, 16]
    item.add_new("LUTData", "US", list(range(30_000)))
    ds.ModalityLUTSequence = [item]
    del ds.RescaleSlope, ds.RescaleIntercept


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (dicom_bytes(RAMP, photometric="PALETTE COLOR"), "in colour"),
        (dicom_bytes(RAMP, photometric="RGB"), "in colour"),
        (dicom_bytes(RAMP, photometric="YBR_FULL_422"), "in colour"),
        (changed(dicom_bytes(RAMP), floats), "floating-point numbers"),
        (changed(dicom_bytes(RAMP), table), "by a table"),
        (dicom_bytes(RAMP, Modality="SEG"), "modality is SEG; accepted is CT"),
        (dicom_bytes(RAMP, Modality="MARKER"), "modality is not one that is known; accepted is CT"),
        (dicom_bytes(RAMP, Modality=""), "modality is not stated"),
    ],
)
def test_objects_that_are_no_grey_ct_image_are_named(content, said):
    with pytest.raises((UnsupportedFileError, NotCTError), match=said):
        load_slice(content)
    reading = read_series([content])
    if reading.series:  # what its pixels are is not asked of a header
        with pytest.raises(UnsupportedFileError, match=said):
            reading.series[0].slices[0].read()
    else:
        assert said in reading.set_aside[0].reason.message


def test_a_modality_in_small_letters_is_ct():
    np.testing.assert_array_equal(load_slice(dicom_bytes(RAMP, Modality="ct")).hu, HU)


def test_the_index_of_a_disc_is_named():
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage

    index, record = Dataset(), Dataset()
    index.file_meta = FileMetaDataset()
    index.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    index.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    index.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    record.DirectoryRecordType, record.PatientName = "PATIENT", "MARKER"
    index.DirectoryRecordSequence = [record]
    stream = io.BytesIO()
    index.save_as(stream, enforce_file_format=True)
    with pytest.raises(UnsupportedFileError, match="a DICOMDIR, the index of a disc"):
        load_slice(stream.getvalue())
    assert "Give the folder" in read_series([stream.getvalue()]).set_aside[0].reason.message


def test_a_damaged_functional_group_is_told(caplog):
    from pydicom.dataset import Dataset

    group, measures = Dataset(), Dataset()
    measures.PixelSpacing = ["0.5", "0.5"]
    group.PixelMeasuresSequence = [measures]
    raw = dicom_bytes(RAMP, spacing=None, SharedFunctionalGroupsSequence=[group])
    assert load_slice(raw).spacing == (0.5, 0.5)
    damaged = raw.replace(b"\x28\0\x30\0DS", b"\x28\0\x30\0ZZ")
    with pytest.raises(UnreadableFileError, match="damaged or cut short"):
        load_slice(damaged)
    assert caplog.text == ""  # the last net logs what it catches


def test_an_image_without_pixels_and_with_a_damaged_head_is_told(caplog):
    raw = changed(dicom_bytes(RAMP), lambda ds: ds.pop("PixelData"))
    damaged = raw.replace(b"\x02\0\x02\0UI", b"\x02\0\x02\0UG")
    assert damaged != raw
    with pytest.raises((UnsupportedFileError, UnreadableFileError)):
        load_slice(damaged)
    assert caplog.text == ""  # the last net logs what it catches
