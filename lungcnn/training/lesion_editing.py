"""What a slice teaches in one epoch: as it is, with a lesion put in, or with its lesions taken out.

The labels are the cases', and malignant cases were scanned otherwise than the rest. So that neither the patient nor
the scanner is the answer, lesions go into slices of every background, slices of malignant cases with their lesions
erased count as normal, as do those on which nothing is seen, and what nobody looked at counts less. Disease that is no
tumour is drawn, too: such a slice may be anything but malignant, and where an inflammation is plain to see, it may be
taught to be benign. Slices of datasets without the classes normal and malignant are left as they are.
"""

from dataclasses import dataclass

import numpy as np

from lungcnn.dataset.crops import CropSet
from lungcnn.dataset.elsewhere import DISEASED
from lungcnn.training.diffuse import draw_disease
from lungcnn.training.lesions import boxes_mask, draw_dome, erase_lesion, insert_lesion, transplant_lesion
from lungcnn.training.nodules import NodulePatches

# Larger lesions fill a lung: they can't be moved without the chest around them.
LARGEST_TRANSPLANT = 45
# The label of a slice with drawn inflammation: benign, but it counts as `DISEASED` does.
INFLAMED = -2
# Share of the lungs from which on an inflammation is plain to see.
PLAIN = 0.05
DECOY_RADII = (3, 14)


@dataclass(frozen=True)
class LesionEditing:
    """How often what is done; kept in the model's card as part of the recipe.

    Attributes:
        insert: chance that a slice that isn't malignant gets a lesion, and is malignant then.
        nodule: share of those lesions that are nodules of LIDC-IDRI, where these are at hand.
        transplant: share of the others that are real ones of other slices; the rest is drawn.
        benign_nodule: share of the nodules that look harmless; the slice is benign then.
        erase: chance that a malignant slice with boxes has its lesions erased, and is normal then.
        decoy: chance that another slice is changed in the same way where there was no lesion, so that the traces of it
            tell nothing.
        dome: chance that a slice without lesion, or before it gets one, shows the dome of a diaphragm.
        disease: chance that such a slice shows pneumonia, fluid or scars, and may be anything but malignant then.
        inflammation: whether pneumonia is drawn with ragged edges, too, and makes a slice benign where it is plain to
            see, as other inflammation does.
        insert_diseased: chance that it gets a lesion all the same.
        blank_weight: weight of malignant cases' slices on which nothing is seen; they count as normal.
        unseen_weight: weight of malignant cases' slices that nobody looked at.
    """

    insert: float = 0.4
    nodule: float = 0.7
    transplant: float = 0.5
    benign_nodule: float = 0.12
    erase: float = 0.5
    decoy: float = 0.25
    dome: float = 0.4
    disease: float = 0.5
    inflammation: bool = False
    insert_diseased: float = 0.15
    blank_weight: float = 0.5
    unseen_weight: float = 0.4

    def weights(self, crop_set: CropSet) -> np.ndarray:
        """By how much each slice's weight is multiplied: float `[n]`."""
        seen = crop_set.seen
        looked_at = np.array([boxes is not None for boxes in seen])
        lesion = np.array([boxes is not None and len(boxes[0]) > 0 for boxes in seen])
        malignant = np.isin(crop_set.labels, (crop_set.classes.lesions or ())[1:])
        blank = np.where(malignant & looked_at & ~lesion, self.blank_weight, 1.0)
        return np.where(malignant & ~looked_at, self.unseen_weight, blank)

    def edit(self, crop_set: CropSet, index: int, lesions: "Lesions", rng: np.random.Generator):
        """One slice as it is shown this time.

        Args:
            index: of the slice. lesions: that can be put in. rng: source of every choice.

        Returns:
            The crop float32 `[size, size]`, its lesions' mask float32 `[size, size]` (0 where there is none or its
            place is unknown), and the label: a class, `DISEASED` or `INFLAMED`.
        """
        crop, lungs, boxes = crop_set.crops[index], crop_set.lungs[index], lesions.seen[index]
        label, mask = int(crop_set.labels[index]), np.zeros_like(crop)
        if crop_set.classes.lesions is None:
            return crop, mask, label
        normal, malignant = crop_set.classes.lesions
        if label == malignant:
            if boxes is None:
                return crop, mask, label
            corners = boxes[0]
            if len(corners) and rng.random() >= self.erase:
                return crop, boxes_mask(corners, len(crop)), label
            for box in corners:
                crop = erase_lesion(crop, box)
            label = normal
        elif rng.random() < self.decoy:
            crop = erase_lesion(crop, _anywhere(lungs, rng))
        if rng.random() < self.dome:
            for _ in range(1 + (rng.random() < 0.4)):
                crop, lungs = draw_dome(crop, lungs, rng)
        if rng.random() < self.disease:
            crop, inflamed = draw_disease(crop, lungs, rng, self.inflammation)
            plain = self.inflammation and inflamed >= PLAIN and lesions.benign is not None
            label = INFLAMED if plain else DISEASED
        if rng.random() >= (self.insert_diseased if label < 0 else self.insert):
            return crop, mask, label
        return self._with_lesion(crop, lungs, label, lesions, rng)

    def _with_lesion(self, crop, lungs, label: int, lesions: "Lesions", rng):
        if lesions.suspicious and rng.random() < self.nodule:
            if lesions.harmless and lesions.benign is not None and rng.random() < self.benign_nodule:
                crop, pasted = lesions.harmless.paste(crop, lungs, rng, largest=1.15)
                # The map is asked to lie on malignant lesions alone.
                return crop, np.zeros_like(crop), lesions.benign if pasted.any() and label >= 0 else label
            crop, mask = lesions.suspicious.paste(crop, lungs, rng)
        elif lesions.donors and rng.random() < self.transplant:
            donor, box = lesions.donors[rng.integers(len(lesions.donors))]
            crop, mask = transplant_lesion(crop, donor, box, mirrored=rng.random() < 0.5)
        else:
            crop, mask = insert_lesion(crop, lungs, rng)
        return crop, mask, lesions.malignant if mask.any() else label


