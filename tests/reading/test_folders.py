"""What is found in folders as people hand them over: discs, Macs, and places that may not be read."""

import io
import os
from pathlib import Path

import pytest
from conftest import dicom_bytes

from lungcnn.errors import UnreadableFileError, UsageError
from lungcnn.reading.folders import files_below
from lungcnn.reading.loading import load_slice
from lungcnn.reading.series_reader import read_series
from lungcnn.serving.archive.listing import list_files, read_file
from lungcnn.serving.inputs import find_files, given_paths, listed_names


def names_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in files_below(folder))


@pytest.fixture
def locked(tmp_path, monkeypatch) -> Path:
    """A folder with a folder that may not be listed, and one whose file may not be read."""
    import numpy as np

    for name in ("a.dcm", "locked/b.dcm", "unread/c.dcm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(dicom_bytes(np.zeros((64, 64), np.uint16)))
    scandir, stat = os.scandir, Path.stat

    def refusing_scandir(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    def refusing_stat(path, **options):
        if path.parent.name == "unread":
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(os, "scandir", refusing_scandir)
    monkeypatch.setattr(Path, "stat", refusing_stat)
    return tmp_path


def test_what_discs_and_macs_keep_beside_slices_is_left_out(tmp_path):
    for name in ("DICOMDIR", "Thumbs.db", "s/.DS_Store", "s/._IM1", "s/IM1", "IM2"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"II*\0")
    (tmp_path / "link").symlink_to(tmp_path / "IM2")
    (tmp_path / "broken").symlink_to("/nowhere")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    (tmp_path / "s" / "up").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    everything = ["IM2", "broken", "link", "pipe", "round", "s/IM1"]
    assert names_in(tmp_path) == everything
    assert list_files(str(tmp_path)) == [str(tmp_path / name) for name in everything]
    found = find_files([tmp_path])
    assert found == [tmp_path / name for name in everything if name != "pipe"]
    for path, said in ((found[1], "no such file"), (found[3], "Too many levels")):
        with pytest.raises(UnreadableFileError, match=said):
            load_slice(path)


def test_what_may_not_be_read_is_told_and_the_rest_goes_on(locked):
    assert names_in(locked) == ["a.dcm", "locked", "unread/c.dcm"]
    paths = find_files([locked])
    assert paths == [locked / "a.dcm", locked / "locked", locked / "unread" / "c.dcm"]
    for path in paths[1:]:
        with pytest.raises(UnreadableFileError, match="could not be opened: Permission denied"):
            load_slice(path)
    reading = read_series(locked)
    assert [len(series) for series in reading.series] == [1]
    assert [aside.reason.code for aside in reading.set_aside] == ["unreadable"] * 2
    assert list_files(str(locked)) == [str(path) for path in paths]


def test_a_file_that_a_store_refuses_is_told_by_the_systems_words(monkeypatch, tmp_path):
    (tmp_path / "a").write_bytes(b"x")

    def refuse(self, path, **_):
        raise PermissionError(13, "MARKER", path)

    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.cat_file", refuse)
    with pytest.raises(UnreadableFileError, match="could not be opened: Permission denied"):
        read_file(str(tmp_path / "a"))


def test_names_beyond_what_a_file_system_takes_are_records():
    too_long = Path("x" * 300)
    assert find_files([too_long]) == [too_long]
    with pytest.raises(UnreadableFileError, match="File name too long"):
        load_slice(too_long)
    with pytest.raises(UnreadableFileError, match="File name too long"):
        read_series(too_long)


@pytest.mark.parametrize(
    "content",
    [
        "a ü.dcm\r\nb.dcm\r\n".encode("utf-8-sig"),
        "a ü.dcm\r\nb.dcm\r\n".encode("utf-16"),
        "a ü.dcm\nb.dcm".encode("utf-16-be").join([b"\xfe\xff", b""]),
        "a ü.dcm\0b.dcm\0".encode(),
        "a ü.dcm\n\nb.dcm".encode(),
    ],
)
def test_lists_as_windows_and_find_write_them(content, tmp_path):
    assert listed_names(content) == ["a ü.dcm", "b.dcm"]
    (tmp_path / "list.txt").write_bytes(content)
    assert list_files(str(tmp_path / "list.txt")) == ["a ü.dcm", "b.dcm"]


def test_names_may_hold_what_parts_lines_elsewhere():
    assert listed_names("a\u2028b\x0bc\x85.dcm\n".encode()) == ["a\u2028b\x0bc\x85.dcm"]


@pytest.mark.parametrize(
    "begins", [bytes(128) + b"DICM\x02\0\0\0UL", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04\n/\n", b"\xff\xd8\xff\xe0\0\x10"]
)
def test_the_bytes_of_a_file_are_no_list(begins, tmp_path):
    content = begins + b"\0/\0.\0"  # taken for names, these would be the whole disc
    with pytest.raises(UsageError, match="the bytes of a file"):
        given_paths([Path("-")], io.BytesIO(content))
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(UsageError, match="the bytes of a file"):
        list_files(str(tmp_path / "list.txt"))
