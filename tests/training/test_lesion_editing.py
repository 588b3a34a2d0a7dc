"""Lesions put in and taken out for training, on crops with known content."""

from dataclasses import replace

import numpy as np
import pytest

from lungcnn.classes import MALIGNANT, NORMAL
from lungcnn.dataset.crops import crop_dataset
from lungcnn.dataset.elsewhere import DISEASED
from lungcnn.dataset.folder import read_dataset
from lungcnn.dataset.lesion_boxes import read_boxes
from lungcnn.training import lesion_editing
from lungcnn.training.lesion_editing import INFLAMED, LesionEditing, Lesions
from lungcnn.training.lesions import boxes_mask, draw_dome, erase_lesion, transplant_lesion

ALWAYS = LesionEditing(insert=1.0, transplant=1.0, erase=1.0, decoy=0.0, dome=0.0, disease=0.0)
NEVER = LesionEditing(insert=0.0, erase=0.0, decoy=0.0, dome=0.0, disease=0.0)
BOX = np.array([[20.0, 50.0, 40.0, 70.0]])


def symmetric_chest():
    """A crop that is its own mirror image: a bright wall around two dark lungs."""
    crop, lungs = np.full((128, 128), 0.8, np.float32), np.zeros((128, 128), bool)
    for left in (12, 72):
        lungs[20:108, left : left + 44] = True
    return np.where(lungs, np.float32(0.2), crop), lungs


def with_lesion(crop):
    crop = crop.copy()
    crop[50:70, 20:40] = 0.82
    return crop


@pytest.fixture(scope="module")
def crop_set(miniature):
    """The miniature; a malignant slice with a box, one with nothing seen on it, and others that nobody looked at."""
    found = crop_dataset(read_dataset(miniature, miniature / "cases.csv"))
    boxes = [None] * len(found.slices)
    first, second = np.flatnonzero(found.labels == MALIGNANT)[:2]
    boxes[first] = (BOX, np.array([True]))
    boxes[second] = (np.zeros((0, 4)), np.zeros(0, bool))
    return replace(found, boxes=tuple(boxes))


def test_an_erased_lesion_gives_way_to_the_other_lung():
    chest, _ = symmetric_chest()
    erased = erase_lesion(with_lesion(chest), BOX[0])
    np.testing.assert_allclose(erased, chest, atol=0.05)  # the corners of a square lesion fade
    assert erased.dtype == np.float32
    asymmetric = chest.copy()
    asymmetric[:, 64:] = 0.5
    assert erase_lesion(asymmetric, BOX[0])[60, 30] == pytest.approx(0.5)
    np.testing.assert_array_equal(erase_lesion(asymmetric, BOX[0])[:, 64:], asymmetric[:, 64:])


def test_a_dome_is_soft_tissue_in_one_lung_and_no_lesion():
    chest, lungs = symmetric_chest()
    for seed in range(8):
        drawn, left = draw_dome(chest, lungs, np.random.default_rng(seed))
        taken = lungs & ~left
        assert 150 < taken.sum() < 3000
        assert min(taken[:, :64].sum(), taken[:, 64:].sum()) == 0, "one lung only"
        assert np.median(drawn[taken]) == pytest.approx(0.8, abs=0.08), "soft tissue of this chest"
        np.testing.assert_allclose(drawn[~lungs], chest[~lungs], atol=0.12)
        outline = lungs & (drawn > 0.3) & (drawn < 0.7)
        assert outline.any(), "its edge is soft"
    nothing = np.zeros_like(lungs)
    unchanged, left = draw_dome(chest, nothing, np.random.default_rng(0))
    np.testing.assert_array_equal(unchanged, chest)
    assert not left.any()


def test_domes_keep_the_label_and_lesions_beside_them_change_it(crop_set):
    index = int(np.flatnonzero(crop_set.labels == NORMAL)[0])
    domes = replace(NEVER, dome=1.0)
    crop, mask, label = domes.edit(crop_set, index, Lesions.of(crop_set), np.random.default_rng(1))
    assert label == NORMAL
    assert not mask.any()
    assert (crop - crop_set.crops[index]).max() > 0.3
    with_lesion = replace(domes, insert=1.0, transplant=0.0)
    both, mask, label = with_lesion.edit(crop_set, index, Lesions.of(crop_set), np.random.default_rng(1))
    assert label == MALIGNANT
    assert mask.any()
    assert not np.array_equal(both, crop)


