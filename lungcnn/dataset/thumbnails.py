"""Thumbnails of slices whose dot products are correlations: for finding scans that look alike."""

import numpy as np


def thumbnail(grey: np.ndarray) -> np.ndarray:
    """A slice as a unit vector float32 `[4096]` (64x64 by area, mean removed): dot products are correlations."""
    import cv2

    small = cv2.resize(np.asarray(grey, np.float32), (64, 64), interpolation=cv2.INTER_AREA).ravel()
    small -= small.mean()
    return small / max(float(np.linalg.norm(small)), 1e-6)
