import io

import cv2
import numpy as np
import pydicom
import pytest
from conftest import ROOT
from hypothesis import given, settings, strategies as st
from PIL import Image

from lungcnn.errors import UsageError
from lungcnn.phantoms.bundled import AS_PNG, BUNDLED, PHANTOMS, PhantomSpec, draw, to_dicom, to_png, write_examples
from lungcnn.phantoms.canvas import NOISE
from lungcnn.phantoms.lesion import Lesion
from lungcnn.phantoms.levels import LEVELS
from lungcnn.reading.loading import load_slice
from lungcnn.windowing import to_grey


@pytest.fixture(scope="module")
def phantoms():
    return {name: draw(name) for name in PHANTOMS}


def test_there_are_the_levels_and_lesions_that_were_asked_for():
    assert len(PHANTOMS) >= 6
    kinds = [spec.lesion.kind if spec.lesion else None for spec in PHANTOMS.values()]
    assert {None, "calcified", "smooth", "spiculated", "chest-wall"} == set(kinds)
    assert {spec.level for spec in PHANTOMS.values()} == set(LEVELS)


def test_the_same_seed_draws_the_same_and_another_does_not(phantoms):
    again = draw("arch-spiculated-mass")
    np.testing.assert_array_equal(again.hu, phantoms["arch-spiculated-mass"].hu)
    assert to_dicom(again) == to_dicom(phantoms["arch-spiculated-mass"])
    assert not np.array_equal(draw("arch-spiculated-mass", seed=99).hu, again.hu)


def test_tissues_have_their_hounsfield_units(phantoms):
    heart = phantoms["heart-smooth-nodule"]
    assert heart.hu[230:260, 270:290].mean() == pytest.approx(42, abs=6)  # blood
    air = heart.hu[:40]
    assert air.mean() == pytest.approx(-1000, abs=3)
    for name, phantom in phantoms.items():
        lung = phantom.hu[phantom.lung_mask & ~phantom.lesion_mask]
        assert -900 < np.median(lung) < -800, name
        assert phantom.hu.max() > 500, f"{name} has no bone"
        assert np.array_equal(phantom.hu, np.round(phantom.hu))


def test_both_lungs_have_the_size_of_a_persons(phantoms):
    for name, phantom in phantoms.items():
        for side in (np.s_[:, :256], np.s_[:, 256:]):
            area = phantom.lung_mask[side].sum() * 0.07**2
            assert 12 < area < 200, f"{name}: {area:.0f} square cm"
        assert not (phantom.lung_mask & ~phantom.body_mask).any()


def test_lesions_have_their_size_place_and_contrast(phantoms):
    for name, phantom in phantoms.items():
        lesion = PHANTOMS[name].lesion
        if lesion is None:
            assert not phantom.lesion_mask.any()
            continue
        diameter = 2 * np.sqrt(phantom.lesion_mask.sum() * 0.7**2 / np.pi)
        # A mass at the chest wall loses what would lie in the wall.
        assert (0.7 if lesion.kind == "chest-wall" else 0.88) * lesion.diameter <= diameter <= 1.1 * lesion.diameter
        core = cv2.erode(phantom.lesion_mask.astype(np.uint8), np.ones((5, 5))).astype(bool)
        assert phantom.hu[core].mean() > 0
        if lesion.kind != "chest-wall":
            ys, xs = np.nonzero(phantom.lesion_mask)
            centre = (np.array([xs.mean(), ys.mean()]) + 0.5 - 256) * 0.7
            assert np.hypot(*(centre - (lesion.x, lesion.y))) < 4
            assert (phantom.lesion_mask & phantom.lung_mask).sum() == phantom.lesion_mask.sum()
    assert phantoms["hilum-calcified-nodule"].hu[phantoms["hilum-calcified-nodule"].lesion_mask].max() > 250


def test_chest_wall_mass_touches_the_wall(phantoms):
    phantom = phantoms["heart-chest-wall-mass"]
    grown = cv2.dilate(phantom.lesion_mask.astype(np.uint8), np.ones((7, 7))).astype(bool)
    assert (grown & ~phantom.lung_mask & phantom.body_mask).sum() > 100


