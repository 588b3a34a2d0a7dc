"""Is a slice a copy of a known one: exported again, resized, mirrored, turned by quarters or by a few degrees?

Known slices are kept as perceptual hashes of their lung crops: 256 bits that tell which slice it was only to those who
have that slice. A slice in question is hashed as it is and in all the ways in which a copy may have been turned.
"""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from lungcnn.preprocessing.anatomy import Anatomy, find_anatomy
from lungcnn.preprocessing.lung_crop import CROP_SIZE, lung_box
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.windowing import AIR_HU, to_unit

HASH_SIDE = 16
# The picture whose lowest frequencies are hashed, as pHash has it.
_HASHED_SIDE = 4 * HASH_SIDE
# Of 256 bits; measured on the development slices (docs/training.md says how many copies are found, how many others).
NEAR_BITS = 25
# Degrees by which a copy may be turned. Two degrees change about 10 bits.
ANGLES = tuple(range(-10, 11, 2))
# What is turned reaches this far beyond the lung crop, as a share of it, so that its corners hold chest.
_AROUND = 0.25
_SIGNS = (-1.0) ** np.arange(HASH_SIDE)


def perceptual_hashes(crops: np.ndarray) -> list[str]:
    """Perceptual hashes (64 hexadecimal digits) of lung crops float32 `[n, 128, 128]`, grey 0 to 1.

    The signs of the lowest frequencies of a cosine transform against their median (pHash, as ImageHash computes it).
    """
    return [np.packbits(_bits(_frequencies(crop))).tobytes().hex() for crop in np.asarray(crops)]


def hashes_of_copies(ct_slice: CTSlice) -> np.ndarray:
    """The hashes that copies of a slice may have, uint8 `[8 * len(ANGLES), 32]`: mirrored and turned; first its own.

    Raises as `find_anatomy`.
    """
    anatomy = find_anatomy(ct_slice)
    hashed = [_frequencies(anatomy.crop)]
    wide = _wide(ct_slice, anatomy)
    hashed += [_frequencies(_turned(wide, angle)) for angle in ANGLES if angle]
    return np.concatenate([_eight(frequencies) for frequencies in hashed])


def unpack(hashes: Sequence[str]) -> np.ndarray:
    """Hashes in hexadecimal digits as uint8 `[n, 32]`."""
    return np.array([np.frombuffer(bytes.fromhex(digits), np.uint8) for digits in hashes], np.uint8).reshape(-1, 32)


class KnownHashes:
    """Hashes, uint8 `[m, 32]`, ready to be compared with many others."""

    def __init__(self, hashes: np.ndarray):
        self._signs = _signs(hashes)

    def bits_apart(self, copies: np.ndarray) -> np.ndarray:
        """In how many bits each of `copies` (uint8 `[k, 32]`) differs from each known hash: int `[k, m]`."""
        # With bits as -1 and 1 the dot product counts agreements less disagreements.
        return np.rint((8 * copies.shape[1] - _signs(copies) @ self._signs.T) / 2).astype(int)


def _signs(hashes: np.ndarray) -> np.ndarray:
    return np.unpackbits(hashes, axis=1).astype(np.float32) * 2 - 1


def _frequencies(crop: np.ndarray) -> np.ndarray:
    """The lowest frequencies of a crop's cosine transform, float64 `[16, 16]`."""
    from PIL import Image
    from scipy.fft import dctn

    picture = Image.fromarray(np.round(crop * 255).astype(np.uint8))
    small = picture.resize((_HASHED_SIDE, _HASHED_SIDE), Image.Resampling.LANCZOS)
    return dctn(np.asarray(small, float), type=2)[:HASH_SIDE, :HASH_SIDE]


def _bits(frequencies: np.ndarray) -> np.ndarray:
    return (frequencies > np.median(frequencies)).ravel()


def _eight(frequencies: np.ndarray) -> np.ndarray:
    """The hashes of a picture's eight mirrored and turned copies, uint8 `[8, 32]`.

    A mirror changes the sign of every other frequency, and turning by a quarter swaps rows and columns besides.
    """
    turned = [
        one * down[:, None] * across
        for one in (frequencies, frequencies.T)
        for down in (1 + 0 * _SIGNS, _SIGNS)
        for across in (1 + 0 * _SIGNS, _SIGNS)
    ]
    return np.packbits([_bits(one) for one in turned], axis=1)


def _wide(ct_slice: CTSlice, anatomy: Anatomy) -> np.ndarray:
    """Grey levels, lungs and body around the lung crop at its scale, float32 `[size, size, 3]`."""
    unit = to_unit(np.where(anatomy.body, ct_slice.hu, np.float32(AIR_HU)))
    box = anatomy.box
    across, down = round(_AROUND * box.width), round(_AROUND * box.height)
    box = replace(
        box, left=box.left - across, top=box.top - down, width=box.width + 2 * across, height=box.height + 2 * down
    )
    size = round(CROP_SIZE * (1 + 2 * _AROUND))
    layers = (unit, float(to_unit(np.float32(AIR_HU)))), (anatomy.lungs, 0.0), (anatomy.body, 0.0)
    cuts = [box.cut(layer.astype(np.float32), fill=fill) for layer, fill in layers]
    return np.dstack([cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA) for cut in cuts])


def _turned(wide: np.ndarray, angle: float) -> np.ndarray:
    """The lung crop, float32 `[128, 128]`, of a slice that is turned by some degrees."""
    size = wide.shape[0]
    turn = cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), angle, 1.0)
    air = float(to_unit(np.float32(AIR_HU)))
    masks = cv2.warpAffine(wide[..., 1:], turn, (size, size))
    lungs, body = masks[..., 0] > 0.5, masks[..., 1] > 0.5
    if not lungs.any():  # a sliver, lost between pixels
        return np.full((CROP_SIZE, CROP_SIZE), air, np.float32)
    box = lung_box(body, lungs)
    scale = CROP_SIZE / box.width
    # Pixel centres lie half a pixel from where the box begins.
    place = [[scale, 0, scale * (0.5 - box.left) - 0.5], [0, scale, scale * (0.5 - box.top) - 0.5], [0, 0, 1]]
    moved = (np.array(place) @ np.vstack([turn, [0, 0, 1]]))[:2]
    return cv2.warpAffine(wide[..., 0], moved, (CROP_SIZE, CROP_SIZE), borderValue=air)
