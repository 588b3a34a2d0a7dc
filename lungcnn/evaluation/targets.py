"""Crops with a lesion whose place is known: boxed, drawn, of phantoms, or outlined by readers."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lungcnn.classes import MALIGNANT
from lungcnn.dataset.crops import CropSet
from lungcnn.dataset.folder import HOME
from lungcnn.evaluation.lidc import outlined_slices
from lungcnn.evaluation.warning_rates import rates
from lungcnn.gate.examine import admit
from lungcnn.gate.familiarity import Familiarity
from lungcnn.preprocessing.anatomy import Anatomy
from lungcnn.preprocessing.lung_crop import CROP_SIZE
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.training.lesions import boxes_mask, insert_lesion

# A lung crop spans some 300 mm, so that 10 mm are about 4 of its pixels.
SMALLEST_INSERTED = 4


@dataclass(frozen=True, eq=False)
class Target:
    """A crop with a lesion whose place is known.

    Attributes:
        crop: float32 `[128, 128]`. lungs, lesion: bool of the same shape. case: whose it is. kind: of `TITLES`.
    """

    kind: str
    case: str
    crop: np.ndarray
    lungs: np.ndarray
    lesion: np.ndarray


def dataset_targets(crop_set: CropSet, seed: int = 0) -> list[Target]:
    """Malignant slices with a lesion surely seen, and other slices of the dataset with one drawn into each."""
    rng = np.random.default_rng(seed)
    targets: list[Target] = []
    if crop_set.classes.lesions is None:
        return targets
    _, malignant = crop_set.classes.lesions
    known = {"boxes": crop_set.boxes, "second_look": crop_set.second_look}
    for index, (item, crop, lungs) in enumerate(zip(crop_set.slices, crop_set.crops, crop_set.lungs, strict=True)):
        at_home = item.collection == HOME
        if item.label == malignant:
            for kind, by_slice in known.items():
                boxes = by_slice[index]
                if boxes is not None and boxes[1].any():
                    lesion = boxes_mask(boxes[0], CROP_SIZE) > 0
                    targets.append(Target(kind if at_home else "elsewhere", item.case, crop, lungs, lesion))
            continue
        if not at_home:
            continue
        drawn, alpha = insert_lesion(crop, lungs, rng)
        lesion = alpha > 0.5
        if lesion.any() and np.sqrt(lesion.sum() * 4 / np.pi) >= SMALLEST_INSERTED:
            targets.append(Target("inserted", item.case, drawn, lungs, lesion))
    return targets


def phantom_targets() -> list[Target]:
    """The bundled phantoms that have a lesion."""
    from lungcnn.phantoms.bundled import PHANTOMS, draw

    found = []
    for name, spec in PHANTOMS.items():
        if spec.lesion is not None:
            phantom = draw(name)
            anatomy = admit(CTSlice(phantom.hu, phantom.spacing))
            found.append(_target("phantoms", name, anatomy, phantom.lesion_mask))
    return found


def outline_targets(folder: Path) -> list[Target]:
    """Slices of a DICOM series with the LIDC readers' outlines in an XML file beside them.

    A pixel belongs to the nodule where at least two readers put it. Slices that the gate refuses are left out.

    Raises `DatasetError` where the folder holds no outlines of its slices.
    """
    outlined = outlined_slices(folder, every=False)
    return [_target("outlines", folder.name, anatomy, lesion) for anatomy, lesion in outlined if lesion.any()]


def series_calls(classifier, folder: Path, familiarity: Familiarity | None = None, malignant: int = MALIGNANT) -> dict:
    """How often a network calls slices of another scanner malignant: through the outlined nodule, and away from it.

    Args:
        classifier: `Classifier`. folder: as `outline_targets`. familiarity: of that network.
        malignant: index of that class.

    Returns:
        `{"through": {"slices", "called"}, "away": {...}}`; slices that the gate refuses don't count. With
        `familiarity` also "unlike_training": as `warning_rates.rates`, malignant being right through the nodule alone.
    """
    outlined = list(outlined_slices(folder, every=True))
    through = np.array([lesion.any() for _, lesion in outlined], bool)
    said = [classifier(anatomy.crop[None]) for anatomy, _ in outlined]
    called = np.array([one.probabilities[0].argmax() == malignant for one in said], bool)
    counts: dict = {
        name: {"slices": int(chosen.sum()), "called": int(called[chosen].sum())}
        for name, chosen in (("through", through), ("away", ~through))
    }
    if familiarity and said:
        distances = familiarity.distance(np.concatenate([one.features for one in said]))
        counts["unlike_training"] = rates(distances > familiarity.warn, called == through)
    return counts


def _target(kind: str, case: str, anatomy: Anatomy, lesion: np.ndarray) -> Target:
    cut = anatomy.box.cut(lesion.astype(np.float32), fill=0.0)
    small = cv2.resize(cut, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_AREA)
    # A nodule smaller than a pixel of the crop still has its place.
    return Target(kind, case, anatomy.crop, anatomy.crop_lungs, small >= min(0.5, small.max()))
