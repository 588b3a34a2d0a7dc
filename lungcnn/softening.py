"""Image noise: measured, and taken away from training slices, so that a smooth scan is no evidence for a class.

In IQ-OTH/NCCD the noise in soft tissue alone tells malignant slices from the others (ROC AUC 0.99): the malignant
cases' scans were smoother. A network takes that up, and then calls any smooth scan of another hospital malignant.
Slices of normal and benign cases are therefore shown softened as well: a smooth slice without a lesion then is normal.
"""

import cv2
import numpy as np

from lungcnn.windowing import to_unit

_TISSUE = to_unit(np.float32((-50, 145)))
_FEWEST_PIXELS = 150
# Immerkaer (1996), "Fast noise variance estimation": blind to edges and ramps.
_LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
_MAD = 1.4826


def noise_level(crop: np.ndarray) -> float:
    """Standard deviation of the noise in the soft tissue of a lung crop, in grey levels 0 to 1.

    Args:
        crop: float32 `[128, 128]`, grey 0 to 1 under the dataset's window.

    Returns:
        0 where there is too little soft tissue to tell.
    """
    tissue = ((crop > _TISSUE[0]) & (crop < _TISSUE[1])).astype(np.uint8)
    tissue = cv2.erode(tissue, np.ones((3, 3), np.uint8)).astype(bool)
    if tissue.sum() < _FEWEST_PIXELS:
        return 0.0
    return _MAD * float(np.median(np.abs(cv2.filter2D(crop, -1, _LAPLACIAN)[tissue])))


def soften(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The crop as a softer reconstruction kernel or a thicker slice might show it: float32 `[size, size]`, 0 to 1.

    An edge-preserving filter takes most of the noise, sometimes a blur some of the sharpness, and a fine grain is
    left, each of random strength.
    """
    softened = cv2.bilateralFilter(crop, 5, rng.uniform(0.04, 0.12), 1.5)
    if rng.random() < 0.4:
        softened = cv2.GaussianBlur(softened, (0, 0), rng.uniform(0.4, 0.8))
    grain = cv2.GaussianBlur(rng.standard_normal(crop.shape, np.float32), (0, 0), rng.uniform(0.6, 1.0))
    grain *= rng.uniform(0, 0.005) / float(grain.std())
    return np.clip(crop + rng.uniform(0.6, 1.0) * (softened - crop) + grain, 0, 1).astype(np.float32)
