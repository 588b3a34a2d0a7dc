import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lungcnn.preprocessing.anatomy import find_anatomy, find_masks
from lungcnn.preprocessing.body import NoBodyError
from lungcnn.preprocessing.lung_crop import CROP_SIZE, CropBox, cut_crop, lung_box
from lungcnn.preprocessing.lungs import NoLungsError
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.windowing import AIR_HU, to_unit

AIR = float(to_unit(np.float32(AIR_HU)))


def dice(a, b) -> float:
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def resized(hu, rows, columns):
    return cv2.resize(hu, (columns, rows), interpolation=cv2.INTER_AREA)


def test_masks_agree_with_the_phantoms_truth():
    from lungcnn.phantoms.bundled import PHANTOMS, draw

    for name in PHANTOMS:
        truth = draw(name)
        body, lungs = find_masks(truth.hu)
        assert dice(body, truth.body_mask) > 0.98, name
        assert dice(lungs, truth.lung_mask) > 0.92, name


@pytest.mark.parametrize("size", [(501, 501), (512, 512), (1024, 1024), (512, 801), (801, 512), (96, 96)])
def test_every_size_gives_the_same_crop(phantom, phantom_slice, size):
    stretched = resized(phantom.hu, *size)
    spacing = (0.7 * 512 / size[0], 0.7 * 512 / size[1])
    crop = find_anatomy(CTSlice(hu=stretched, spacing=spacing)).crop
    reference = find_anatomy(phantom_slice).crop
    assert crop.shape == (CROP_SIZE, CROP_SIZE)
    assert np.corrcoef(crop.ravel(), reference.ravel())[0, 1] > (0.98 if min(size) > 100 else 0.9)


def test_couch_field_of_view_and_image_size_leave_no_trace(phantom, phantom_slice):
    changed = phantom.hu.copy()
    outside = ~cv2.dilate(phantom.body_mask.astype(np.uint8), np.ones((25, 25))).astype(bool)
    rows = np.mgrid[:512, :512][0]
    changed[outside] = np.where(abs(rows[outside] - 440) < 12, 300, -1024)  # a solid couch instead of a thin one
    moved = np.full((640, 700), -1024, np.float32)
    moved[100:612, 20:532] = changed
    found = find_anatomy(CTSlice(hu=moved, spacing=phantom.spacing))
    reference = find_anatomy(phantom_slice)
    assert found.box.width == pytest.approx(reference.box.width, rel=0.02)
    assert (found.box.left - 20, found.box.top - 100) == pytest.approx((reference.box.left, reference.box.top), abs=4)
    assert np.corrcoef(found.crop.ravel(), reference.crop.ravel())[0, 1] > 0.95
    beyond = found.box.cut((~cv2.dilate(found.body.astype(np.uint8), np.ones((5, 5))).astype(bool)).astype(float), 1)
    margin = cv2.resize(beyond, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_AREA) == 1
    assert margin.any()
    np.testing.assert_allclose(found.crop[margin], AIR, atol=1e-4)


def test_body_that_touches_the_border(phantom):
    rows, columns = np.flatnonzero(phantom.body_mask.any(1)), np.flatnonzero(phantom.body_mask.any(0))
    tight = phantom.hu[rows[0] + 4 : rows[-1] - 4, columns[0] + 6 : columns[-1] - 6]
    anatomy = find_anatomy(CTSlice(hu=tight, spacing=phantom.spacing))
    truth = phantom.lung_mask[rows[0] + 4 : rows[-1] - 4, columns[0] + 6 : columns[-1] - 6]
    assert dice(anatomy.lungs, truth) > 0.95


def test_collapse_of_one_lung_keeps_both_sides_in_the_crop(phantom):
    hu = phantom.hu.copy()
    left = phantom.lung_mask & (np.arange(512) > 256)
    hu[left] = 30
    anatomy = find_anatomy(CTSlice(hu=hu, spacing=phantom.spacing))
    covered = anatomy.box.left <= np.flatnonzero(left.any(0))[[0, -1]]
    assert covered.all()
    assert anatomy.box.left + anatomy.box.width > np.flatnonzero(left.any(0))[-1] - 15