@pytest.mark.parametrize(("share", "expected"), [(0.0, DISEASED), (0.049, DISEASED), (0.05, INFLAMED), (1.0, INFLAMED)])
def test_plain_inflammation_is_benign_and_other_disease_anything_but_malignant(crop_set, monkeypatch, share, expected):
    monkeypatch.setattr(lesion_editing, "draw_disease", lambda crop, lungs, rng, pneumonia: (crop, share))
    index, lesions = int(np.flatnonzero(crop_set.labels == NORMAL)[0]), Lesions.of(crop_set)
    diseased = replace(NEVER, disease=1.0, insert_diseased=0.0, inflammation=True)
    not_taught = replace(diseased, inflammation=False)
    assert not_taught.edit(crop_set, index, lesions, np.random.default_rng(0))[2] == DISEASED
    assert diseased.edit(crop_set, index, lesions, np.random.default_rng(0))[2] == expected
    without_benign = replace(lesions, benign=None)
    assert diseased.edit(crop_set, index, without_benign, np.random.default_rng(0))[2] == DISEASED
    beside_a_lesion = replace(diseased, insert_diseased=1.0, nodule=0.0, transplant=0.0)
    _, mask, label = beside_a_lesion.edit(crop_set, index, lesions, np.random.default_rng(0))
    assert label == MALIGNANT
    assert mask.any()


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_transplanted_lesion_arrives_with_its_place(mirrored):
    chest, _ = symmetric_chest()
    target = chest * 0.9
    moved, mask = transplant_lesion(target, with_lesion(chest), BOX[0], mirrored)
    x = 97 if mirrored else 30
    assert moved[60, x] == pytest.approx(0.82, abs=0.01)
    assert mask[60, x] == 1
    assert mask.sum() == 21 * 21
    far = np.ones_like(mask, bool)
    far[40:82, x - 22 : x + 22] = False
    np.testing.assert_allclose(moved[far], target[far], atol=1e-6)


def test_masks_of_boxes_stay_on_the_crop():
    mask = boxes_mask([(-5, -5, 3, 3), (120, 120, 200, 200)], 128)
    assert mask[:4, :4].all()
    assert mask[120:, 120:].all()
    assert mask.sum() == 16 + 64


def test_without_editing_slices_stay_as_they_are_but_for_blank_ones(crop_set):
    rng = np.random.default_rng(0)
    for index, label in enumerate(crop_set.labels):
        crop, mask, shown = NEVER.edit(crop_set, index, Lesions.of(crop_set), rng)
        np.testing.assert_array_equal(crop, crop_set.crops[index])
        boxes = crop_set.boxes[index]
        assert shown == (NORMAL if boxes is not None and not len(boxes[0]) else label)
        assert mask.any() == (boxes is not None and len(boxes[0]) > 0)


def test_with_editing_the_background_no_longer_gives_the_class(crop_set):
    rng = np.random.default_rng(0)
    lesions = Lesions.of(crop_set)
    assert len(lesions.donors) == 1
    np.testing.assert_array_equal(lesions.donors[0][1], BOX[0])
    for index, label in enumerate(crop_set.labels):
        crop, mask, shown = ALWAYS.edit(crop_set, index, lesions, rng)
        unseen = label == MALIGNANT and crop_set.boxes[index] is None
        assert shown == MALIGNANT
        assert mask.any() != unseen, "only what nobody looked at has lesions whose place is unknown"
        assert np.isfinite(crop).all()
        assert 0 <= crop.min() <= crop.max() <= 1
    erased = replace(ALWAYS, insert=0.0)
    boxed = next(i for i, boxes in enumerate(crop_set.boxes) if boxes is not None and len(boxes[0]))
    crop, mask, shown = erased.edit(crop_set, boxed, lesions, rng)
    assert shown == NORMAL
    assert not mask.any()
    np.testing.assert_array_equal(crop, erase_lesion(crop_set.crops[boxed], BOX[0]))


def test_decoys_mend_where_nothing_was_and_keep_the_label(crop_set):
    decoy = replace(NEVER, decoy=1.0)
    normal = int(np.flatnonzero(crop_set.labels == NORMAL)[0])
    crop, mask, shown = decoy.edit(crop_set, normal, Lesions.of(crop_set), np.random.default_rng(1))
    assert shown == NORMAL
    assert not mask.any()
    assert not np.array_equal(crop, crop_set.crops[normal])


def test_weights_of_what_shows_nothing_and_of_what_nobody_looked_at(crop_set):
    editing = LesionEditing(blank_weight=0.5, unseen_weight=0.25)
    weights = editing.weights(crop_set)
    malignant = np.flatnonzero(crop_set.labels == MALIGNANT)
    assert weights[crop_set.labels != MALIGNANT].tolist() == [1.0] * 12
    assert weights[malignant].tolist() == [1.0, 0.5, 0.25, 0.25, 0.25, 0.25]


def test_boxes_go_by_content_not_by_name(miniature):
    """The miniature's files bear names of the release, and boxes of the release are not theirs."""
    found = read_dataset(miniature, miniature / "cases.csv")
    assert {item.file for item in found.slices} & set(read_boxes())
    assert all(item.boxes is None for item in found.slices)


@pytest.mark.data
def test_boxes_of_real_slices_land_on_their_crops(data):
    found = read_dataset(data / "iq-oth-nccd")
    looked_at = [item for item in found.slices if item.boxes is not None]
    assert len(looked_at) > 150
    assert {item.label for item in looked_at} == {1, 2}
    shown = [item for item in looked_at if item.label == MALIGNANT and any(box.sure for box in item.boxes)][:6]
    others = [next(item for item in found.slices if item.label == label) for label in range(3)]
    crops = crop_dataset(replace(found, slices=(*shown, *others)))
    for boxes, crop in zip(crops.boxes[:6], crops.crops, strict=False):
        inside = crop[boxes_mask(boxes[0], 128) > 0]
        assert (inside > 0.55).mean() > 0.2, "a lesion is denser than lung"
