import dataclasses
import itertools

import numpy as np
import pytest
import strangers
from conftest import ROOT, dicom_bytes

from lungcnn.errors import LungCNNError
from lungcnn.gate.bounds import BOUNDS
from lungcnn.gate.examine import FileFactsError, OneLungError, admit, check_facts, examine
from lungcnn.gate.familiarity import UnknownImageError, fit_familiarity
from lungcnn.gate.measures import Measures
from lungcnn.gate.supine import _SUPINE, _SUPINE_SHAPE
from lungcnn.phantoms.bundled import BUNDLED, PHANTOMS, STRANGERS, PhantomSpec, draw
from lungcnn.phantoms.levels import LEVELS
from lungcnn.preprocessing.anatomy import find_anatomy
from lungcnn.preprocessing.lungs import NoLungsError
from lungcnn.reading.acquisition import SliceFacts
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.exported_window import correct_levels
from lungcnn.reading.loading import load_slice
from lungcnn.windowing import AIR_HU, Window, to_grey, to_unit

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def verdict(content) -> str:
    """ "ok", "corrected", or the code of the refusal."""
    try:
        found = examine(load_slice(content))
    except LungCNNError as error:
        refusal = error
    else:
        refusal = found.refusal
    if refusal is None:
        return strangers.outcome(found.warnings)
    assert str(refusal).endswith(".")
    return refusal.code


def share_caught(files) -> tuple[float, list]:
    """Share of files that are refused, or corrected where that is possible, and the others."""
    files, missed = list(files), []
    for group, name, content in files:
        found = verdict(content)
        if not strangers.caught(group, name, found):
            missed.append((group, name, found))
    return 1 - len(missed) / len(files), missed


# ---------------------------------------------------------------- the file


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"sop_class": "Secondary Capture Image"}, "secondary_capture"),
        ({"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")}, "localizer"),
        ({"image_type": ("DERIVED", "SECONDARY", "MIP")}, "projection"),
        ({"burned_in": True}, "burned_in"),
        ({"orientation": (1, 0, 0, 0, 0, -1)}, "not_axial"),
        ({"orientation": (0, 1, 0, 0, 0, -1)}, "not_axial"),
    ],
)
def test_what_the_file_rules_out(facts, code):
    with pytest.raises(FileFactsError, match="The DICOM file says") as caught:
        check_facts(SliceFacts(**facts))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        ({}, []),
        ({"orientation": AXIAL, "body_part": "CHEST", "thickness": 1.25, "kernel": "STANDARD"}, []),
        ({"orientation": (1, 0, 0, 0, 0.94, -0.34)}, []),  # a gantry tilted by 20 degrees
        ({"orientation": (-1, 0, 0, 0, 1, 0)}, []),
        ({"orientation": (0, 1, 0, -1, 0, 0)}, []),  # turned: it is put upright
        ({"orientation": (-1, 0, 0, 0, -1, 0)}, []),
        ({"body_part": "ABDOMEN"}, ["body_part"]),
        ({"thickness": 10}, ["thick_slice"]),
        ({"kernel": "BONEPLUS"}, ["sharp_kernel"]),
        ({"kernel": "B80f"}, ["sharp_kernel"]),
        ({"kernel": "B60f"}, []),
    ],
)
def test_what_the_file_warns_of(facts, codes):
    assert [warning.code for warning in check_facts(SliceFacts(**facts))] == codes


