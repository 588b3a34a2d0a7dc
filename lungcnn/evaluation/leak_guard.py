"""The leak guard: is a slice, or a near-duplicate of it, among those a model was trained on?

Identical files are found by sha256, near-duplicates (exported again, resized, blurred a little) by a perceptual hash
of the lung crop. A hash of 256 bits tells which slice it was made of only to those who have that slice.
"""

from collections.abc import Sequence

import numpy as np

HASH_SIDE = 16
# Of 256 bits. On the development slices, other exports of a slice differ in 24 at most (99 % of them in 22 or less) and
# slices of different cases in 22 at least.
NEAR_BITS = 21


def perceptual_hashes(crops: np.ndarray) -> list[str]:
    """Perceptual hashes (64 hexadecimal digits) of lung crops float32 `[n, 128, 128]`, grey 0 to 1.

    The signs of the lowest frequencies of a cosine transform against their median (pHash, as ImageHash computes it).
    """
    from imagehash import phash
    from PIL import Image

    pictures = np.round(np.asarray(crops) * 255).astype(np.uint8)
    return [str(phash(Image.fromarray(picture), hash_size=HASH_SIDE)) for picture in pictures]


def near_duplicates(hashes: Sequence[str], known: Sequence[str]) -> np.ndarray:
    """Bool `[n]`: which hashes lie within `NEAR_BITS` of one of the known hashes."""
    if not len(hashes) or not len(known):
        return np.zeros(len(hashes), bool)
    ours, theirs = _bits(hashes), _bits(known)
    # With bits as -1 and 1 the dot product counts agreements less disagreements.
    return ((ours.shape[1] - ours @ theirs.T) / 2 <= NEAR_BITS).any(axis=1)


def _bits(hashes: Sequence[str]) -> np.ndarray:
    raw = np.array([np.frombuffer(bytes.fromhex(digits), np.uint8) for digits in hashes])
    return np.unpackbits(raw, axis=1).astype(np.float32) * 2 - 1
