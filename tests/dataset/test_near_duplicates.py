import cv2
import numpy as np
import pytest

from lungcnn.dataset.near_duplicates import NEAR_BITS, KnownHashes, hashes_of_copies, perceptual_hashes, unpack
from lungcnn.phantoms.bundled import PHANTOMS, PhantomSpec, draw
from lungcnn.preprocessing.anatomy import find_anatomy
from lungcnn.reading.loading import load_slice
from lungcnn.windowing import to_grey


def read(picture):
    return load_slice(cv2.imencode(".png", np.ascontiguousarray(picture))[1].tobytes())


def turned(picture, angle):
    rows, columns = picture.shape
    matrix = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), angle, 1.0)
    return cv2.warpAffine(picture, matrix, (columns, rows), borderValue=int(picture.min()))


def bits_apart(picture, hashes):
    """From a picture's copies to the nearest of some hashes."""
    return KnownHashes(unpack(hashes)).bits_apart(hashes_of_copies(read(picture))).min()


@pytest.fixture(scope="module")
def grey(phantom):
    return to_grey(phantom.hu)


@pytest.fixture(scope="module")
def original(grey):
    """The hash of the slice as a card keeps it."""
    return perceptual_hashes(find_anatomy(read(grey)).crop[None])


def test_hashes_are_those_of_imagehash(grey):
    from imagehash import phash
    from PIL import Image

    crops = np.stack([find_anatomy(read(grey)).crop, np.random.default_rng(0).random((128, 128), np.float32)])
    pictures = [Image.fromarray(np.round(crop * 255).astype(np.uint8)) for crop in crops]
    assert perceptual_hashes(crops) == [str(phash(picture, hash_size=16)) for picture in pictures]


def test_other_exports_of_a_slice_are_near(grey, original):
    exports = {
        "compressed": cv2.imdecode(cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_GRAYSCALE),
        "smaller": cv2.resize(grey, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA),
        "larger": cv2.resize(grey, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC),
        "wider": np.pad(grey, 40, constant_values=int(grey.min())),
        "blurred": cv2.GaussianBlur(grey, (0, 0), 1.0),
    }
    for name, picture in exports.items():
        assert bits_apart(picture, original) <= NEAR_BITS, name


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("quarters", range(4))
def test_the_eight_symmetries_are_near(grey, original, quarters, mirrored):
    picture = np.rot90(grey, quarters)
    assert bits_apart(picture[:, ::-1] if mirrored else picture, original) <= NEAR_BITS


@pytest.mark.parametrize("angle", [-10, -7, 2, 5, 8])
def test_slices_turned_by_some_degrees_are_near(grey, original, angle):
    assert bits_apart(turned(grey, angle), original) <= NEAR_BITS
    assert bits_apart(turned(grey, angle)[:, ::-1], original) <= NEAR_BITS


def test_other_patients_are_not():
    theirs = perceptual_hashes(np.stack([find_anatomy(read(to_grey(draw(name).hu))).crop for name in PHANTOMS]))
    for number, level in enumerate(("carina", "hilum", "heart")):
        other = draw(PhantomSpec("", "", level, 300 + number))
        assert bits_apart(to_grey(other.hu), theirs) > NEAR_BITS, level


def test_bits_are_counted():
    none, some = np.zeros((1, 32), np.uint8), np.zeros((2, 32), np.uint8)
    some[0, 3], some[1] = 0b1011, 255
    assert KnownHashes(none).bits_apart(some).tolist() == [[3], [256]]
    assert unpack(["00" * 3 + "0b" + "00" * 28]).tolist() == some[:1].tolist()
    assert unpack([]).shape == (0, 32)
