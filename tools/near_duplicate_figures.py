"""How many copies of development slices the leak guard finds, and how many slices of other cases it takes for copies.

`python tools/near_duplicate_figures.py DATASET [--every 4]`: copies are made of every n-th slice.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from lungcnn.dataset.folder import read_dataset
from lungcnn.dataset.near_duplicates import NEAR_BITS, KnownHashes, hashes_of_copies
from lungcnn.errors import LungCNNError
from lungcnn.reading.loading import load_slice


def turned(picture: np.ndarray, angle: float) -> np.ndarray:
    """A picture turned about its middle by some degrees, at its size."""
    rows, columns = picture.shape
    matrix = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), angle, 1.0)
    return cv2.warpAffine(picture, matrix, (columns, rows), borderValue=int(picture.min()))


def resized(picture: np.ndarray, factor: float) -> np.ndarray:
    """A picture at another size."""
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=method)


def symmetric(picture: np.ndarray, quarters: int, mirrored: bool) -> np.ndarray:
    """One of a picture's eight symmetries."""
    picture = np.rot90(picture, quarters)
    return np.ascontiguousarray(picture[:, ::-1] if mirrored else picture)


COPIES: dict[str, list[Callable]] = {
    "symmetries": [lambda p, q=q, m=m: symmetric(p, q, m) for m in (False, True) for q in range(4) if q or m],
    "resized": [lambda p, f=f: resized(p, f) for f in (0.5, 0.75, 1.5)],
    "turned by 2 to 5 degrees": [lambda p, a=a: turned(p, a) for a in (2, -3, 5)],
    "turned by 6 to 10 degrees": [lambda p, a=a: turned(p, a) for a in (-6, 7, 9, -10)],
    "mirrored, turned by 7.5 degrees": [lambda p: symmetric(turned(p, 7.5), 0, True)],
}


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--every", type=int, default=4)
    arguments = parser.parse_args()
    slices = read_dataset(arguments.dataset).slices
    cases = np.array([item.case for item in slices])
    views = np.stack([hashes_of_copies(load_slice(item.path)) for item in slices])
    known = KnownHashes(views[:, 0])
    nearest = np.stack([known.bits_apart(one).min(axis=0) for one in views])
    others = np.where(cases[:, None] != cases[None], nearest, 256)
    figures = {
        "near_bits": NEAR_BITS,
        "slices": len(slices),
        "slices near one of another case": float((others.min(axis=1) <= NEAR_BITS).mean()),
        "pairs": [
            (slices[i].file, slices[j].file, int(others[i, j])) for i, j in np.argwhere(others <= NEAR_BITS) if i < j
        ],
        "found": {},
    }
    for name, ways in COPIES.items():
        found = []
        for index in range(0, len(slices), arguments.every):
            picture = cv2.imread(str(slices[index].path), cv2.IMREAD_GRAYSCALE)
            for way in ways:
                content = cv2.imencode(".png", way(picture))[1].tobytes()
                try:
                    found.append(known.bits_apart(hashes_of_copies(load_slice(content))).min() <= NEAR_BITS)
                except LungCNNError:
                    continue
        figures["found"][name] = {"copies": len(found), "share": round(float(np.mean(found)), 4)}
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
