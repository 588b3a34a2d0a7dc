import numpy as np
import pytest
from hypothesis import given, strategies as st

from lungcnn.preprocessing.anatomy import find_anatomy
from lungcnn.preprocessing.lung_crop import CropBox
from lungcnn.preprocessing.turn import AS_STORED, EVERY_TURN, Turn, upright_by
from lungcnn.reading.ct_slice import CTSlice

turns = st.sampled_from(EVERY_TURN)


@given(turns, st.integers(1, 9), st.integers(1, 9))
def test_a_turn_is_undone(turn, rows, columns):
    image = np.arange(rows * columns).reshape(rows, columns)
    np.testing.assert_array_equal(turn.undo(turn.apply(image)), image)
    assert turn.apply(image).shape == ((columns, rows) if turn.swaps else (rows, columns))


@given(turns, turns)
def test_turns_follow_one_another(first, second):
    image = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(first.then(second).apply(image), second.apply(first.apply(image)))


@given(turns, st.integers(0, 4), st.integers(0, 6))
def test_points_move_with_the_picture(turn, row, column):
    image = np.zeros((5, 7))
    image[row, column] = 1
    (down,), (across,) = np.nonzero(turn.apply(image))
    rows, columns = turn.apply(image).shape
    x, y = turn.point_as_stored((across + 0.5) / columns, (down + 0.5) / rows)
    assert (x * 7, y * 5) == pytest.approx((column + 0.5, row + 0.5))
    assert turn.point_upright(x, y) == pytest.approx(((across + 0.5) / columns, (down + 0.5) / rows))


@pytest.mark.parametrize("turn", EVERY_TURN)
def test_orientation_tells_the_turn(turn):
    """The six cosines of a slice that was stored turned: towards where its rows and columns run in the patient."""
    left, back = np.meshgrid(np.arange(8.0), np.arange(8.0))  # upright: left of the patient on the right, back below
    left, back = turn.undo(left), turn.undo(back)
    row = left[0, 1] - left[0, 0], back[0, 1] - back[0, 0], 0
    column = left[1, 0] - left[0, 0], back[1, 0] - back[0, 0], 0
    assert upright_by((*row, *column)) == turn


def test_a_tilted_gantry_turns_nothing():
    assert upright_by((1, 0, 0, 0, 0.94, -0.34)) == AS_STORED
    assert upright_by((0.98, 0.17, 0, -0.17, 0.98, 0)) == AS_STORED


@pytest.mark.parametrize("turn", EVERY_TURN)
@pytest.mark.parametrize("stretch", [1, 2])
def test_all_eight_ways_to_store_a_slice_give_the_same_crop(phantom, turn, stretch):
    upright = phantom.hu[::stretch]
    spacing = (phantom.spacing[0] * stretch, phantom.spacing[1])
    expected = find_anatomy(CTSlice(upright, spacing))
    stored = CTSlice(turn.undo(upright), spacing[::-1] if turn.swaps else spacing)
    found = find_anatomy(stored, turn)
    assert np.abs(found.crop - expected.crop).mean() < 0.002
    assert found.lung_sides() == pytest.approx(
        expected.lung_sides(), abs=0.025
    )  # the discs that masks are closed with are not quite round
    assert found.body.shape == stored.hu.shape
    cell = np.zeros((16, 16), np.float32)
    cell[3, 11] = 1
    x, y = expected.box.point_to_slice(11.5, 3.5, cell.shape)
    across, down = turn.point_as_stored(x / upright.shape[1], y / upright.shape[0])
    there = across * stored.hu.shape[1], down * stored.hu.shape[0]
    assert found.box.point_to_slice(11.5, 3.5, cell.shape) == pytest.approx(there, abs=1.5)
    assert found.box.point_from_slice(*there, cell.shape) == pytest.approx((11.5, 3.5), abs=0.1)
    placed = found.box.to_slice(cell)
    peak = np.argwhere(placed == placed.max()).mean(axis=0) + 0.5
    assert peak[::-1] == pytest.approx(there, abs=2)
    np.testing.assert_allclose(turn.apply(placed), expected.box.to_slice(cell), atol=0.15)


@given(turns, st.floats(-500, 1500), st.floats(-500, 1500), st.integers(1, 900), st.integers(1, 900))
def test_points_go_there_and_back_on_turned_boxes(turn, x, y, width, height):
    box = CropBox(-7, 13, width, height, 512, 400, turn)
    there = box.point_from_slice(x, y, (16, 16))
    assert box.point_to_slice(*there, (16, 16)) == pytest.approx((x, y), abs=1e-6)


@given(turns)
def test_cells_in_the_slices_order(turn):
    cells = np.arange(16.0).reshape(4, 4)
    box = CropBox(2, 3, 40, 40, 64, 64, turn)
    np.testing.assert_array_equal(box.as_stored(cells), turn.undo(cells))
    np.testing.assert_array_equal(box.as_stored(cells[None])[0], turn.undo(cells))
    assert Turn(0, False) == AS_STORED
