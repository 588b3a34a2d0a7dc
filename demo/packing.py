"""Slices for the browser: whole HU, losslessly, as small as is quick."""

import numpy as np
from isal import isal_zlib

UNKNOWN_HU = -1024


def pack(hu: np.ndarray) -> bytes:
    """HU `[rows, columns]`, rounded, for `scripts/pixels.js`.

    Each value less its guess from left, upper and upper left neighbour (the median edge detector of LOCO-I, JPEG-LS),
    small numbers of both signs folded to small ones; their low bytes, then their high bytes; zlib.
    """
    whole = np.clip(np.nan_to_num(hu, nan=UNKNOWN_HU, posinf=32767, neginf=-32768), -32768, 32767)
    whole = np.rint(whole).astype(np.int32)
    around = np.pad(whole, ((1, 0), (1, 0)))
    west, north, corner = around[1:, :-1], around[:-1, 1:], around[:-1, :-1]
    low, high = np.minimum(west, north), np.maximum(west, north)
    guess = np.where(corner >= high, low, np.where(corner <= low, high, west + north - corner))
    rest = (whole - guess).astype(np.int16).astype(np.int32)  # modulo 2^16, as it is added again
    folded = (rest << 1) ^ (rest >> 31)
    planes = np.stack([folded & 0xFF, folded >> 8 & 0xFF]).astype(np.uint8)
    return isal_zlib.compress(planes.tobytes(), 2)