@dataclass(frozen=True, eq=False)
class Lesions:
    """What is known of a crop set's lesions, and what can be put into its slices.

    Attributes:
        seen: as `CropSet.seen`. donors: lesions that can be transplanted: the crop that shows one, and its box.
        benign, malignant: what a slice with a harmless or suspicious lesion is; None where there is no such class.
        suspicious, harmless: nodules; None where there are none.
    """

    seen: tuple[tuple[np.ndarray, np.ndarray] | None, ...]
    donors: list[tuple[np.ndarray, np.ndarray]]
    benign: int | None = None
    malignant: int | None = None
    suspicious: NodulePatches | None = None
    harmless: NodulePatches | None = None

    @classmethod
    def of(cls, crop_set: CropSet, nodules: dict[str, NodulePatches] | None = None) -> "Lesions":
        """Those of a crop set; `nodules` as `read_nodules` gives them."""
        classes, donors = crop_set.classes, []
        _, malignant = classes.lesions or (None, None)
        for crop, label, boxes in zip(crop_set.crops, crop_set.labels, crop_set.seen, strict=True):
            if label == malignant and boxes is not None:
                sizes = np.ptp(boxes[0].reshape(-1, 2, 2), axis=1).max(axis=1, initial=0)
                donors += [(crop, box) for box in boxes[0][boxes[1] & (sizes < LARGEST_TRANSPLANT)]]
        benign = classes.index("benign") if "benign" in classes else None
        nodules = nodules or {}
        return cls(crop_set.seen, donors, benign, malignant, nodules.get("malignant"), nodules.get("benign"))


def _anywhere(lungs, rng):
    """A box of random size around a point in the lungs."""
    ys, xs = np.nonzero(lungs if lungs.any() else np.ones_like(lungs))
    pick, radius = rng.integers(len(ys)), rng.uniform(*DECOY_RADII)
    return xs[pick] - radius, ys[pick] - radius, xs[pick] + radius, ys[pick] + radius
