"""A DICOM series with LIDC readers' outlines (XML) beside it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from lungcnn.errors import DatasetError, LungCNNError
from lungcnn.evaluation.series_findings import Box
from lungcnn.gate.examine import admit
from lungcnn.preprocessing.anatomy import Anatomy
from lungcnn.reading.loading import load_slice


def outlined_slices(folder: Path, every: bool) -> Iterator[tuple[Anatomy, np.ndarray]]:
    """Anatomy and nodule mask (bool, of the slice's shape) of the admitted slices: all, or those with outlines."""
    votes, outlined = _outlines(folder), False
    for path in sorted(folder.glob("*.dcm")):
        curves = votes.get(_instance(path), ())
        if not curves and not every:
            continue
        ct_slice = load_slice(path)
        nodule = _nodule(curves, ct_slice.hu.shape)
        outlined |= bool(nodule.any())
        try:
            yield admit(ct_slice), nodule
        except LungCNNError:
            continue
    if not outlined:
        raise DatasetError(f"The folder {folder} holds no DICOM slices with LIDC readers' outlines (XML).")


def nodule_boxes(folder: Path) -> dict[str, Box]:
    """By file name of a slice: left, top, right and bottom of its nodule, in pixels, where two readers outlined one."""
    votes, boxes = _outlines(folder), {}
    for path in sorted(folder.glob("*.dcm")):
        curves = votes.get(_instance(path), ())
        nodule = _nodule(curves, load_slice(path).hu.shape) if curves else np.zeros((1, 1), bool)
        if nodule.any():
            ys, xs = np.flatnonzero(nodule.any(axis=1)), np.flatnonzero(nodule.any(axis=0))
            boxes[path.name] = (float(xs[0]), float(ys[0]), float(xs[-1] + 1), float(ys[-1] + 1))
    return boxes


def _nodule(curves: Iterable[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Where two readers or more drew a nodule, bool of a slice's shape."""
    readers = np.zeros(shape, np.uint8)
    for curve in curves:
        one = np.zeros_like(readers)
        cv2.fillPoly(one, [curve], 1)
        readers += one
    return readers >= 2


def _outlines(folder: Path) -> dict[str, list[np.ndarray]]:
    """The readers' curves, int32 `[points, 2]` (x, y), by the SOP instance they lie on."""
    from defusedxml import ElementTree

    space = "{http://www.nih.gov}"
    votes: dict[str, list[np.ndarray]] = defaultdict(list)
    for path in folder.glob("*.xml"):
        try:
            for region in ElementTree.parse(path).iter(f"{space}roi"):
                points = [
                    [int(edge.findtext(f"{space}{axis}Coord", "")) for axis in "xy"]
                    for edge in region.iter(f"{space}edgeMap")
                ]
                if len(points) > 2:
                    votes[region.findtext(f"{space}imageSOP_UID", "").strip()].append(np.array(points, np.int32))
        except (ElementTree.ParseError, ValueError):  # also for entities, and for points that are no numbers
            raise DatasetError(f"The file {path.name} is not XML of LIDC readers' outlines, or is cut short.") from None
    return votes


def _instance(path: Path) -> str:
    import pydicom

    return str(pydicom.dcmread(path, specific_tags=["SOPInstanceUID"], stop_before_pixels=True).SOPInstanceUID)