def test_lungs_that_meet_in_front_do_not_swallow_the_heart():
    hu = np.full((256, 256), -1000, np.float32)
    cv2.ellipse(hu, (128, 128), (110, 80), 0, 0, 360, 40, -1)
    cv2.ellipse(hu, (128, 128), (95, 65), 0, 0, 360, -850, -1)
    cv2.ellipse(hu, (128, 128), (40, 40), 0, 0, 360, 40, -1)  # a heart with lung all round it
    _, lungs = find_masks(hu)
    assert not lungs[128, 128]
    assert lungs[128, 60]


def test_nothing_to_find():
    with pytest.raises(NoBodyError, match="Accepted are axial chest-CT"):
        find_masks(np.full((128, 128), -1000, np.float32))
    block = np.full((128, 128), -1000, np.float32)
    block[20:108, 10:118] = 40
    with pytest.raises(NoLungsError, match="window that shows"):
        find_masks(block)


# ---------------------------------------------------------------- the way back


@settings(max_examples=80, deadline=None)
@given(
    st.integers(40, 300), st.integers(40, 300), st.integers(-60, 120), st.integers(-60, 120),
    st.integers(0, 15), st.integers(0, 15),
)  # fmt: skip
def test_an_impulse_in_a_cell_lands_on_its_centre(width, height, left, top, row, column):
    box = CropBox(left=left, top=top, width=width, height=height, rows=256, columns=320)
    cells = np.zeros((16, 16), np.float32)
    cells[row, column] = 1
    x, y = box.point_to_slice(column + 0.5, row + 0.5, (16, 16))
    placed = box.to_slice(cells)
    assert placed.shape == (256, 320)
    if not (2 <= x < 318 and 2 <= y < 254):
        return
    peak = np.argwhere(placed == placed.max()) + 0.5  # a cell that is cut by an even number peaks on two pixels
    assert abs(peak[:, 0].mean() - y) <= 0.5 + height / 32 * (row in (0, 15))
    assert abs(peak[:, 1].mean() - x) <= 0.5 + width / 32 * (column in (0, 15))


@given(st.floats(-500, 1500), st.floats(-500, 1500), st.integers(1, 900), st.integers(1, 900))
def test_points_go_there_and_back(x, y, width, height):
    box = CropBox(left=-7, top=13, width=width, height=height, rows=512, columns=512)
    there = box.point_from_slice(x, y, (16, 16))
    assert box.point_to_slice(*there, (16, 16)) == pytest.approx((x, y), abs=1e-6)


def test_crop_and_map_agree_on_where_things_are(phantom):
    """A bright dot on the slice is found at the cell that maps back onto it, with non-square pixels too."""
    for aspect in (1.0, 1.5):
        hu = resized(phantom.hu, round(512 / aspect), 512).copy()
        body, lungs = find_masks(hu, aspect)
        box = lung_box(body, lungs, aspect)
        hu[:] = -1000
        row, column = round(250 / aspect), 140
        hu[row, column] = 250
        crop = cut_crop(hu, np.ones_like(body), box)
        peak_row, peak_column = np.unravel_index(crop.argmax(), crop.shape)
        x, y = box.point_to_slice(peak_column + 0.5, peak_row + 0.5, crop.shape)
        pixel_x, pixel_y = box.width / CROP_SIZE, box.height / CROP_SIZE
        assert abs(x - (column + 0.5)) <= 0.5 * pixel_x + 0.5
        assert abs(y - (row + 0.5)) <= 0.5 * pixel_y + 0.5


def test_box_is_square_in_mm():
    body, lungs = np.ones((200, 300), bool), np.zeros((200, 300), bool)
    lungs[60:110, 100:200] = True
    assert lung_box(body, lungs).width == lung_box(body, lungs).height == 108
    tall = lung_box(body, lungs, aspect=2.0)  # pixels twice as high as wide
    assert (tall.width, tall.height) == (108, 54)
    assert tall.left + tall.width / 2 == 150
    assert tall.top + tall.height / 2 == 85