def test_facts_reach_the_report(pipeline, phantom):
    stored = (phantom.hu + 1024).astype(np.uint16)
    (report,) = pipeline.run_file(dicom_bytes(stored, SliceThickness="8"), checks=False)
    assert (report.status, report.warnings[-1].code) == ("ok", "thick_slice")
    (report,) = pipeline.run_file(dicom_bytes(stored, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    assert (report.status, report.reasons[0].code, report.probabilities) == ("refused", "localizer", None)
    (report,) = pipeline.run_file(dicom_bytes(stored, Modality="MR"))
    assert (report.status, report.reasons[0].code) == ("refused", "not_ct")


# ---------------------------------------------------------------- the picture


def test_bundled_phantoms_are_judged_and_the_stranger_is_not():
    for name in BUNDLED:
        found = verdict(ROOT / "examples" / f"{name}.dcm")
        assert found == ("no_lungs" if name in STRANGERS else "ok"), name
    abdomen = draw(next(iter(STRANGERS)))
    assert verdict(strangers.png(to_grey(abdomen.hu))) == "no_lungs"


@pytest.mark.parametrize("name", strangers.KEPT)
def test_another_window_is_found_and_read(phantom, name):
    window = strangers.KEPT[name]
    read = correct_levels(load_slice(strangers.png(to_grey(phantom.hu, window))))
    shown = (phantom.hu > -950) & (phantom.hu < min(200, window.upper - 20))
    assert np.abs(read.hu - phantom.hu)[shown].mean() < 45
    assert name in strangers.NEAR or read.warnings[-1].code == "window_corrected"


@pytest.mark.parametrize("name", strangers.LOST)
def test_a_window_that_loses_lung_or_tissue_is_refused(phantom, name):
    assert verdict(strangers.png(to_grey(phantom.hu, strangers.LOST[name]))) in {"wrong_window", "no_body", "no_lungs"}


def test_the_datasets_own_window_is_left_alone(phantom):
    loaded = load_slice(strangers.png(to_grey(phantom.hu)))
    assert correct_levels(loaded) is loaded
    calibrated = CTSlice(phantom.hu + 300, calibrated=True)
    assert correct_levels(calibrated) is calibrated


def test_inverted_levels_are_turned_round_once(phantom):
    grey = to_grey(phantom.hu)
    once = correct_levels(load_slice(strangers.png(255 - grey)))
    np.testing.assert_allclose(once.hu, load_slice(strangers.png(grey)).hu, atol=0.01)
    assert once.warnings[-1].code == "inverted_levels"
    assert correct_levels(once) is once


def test_a_dicom_file_without_rescale_is_read_by_its_air(phantom):
    loaded = load_slice(dicom_bytes((phantom.hu + 1024).astype(np.uint16), slope=None))
    read = correct_levels(loaded)
    assert np.abs(read.hu - phantom.hu).max() < 30
    assert "no_rescale" not in {warning.code for warning in read.warnings}


def test_pipeline_shows_the_corrected_slice(pipeline, phantom):
    content = strangers.png(to_grey(phantom.hu, Window(-400, 2000)))
    (report,) = pipeline.run_file(content, checks=False)
    assert report.status == "ok"
    assert [warning.code for warning in report.warnings] == ["window_corrected"]
    assert np.abs(report.ct_slice.hu - phantom.hu)[phantom.lung_mask].mean() < 30


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (np.rot90, {"not_axial"}),
        (lambda grey: np.rot90(grey, 2), {"upside_down"}),
        (lambda grey: grey[::-1], {"upside_down"}),
        (lambda grey: grey[:, :200], {"one_lung", "not_axial", "clipped", "no_lungs"}),
        (strangers._written_over, {"burned_in"}),
    ],
)
def test_turned_cut_and_written_over(phantom, change, codes):
    assert verdict(strangers.png(change(to_grey(phantom.hu)))) in codes


@pytest.mark.parametrize(("height", "lines"), [(8, 1), (12, 2), (20, 1), (30, 1)])
def test_letters_over_soft_tissue_are_found_in_any_size(height, lines):
    from PIL import Image, ImageDraw, ImageFont

    grey = to_grey(draw("base-normal").hu)
    assert verdict(strangers.png(grey)) == "ok"
    picture = Image.fromarray(grey)
    for line in range(lines):
        font = ImageFont.load_default(height * 4 / 3)
        ImageDraw.Draw(picture).text((130, 215 + 2 * height * line), "DOE^JANE 19700101 THORAX", 255, font)
    assert verdict(strangers.png(np.asarray(picture))) == "burned_in"


def test_mirrored_and_noisy_slices_are_judged(phantom):
    rng = np.random.default_rng(0)
    noisy = phantom.hu + rng.normal(0, 60, phantom.hu.shape)
    for hu in (phantom.hu[:, ::-1], noisy, phantom.hu[::2, ::2]):
        assert verdict(strangers.png(to_grey(hu))) == "ok"


def test_each_bound_names_a_measure_and_every_measure_is_bounded():
    names = {field.name for field in dataclasses.fields(Measures)}
    bounded = {bound.measure for bound in BOUNDS}
    assert bounded < names
    assert names - bounded == {"outside", "rind", "lettering"}  # these hold for pictures and corrected windows only


@pytest.mark.slow
def test_the_supine_template_is_the_mean_of_phantoms():
    import base64

    import cv2

    shapes = []
    for level in LEVELS:
        for seed in range(4):
            phantom = draw(PhantomSpec("", "", level, 70 + seed, size=0.9 + 0.05 * seed))
            body = phantom.body_mask
            rows, columns = np.flatnonzero(body.any(axis=1)), np.flatnonzero(body.any(axis=0))
            unit = np.where(body, to_unit(phantom.hu), to_unit(AIR_HU)).astype(np.float32)
            box = unit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            shapes.append(cv2.resize(box, _SUPINE_SHAPE[::-1], interpolation=cv2.INTER_AREA))
    kept = np.frombuffer(base64.b64decode(_SUPINE), np.uint8).reshape(_SUPINE_SHAPE)
    assert np.abs(kept - 255 * np.mean(shapes, axis=0)).max() <= 2


