import csv
import shutil

import numpy as np
import pytest

from lungcnn.classes import CLASSES, Classes, parse_classes
from lungcnn.dataset.case_list import CASE_LIST, read_case_list
from lungcnn.dataset.crops import crop_dataset
from lungcnn.dataset.folder import find_images, read_dataset
from lungcnn.dataset.lesion_boxes import BOX_LIST, SECOND_LOOK, read_boxes
from lungcnn.dataset.thumbnails import thumbnail
from lungcnn.errors import DatasetError


@pytest.fixture
def copy(miniature, tmp_path):
    """A copy of the miniature dataset to spoil."""
    return shutil.copytree(miniature, tmp_path / "data")


def rewrite(folder, change):
    """Let `change` alter the rows of the case list, in place."""
    path = folder / "cases.csv"
    rows = list(csv.DictReader(path.open()))
    change(rows)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_reads_the_layout_and_says_what_it_found(miniature):
    found = read_dataset(miniature, miniature / "cases.csv")
    assert np.bincount(found.labels).tolist() == [6, 6, 6]
    assert len(set(found.cases)) == 9
    assert "18 slices to learn from (6 normal, 6 benign, 6 malignant) in 9 case groups" in found.describe()


def test_crops(miniature):
    crop_set = crop_dataset(read_dataset(miniature, miniature / "cases.csv"))
    assert crop_set.crops.shape == crop_set.lungs.shape == (18, 128, 128)
    assert crop_set.failed == ()
    assert 0.15 < crop_set.lungs.mean() < 0.6
    assert crop_set.crops[crop_set.lungs].mean() < 0.45 < crop_set.crops[~crop_set.lungs].mean()
    assert sorted(set(crop_set.folds)) == [0, 1, 2]


def test_kaggles_extra_folders_are_looked_through(miniature, tmp_path):
    nested = tmp_path / "The IQ-OTHNCCD lung cancer dataset" / "inner"
    shutil.copytree(miniature, nested)
    assert len(read_dataset(tmp_path, nested / "cases.csv").slices) == 18


def test_test_slices_are_left_alone(copy):
    rewrite(copy, lambda rows: [row.update(split="test", fold="") for row in rows[:2]])
    found = read_dataset(copy, copy / "cases.csv")
    assert (len(found.slices), found.kept_apart) == (16, 2)
    assert "2 slices of the test set left alone" in found.describe()


def test_duplicates_unlisted_and_renamed_files(copy):
    first, second = sorted((copy / "Normal cases").iterdir())[:2]
    shutil.copy(first, first.with_name("copy of it.jpg"))
    second.rename(second.with_name("renamed.jpg"))
    shutil.copy(first, copy / "Malignant cases" / "wrong folder.jpg")
    found = read_dataset(copy, copy / "cases.csv")
    assert len(found.slices) == 19
    assert [sorted(names) for names in found.duplicates] == [
        sorted([f"Normal cases/{first.name}", "Normal cases/copy of it.jpg"])
    ]
    assert found.unlisted == ("Malignant cases/wrong folder.jpg",)
    assert "1 files left out: not in the case list" in found.describe()


def test_the_same_scan_under_two_labels_is_left_out(copy):
    normal = sorted((copy / "Normal cases").iterdir())[0]
    import cv2

    picture = cv2.imread(str(normal), 0)
    twin = copy / "Bengin cases" / "twin.jpg"
    cv2.imwrite(str(twin), picture, [cv2.IMWRITE_JPEG_QUALITY, 80])  # near-duplicate, other bytes
    import hashlib

    def add(rows):
        row = next(row for row in rows if row["file"].endswith(normal.name))
        digest = hashlib.sha256(twin.read_bytes()).hexdigest()
        rows.append(row | {"file": "Bengin cases/twin.jpg", "label": "benign", "sha256": digest})

    rewrite(copy, add)
    found = read_dataset(copy, copy / "cases.csv")
    assert "Bengin cases/twin.jpg" in found.conflicting
    assert f"Normal cases/{normal.name}" in found.conflicting
    assert not {item.file for item in found.slices} & set(found.conflicting)
    assert "under two labels" in found.describe()


def test_an_unreadable_file_is_told_and_left_out(copy):
    broken = sorted((copy / "Malignant cases").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:3000])
    import hashlib

    digest = hashlib.sha256(broken.read_bytes()).hexdigest()
    rewrite(copy, lambda rows: [row.update(sha256=digest) for row in rows if row["file"].endswith(broken.name)])
    crop_set = crop_dataset(read_dataset(copy, copy / "cases.csv"))
    assert len(crop_set.slices) + len(crop_set.failed) == 18
    for file, why in crop_set.failed:
        assert file.endswith(broken.name)
        assert str(why).endswith(".")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: shutil.rmtree(folder), "There is no folder.*Mendeley Data .bhmdr45bh2. or Kaggle"),
        (lambda folder: [shutil.rmtree(path) for path in folder.glob("*cases")], "none of the class folders.*Kaggle"),
        (lambda folder: shutil.rmtree(folder / "Bengin cases"), r"no images of the class\(es\) benign"),
        (lambda folder: [path.unlink() for path in folder.glob("Normal cases/*")], r"class\(es\) normal"),
    ],
)
def test_missing_or_empty_folders(copy, spoil, message):
    cases = copy.parent / "cases.csv"
    shutil.copy(copy / "cases.csv", cases)
    spoil(copy)
    with pytest.raises(DatasetError, match=message):
        read_dataset(copy, cases)