def test_noise_has_the_strength_and_texture_of_ct(phantoms):
    tissue = phantoms["heart-smooth-nodule"].hu[215:263, 250:298]
    assert 0.6 * NOISE < tissue.std() < 1.4 * NOISE
    power = np.abs(np.fft.fft2(tissue - tissue.mean())) ** 2
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(48), np.fft.fftfreq(48)))
    bands = [power[(f > low) & (f <= high)].mean() for low, high in ((0, 0.06), (0.1, 0.2), (0.42, 0.5))]
    assert bands[1] > 2 * bands[0]
    assert bands[1] > 5 * bands[2]


def test_the_abdomen_has_its_organs_and_no_lungs():
    abdomen = draw("abdomen-refused")
    assert not abdomen.lung_mask.any()
    assert abdomen.hu[200:240, 150:190].mean() == pytest.approx(58, abs=8)  # liver
    gas = (abdomen.hu < -600) & abdomen.body_mask
    assert 0.002 < gas.sum() / abdomen.body_mask.sum() < 0.02
    assert pydicom.dcmread(io.BytesIO(to_dicom(abdomen))).BodyPartExamined == "ABDOMEN"


def test_dicom_has_the_same_hu_and_says_what_it_is(phantoms):
    for phantom in phantoms.values():
        raw = to_dicom(phantom)
        loaded = load_slice(raw)
        np.testing.assert_array_equal(loaded.hu, phantom.hu)
        assert (loaded.spacing, loaded.calibrated, loaded.warnings) == (phantom.spacing, True, ())
        ds = pydicom.dcmread(io.BytesIO(raw))
        assert "Synthetic phantom, not a patient" in ds.ImageComments
        assert "Synthetic phantom" in ds.SeriesDescription
        assert str(ds.PatientName) == "SYNTHETIC^PHANTOM"
    uids = [pydicom.dcmread(io.BytesIO(to_dicom(p))).SOPInstanceUID for p in phantoms.values()]
    assert len(set(uids)) == len(uids)


def test_png_is_the_slice_under_the_datasets_window(phantoms):
    picture = Image.open(io.BytesIO(to_png(phantoms["carina-normal"])))
    np.testing.assert_array_equal(np.asarray(picture), to_grey(phantoms["carina-normal"].hu))
    assert "Synthetic phantom" in picture.text["Description"]


def test_bundled_examples_are_these(tmp_path, phantoms):
    written = write_examples(tmp_path)
    assert len(written) == len(BUNDLED) + len(AS_PNG)
    for path in written:
        bundled = ROOT / "examples" / path.name
        # Other processors may round a pixel in a million the other way.
        difference = np.abs(load_slice(bundled).hu - load_slice(path).hu)
        assert (difference > 0).mean() < 1e-3
        assert difference.max() <= 10
    assert {path.name for path in (ROOT / "examples").glob("*.*")} == {path.name for path in written}


@settings(max_examples=6, deadline=None)
@given(
    st.sampled_from(sorted(LEVELS)),
    st.integers(0, 1000),
    st.sampled_from(["smooth", "calcified", "spiculated", "chest-wall"]),
    st.floats(8, 40),
    st.floats(0.85, 1.1),
)
def test_any_spec_draws_a_chest(level, seed, kind, diameter, size):
    phantom = draw(PhantomSpec("t", "d", level, seed, Lesion(kind, -62, 8, diameter), size))
    assert phantom.hu.shape == (512, 512)
    assert np.isfinite(phantom.hu).all()
    assert phantom.lung_mask.any()
    assert phantom.hu.min() >= -1024


def test_unknown_names():
    with pytest.raises(UsageError, match=r"no phantom 'knee'. There are: apex-normal"):
        draw("knee")
    with pytest.raises(UsageError, match=r"no level 'knee'. There are: apex"):
        draw(PhantomSpec("t", "d", "knee", 0))


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="could not be written"):
        write_examples(tmp_path / "file" / "examples")
