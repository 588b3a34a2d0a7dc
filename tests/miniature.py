"""A dataset in the layout of IQ-OTH/NCCD, made of phantoms: three cases a class, two slices a case.

`python tests/miniature.py FOLDER` writes one, with its case list `cases.csv`, for the notebook.
"""

import csv
import hashlib
import sys
from pathlib import Path

import cv2

sys.path.insert(0, str(Path(__file__).parent.parent))

from lungcnn.phantoms.bundled import PhantomSpec, draw
from lungcnn.phantoms.lesion import Lesion
from lungcnn.windowing import to_grey

FOLDERS = {"normal": "Normal cases", "benign": "Bengin cases", "malignant": "Malignant cases"}
CASES = 3
# Slices of one level look alike, so each class has its own: none then stands under two labels.
LEVELS = {"normal": ("carina", "base"), "benign": ("hilum", "apex"), "malignant": ("heart", "arch")}


def write_miniature(folder: Path) -> Path:
    """Write the dataset and its case list; returns the list's path. Folds are 0 to 2, a case of each class in each."""
    rows, seed = [], 0
    for label, name in FOLDERS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for case in range(CASES):
            for level in LEVELS[label]:
                seed += 1
                lesion = {
                    "normal": None,
                    "benign": Lesion("calcified", -70, 10, 11),
                    "malignant": Lesion("spiculated", (-75, 75, -70)[case], 12, 34),
                }[label]
                phantom = draw(PhantomSpec("", "", level, 100 + seed, lesion, size=0.95 + 0.04 * case))
                file = f"{name}/{name.removesuffix('s')} ({seed}).jpg"
                content = cv2.imencode(".jpg", to_grey(phantom.hu), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
                (folder / file).write_bytes(content)
                sha256 = hashlib.sha256(content).hexdigest()
                rows.append([file, label, sha256, 512, 512, f"{label}-{case}", "dev", case])
    path = folder / "cases.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "label", "sha256", "width", "height", "case_group", "split", "fold"])
        writer.writerows(rows)
    return path


if __name__ == "__main__":
    print(write_miniature(Path(sys.argv[1])))
