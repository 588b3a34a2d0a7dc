import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import ROOT

from lungcnn.cli import main
from lungcnn.errors import UsageError
from lungcnn.training.output_folder import check_output_folder


def test_a_folder_yet_to_be_made_is_accepted_and_not_made(tmp_path):
    check_output_folder(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    for folder in (tmp_path / "note.txt", tmp_path / "note.txt" / "deeper"):
        with pytest.raises(UsageError, match=r"note\.txt is not a folder"):
            check_output_folder(folder)
    assert (tmp_path / "note.txt").read_text() == "mine"


def test_a_place_that_takes_no_files():
    with pytest.raises(UsageError, match=r"Nothing can be written to /proc/lungcnn: "):
        check_output_folder(Path("/proc/lungcnn"))


def test_a_full_disk(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 10**7, 10**7))
    with pytest.raises(UsageError, match="only 10 MB left"):
        check_output_folder(tmp_path)


def test_the_model_that_ships_is_replaced_only_on_purpose(monkeypatch):
    monkeypatch.chdir(ROOT / "tests")
    with pytest.raises(UsageError, match="holds the model that ships"):
        check_output_folder(Path("../models"))
    check_output_folder(Path("../models"), force=True)


@pytest.mark.parametrize("option", ["--out", "--checkpoints"])
def test_the_command_says_so_before_it_reads_the_dataset(option, tmp_path):
    (tmp_path / "file").write_text("")
    options = {"--out": str(tmp_path / "out"), option: str(tmp_path / "file" / "deeper")}
    result = CliRunner().invoke(
        main, ["train", str(tmp_path / "no"), *[part for pair in options.items() for part in pair]]
    )
    assert result.exit_code == 2
    assert "is not a folder" in result.output
    assert not (tmp_path / "out").exists()