@pytest.mark.slow
def test_most_drawn_strangers_are_refused_or_corrected():
    """Every seventh; all of them in the test with data."""
    share, missed = share_caught(itertools.islice(strangers.drawn(), 0, None, 7))
    assert share >= 0.98, missed


# ---------------------------------------------------------------- the features


def test_distance_tells_known_from_unknown():
    rng = np.random.default_rng(0)
    known, held_out = np.exp(rng.normal(0, 0.4, (400, 12))), np.exp(rng.normal(0, 0.4, (200, 12)))
    familiarity = fit_familiarity("conv5", [(known, held_out)], known)
    near = familiarity.distance(held_out)
    assert (near > familiarity.warn).mean() == pytest.approx(0.01, abs=0.01)
    assert familiarity.check(held_out[np.argmin(near)]) == ()
    assert (familiarity.distance(held_out * 30) > familiarity.refuse).mean() > 0.95
    with pytest.raises(UnknownImageError, match="times the distance"):
        familiarity.check(held_out[0] * 1e3)


def test_familiarity_goes_into_the_card_and_both_ways_through_the_pipeline_heed_it(tmp_path, untrained, phantom_slice):
    from lungcnn.gate.prepared import prepare
    from lungcnn.model.card import load_card, load_model, save_model
    from lungcnn.pipeline import Pipeline

    network, card = load_model(untrained)
    bare = Pipeline.load(untrained)
    crops = np.stack([find_anatomy(CTSlice(draw(name).hu)).crop for name in PHANTOMS])
    logits, features = bare.classifier.features(crops)
    np.testing.assert_allclose(logits, bare.classifier.logits(crops), atol=1e-5)
    np.testing.assert_allclose(features, bare.classifier(crops).activations.max(axis=(1, 2)), atol=1e-5)
    known = fit_familiarity("conv5", [(features, features)], features)
    for warn, refuse, status in (
        (known.warn * 100, known.warn * 200, "ok"),
        (1e-9, 1e9, "ok"),
        (1e-9, 2e-9, "refused"),
    ):
        fields = {"calibration": card.calibration, "familiarity": dataclasses.replace(known, warn=warn, refuse=refuse)}
        path = save_model(network, tmp_path, fields)
        assert load_card(path).familiarity == fields["familiarity"]
        assert path.with_suffix(".json").stat().st_size < 1e6
        pipeline = Pipeline.load(path)
        for report in (pipeline.run(phantom_slice, checks=False), *pipeline.judge([prepare(lambda: phantom_slice)])):
            assert report.status == status
            if status == "refused":
                assert (report.reasons[0].code, report.probabilities) == ("unknown_image", None)
            elif warn == 1e-9:
                assert report.warnings[-1].code == "unlike_training"
    assert load_card(untrained).familiarity is None


# ---------------------------------------------------------------- targets on data


@pytest.mark.data
def test_at_most_two_in_a_hundred_development_slices_are_refused_and_none_changed(data):
    from lungcnn.dataset.folder import read_dataset

    slices = read_dataset(data / "iq-oth-nccd").slices[::4]
    refused = []
    for item in slices:
        loaded = load_slice(item.path)
        found = examine(loaded)
        if found.refusal is not None:
            refused.append((item.file, found.refusal.code))
            continue
        assert found.ct_slice is loaded, f"{item.file} was changed"
    assert len(refused) <= 0.02 * len(slices), refused


@pytest.mark.data
def test_lidc_slices_with_both_lungs_are_judged(data):
    """Looked at: both lungs from 14 to 93; one from 10 and to 101, slivers beside the liver; before and after, none."""
    volume = strangers.lidc_volume(data)

    def verdict(index):
        admit(CTSlice(volume[index], (0.703125, 0.703125), calibrated=True))

    for index in (14, *range(16, 93, 4), 93):
        verdict(index)
    for index in (11, 13, 96, 100):
        with pytest.raises(OneLungError):
            verdict(index)
    for index in (0, 8, 104, 132):
        with pytest.raises(NoLungsError):
            verdict(index)


@pytest.mark.data
def test_strangers_are_refused_or_corrected(data):
    """99 in a hundred of everything drawn, of libraries' photographs, and of what real files can be turned into."""
    files = itertools.chain(strangers.drawn(), strangers.photographs(), strangers.from_data(data))
    share, missed = share_caught(itertools.islice(files, 0, None, 3))
    assert share >= 0.99, missed