def test_a_case_list_that_does_not_fit(copy):
    with pytest.raises(DatasetError, match="None of the 18 images"):
        read_dataset(copy)  # the built-in list knows none of these
    with pytest.raises(DatasetError, match="could not be read: No such file"):
        read_dataset(copy, copy / "nothing.csv")
    (copy / "other.csv").write_text("file,label\na,b\n")
    with pytest.raises(DatasetError, match=r"lacks the column.*sha256"):
        read_dataset(copy, copy / "other.csv")


def test_the_built_in_case_list():
    rows = list(csv.DictReader(CASE_LIST.open()))
    assert len(rows) == 1097
    dev = [row for row in rows if row["split"] == "dev"]
    assert len(dev) == 903
    folds_of = {}
    for row in dev:
        folds_of.setdefault(row["case_group"], set()).add(row["fold"])
    assert all(len(folds) == 1 for folds in folds_of.values()), "a case lies in two folds"
    groups = {split: {row["case_group"] for row in rows if row["split"] == split} for split in ("dev", "test")}
    assert not groups["dev"] & groups["test"]


def test_thumbnails_measure_likeness():
    rng = np.random.default_rng(0)
    one = rng.random((200, 200))
    assert thumbnail(one) @ thumbnail(3 * one + 7) == pytest.approx(1, abs=1e-5)
    assert abs(thumbnail(one) @ thumbnail(rng.random((200, 200)))) < 0.1


@pytest.mark.data
def test_the_real_slices(data):
    found = read_dataset(data / "iq-oth-nccd")
    assert np.bincount(found.labels).tolist() == [342, 94, 457]
    conflict = {f"Bengin cases/Bengin case ({n}).jpg" for n in (32, 33, 34)}
    conflict |= {f"Normal cases/Normal case ({n}).jpg" for n in range(81, 88)}
    assert set(found.conflicting) == conflict
    assert (len(found.duplicates), found.kept_apart, found.unlisted) == (40, 0, ())


def test_lists_of_boxes_hold_development_slices_only_and_no_slice_twice():
    splits = {row["file"]: row["split"] for row in read_case_list(CASE_LIST).values()}
    first, second = read_boxes(BOX_LIST), read_boxes(SECOND_LOOK)
    assert {splits[file] for file in [*first, *second] if file in splits} == {"dev"}
    assert not set(first) & set(second)
    assert sum(not boxes for boxes in second.values()) > 100, "many slices of malignant cases show nothing"
    assert all(box.x0 < box.x1 and box.y0 < box.y1 for boxes in second.values() for box in boxes)


@pytest.mark.data
def test_every_malignant_development_slice_was_looked_at(data):
    found = read_dataset(data / "iq-oth-nccd")
    for item in found.slices:
        if CLASSES[item.label] == "malignant":
            assert (item.boxes is None) != (item.second_look is None), "in one of both lists"


@pytest.mark.parametrize("names", [("normal", "benign", "malignant"), ("NORMAL", "Bengin", "Malignant Cases")])
def test_folders_may_bear_the_classes_names_in_any_case(copy, names):
    for old, new in zip(("Normal cases", "Bengin cases", "Malignant cases"), names, strict=True):
        (copy / old).rename(copy / new)
    found = read_dataset(copy, copy / "cases.csv")
    assert np.bincount(found.labels).tolist() == [6, 6, 6]
    assert [item.file.split("/")[0] for item in found.slices[::6]] == list(names), "in the order of the classes"


def test_two_classes_are_not_enough(copy):
    shutil.rmtree(copy / "Bengin cases")
    with pytest.raises(DatasetError, match=r"class\(es\) benign in .*name them: --classes normal,malignant"):
        read_dataset(copy, copy / "cases.csv")
    two = read_dataset(copy, copy / "cases.csv", classes=Classes(("malignant", "normal")))
    assert np.bincount(two.labels).tolist() == [6, 6]
    assert {item.file.split("/")[0] for item in two.slices if item.label == 0} == {"Malignant cases"}


def test_other_classes_are_not_sent_to_fetch_the_dataset(copy):
    with pytest.raises(DatasetError, match="a folder of slices for each class: 'healthy', 'lung tumour'") as told:
        find_images(copy, parse_classes("healthy,lung_tumour"))
    assert "Mendeley" not in str(told.value)


def test_a_fourth_class_is_named_and_left_out(copy):
    shutil.copytree(copy / "Normal cases", copy / "Emphysema")
    found = read_dataset(copy, copy / "cases.csv")
    assert len(found.slices) == 18
    (copy / "Emphysema").rename(copy / "Some Emphysema")
    four = find_images(copy, parse_classes("normal,some_emphysema,malignant,benign"))[1]
    assert sum(image.label == "some_emphysema" for image in four) == 6
    assert "folders left out: Emphysema: not one of the classes normal, benign, malignant" in found.describe()
