"""A DICOM series with LIDC readers' outlines (XML) beside it."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from lungcnn.errors import DatasetError, LungCNNError
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
        readers = np.zeros(ct_slice.hu.shape, np.uint8)
        for curve in curves:
            one = np.zeros_like(readers)
            cv2.fillPoly(one, [curve], 1)
            readers += one
        outlined |= bool((readers >= 2).any())
        try:
            yield admit(ct_slice), readers >= 2
        except LungCNNError:
            continue
    if not outlined:
        raise DatasetError(f"The folder {folder} holds no DICOM slices with LIDC readers' outlines (XML).")


def _outlines(folder: Path) -> dict[str, list[np.ndarray]]:
    from xml.etree import ElementTree

    space = "{http://www.nih.gov}"
    votes: dict[str, list[np.ndarray]] = {}
    for path in folder.glob("*.xml"):
        try:
            root = ElementTree.parse(path).getroot()  # noqa: S314 - expat itself limits the expansion of entities
        except ElementTree.ParseError:
            raise DatasetError(f"The file {path.name} is not XML, or is cut short.") from None
        for region in root.iter(f"{space}roi"):
            points = [
                (int(edge.findtext(f"{space}xCoord")), int(edge.findtext(f"{space}yCoord")))
                for edge in region.iter(f"{space}edgeMap")
            ]
            if len(points) > 2:
                name = region.findtext(f"{space}imageSOP_UID").strip()
                votes.setdefault(name, []).append(np.array(points, np.int32))
    return votes


def _instance(path: Path) -> str:
    import pydicom

    return str(pydicom.dcmread(path, specific_tags=["SOPInstanceUID"], stop_before_pixels=True).SOPInstanceUID)
