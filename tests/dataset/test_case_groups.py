import csv
import shutil

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from lungcnn.classes import CLASSES
from lungcnn.cli import main
from lungcnn.dataset.case_groups import contiguous_folds, infer_groups, write_case_list
from lungcnn.dataset.case_list import CASE_LIST, read_case_list
from lungcnn.dataset.folder import read_dataset
from lungcnn.errors import DatasetError


def vector(*angles):
    """Unit vectors in a plane: their dot product is the cosine of the angle between them."""
    return np.array([[np.cos(a), np.sin(a)] for a in np.radians(angles)], np.float32)


def test_groups_by_hand():
    # cos 10 = 0.985 joins any two; cos 30 = 0.87 joins neighbours in number only; cos 40 = 0.77 joins none.
    thumbnails = vector(0, 10, 90, 120, 160, 165)
    labels = ["normal", "malignant", "normal", "normal", "normal", "benign"]
    assert infer_groups(thumbnails, labels, [1, 1, 5, 6, 7, 9]).tolist() == [0, 0, 1, 1, 2, 2]
    assert infer_groups(thumbnails, labels, [1, 1, 5, 8, 7, 9]).tolist() == [0, 0, 1, 2, 3, 3], "5 and 8: no neighbours"
    assert infer_groups(thumbnails, labels, [-1] * 6).tolist() == [0, 0, 1, 2, 3, 3], "no numbers, no neighbours"


def test_folds_are_blocks_of_whole_groups():
    groups = np.repeat(np.arange(12), [5, 1, 3, 4, 2, 5, 6, 2, 2, 4, 3, 3])
    labels = np.where(groups < 7, "normal", "malignant")
    folds = contiguous_folds(groups, labels, count=3)
    for group in range(12):
        assert len(set(folds[groups == group])) == 1
    for label in ("normal", "malignant"):
        mine = folds[labels == label]
        assert (np.diff(mine) >= 0).all(), "contiguous"
        assert set(mine) == {0, 1, 2}


def test_the_list_of_a_folder_can_be_trained_with(miniature, tmp_path):
    counts = write_case_list(miniature, tmp_path / "deep" / "cases.csv")
    assert (counts["slices"], counts["unreadable"], counts["kept_apart"]) == (18, 0, 0)
    found = read_dataset(miniature, tmp_path / "deep" / "cases.csv")
    assert len(found.slices) == 18
    assert all(item.fold in range(5) for item in found.slices)


def test_on_the_command_line(miniature, tmp_path):
    out = tmp_path / "list.csv"
    result = CliRunner().invoke(main, ["cases", str(miniature), "--out", str(out)])
    assert (result.exit_code, result.stdout.strip()) == (0, str(out))
    assert "18 slices in" in result.stderr
    missing = CliRunner().invoke(main, ["cases", str(tmp_path / "no"), "--out", str(out)])
    assert missing.exit_code == 2
    assert "There is no folder" in missing.output
    shipped = CliRunner().invoke(main, ["cases", str(miniature), "--out", str(CASE_LIST)])
    assert shipped.exit_code == 2
    assert "ships with lungcnn; it would be replaced" in " ".join(shipped.output.split())


def test_a_folder_of_which_nothing_can_be_read(tmp_path):
    for name in CLASSES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jpg").write_text("junk")
    with pytest.raises(DatasetError, match=r"None of the 3 images in .* could be read"):
        write_case_list(tmp_path, tmp_path / "list.csv")
    assert not (tmp_path / "list.csv").exists()


@pytest.mark.data
def test_the_groups_of_the_built_in_list_come_out_again(data, tmp_path):
    """Same partition of the development slices, however the groups are named."""
    counts = write_case_list(data / "iq-oth-nccd", tmp_path / "cases.csv")
    assert (counts["slices"], counts["kept_apart"]) == (903, 0)
    listed = read_case_list(CASE_LIST)
    with (tmp_path / "cases.csv").open() as stream:
        pairs = {
            (row["case_group"], listed[row["sha256"], row["label"]]["case_group"]) for row in csv.DictReader(stream)
        }
    assert len(pairs) == len({ours for ours, _ in pairs}) == len({theirs for _, theirs in pairs}) == counts["groups"]


def test_copies_are_joined_and_counted(miniature, tmp_path):
    """As in the augmented release: mirrored, turned and smaller copies beside their originals."""
    folder = shutil.copytree(miniature, tmp_path / "augmented")
    plain = write_case_list(folder, tmp_path / "plain.csv")
    copies = []
    for path in sorted((folder / "Normal cases").glob("*.jpg"))[:2]:
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        small = cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA)
        for name, copy in (("flip", picture[:, ::-1]), ("turn", np.rot90(small)), ("down", small[::-1])):
            copies.append(f"Normal cases/{path.stem} {name}.png")
            cv2.imwrite(str(folder / copies[-1]), np.ascontiguousarray(copy))
    counts = write_case_list(folder, tmp_path / "cases.csv")
    assert plain["copies"] == 0
    assert counts["copies"] == len(copies) == 6
    assert counts["groups"] == plain["groups"]
    groups = {row["file"]: row["case_group"] for row in csv.DictReader((tmp_path / "cases.csv").open())}
    for copy in copies:
        assert groups[copy] == groups[copy.rsplit(" ", 1)[0] + ".jpg"]
    result = CliRunner().invoke(main, ["cases", str(folder), "--out", str(tmp_path / "again.csv")])
    assert "6 slices are mirrored or turned copies" in result.stderr
