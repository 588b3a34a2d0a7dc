"""What a slice teaches in one epoch: as it is, with a lesion put in, or with its lesions taken out.

The labels are the cases', and malignant cases were scanned otherwise than the rest. So that neither the patient nor
the scanner is the answer, lesions go into slices of every background, slices of malignant cases with their lesions
erased count as normal, as do those on which nothing is seen, and what nobody looked at counts less. Slices of
datasets without the classes normal and malignant are left as they are.
"""

from dataclasses import dataclass

import numpy as np

from lungcnn.dataset.crops import CropSet
from lungcnn.training.lesions import boxes_mask, draw_dome, erase_lesion, insert_lesion, transplant_lesion

# Larger lesions fill a lung: they can't be moved without the chest around them.
LARGEST_TRANSPLANT = 45
DECOY_RADII = (3, 14)


@dataclass(frozen=True)
class LesionEditing:
    """How often what is done; kept in the model's card as part of the recipe.

    Attributes:
        insert: chance that a slice that isn't malignant gets a lesion, and is malignant then.
        transplant: share of those lesions that are real ones of other slices; the rest is drawn.
        erase: chance that a malignant slice with boxes has its lesions erased, and is normal then.
        decoy: chance that another slice is changed in the same way where there was no lesion, so that the traces of it
            tell nothing.
        dome: chance that a slice without lesion, or before it gets one, shows the dome of a diaphragm.
        blank_weight: weight of malignant cases' slices on which nothing is seen; they count as normal.
        unseen_weight: weight of malignant cases' slices that nobody looked at.
    """

    insert: float = 0.4
    transplant: float = 0.5
    erase: float = 0.5
    decoy: float = 0.25
    dome: float = 0.4
    blank_weight: float = 0.5
    unseen_weight: float = 0.4

    def weights(self, crop_set: CropSet) -> np.ndarray:
        """By how much each slice's weight is multiplied: float `[n]`."""
        looked_at = np.array([boxes is not None for boxes in crop_set.boxes])
        seen = np.array([boxes is not None and len(boxes[0]) > 0 for boxes in crop_set.boxes])
        malignant = np.isin(crop_set.labels, (crop_set.classes.lesions or ())[1:])
        blank = np.where(malignant & looked_at & ~seen, self.blank_weight, 1.0)
        return np.where(malignant & ~looked_at, self.unseen_weight, blank)

    def donors(self, crop_set: CropSet) -> list[tuple[int, np.ndarray]]:
        """Lesions that can be transplanted: index of the slice, and box."""
        found: list[tuple[int, np.ndarray]] = []
        if crop_set.classes.lesions is None:
            return found
        _, malignant = crop_set.classes.lesions
        for index, (label, boxes) in enumerate(zip(crop_set.labels, crop_set.boxes, strict=True)):
            if label == malignant and boxes is not None:
                sizes = np.ptp(boxes[0].reshape(-1, 2, 2), axis=1).max(axis=1, initial=0)
                found += [(index, box) for box in boxes[0][boxes[1] & (sizes < LARGEST_TRANSPLANT)]]
        return found

    def edit(self, crop_set: CropSet, index: int, donors, rng: np.random.Generator):
        """One slice as it is shown this time.

        Args:
            index: of the slice. donors: from `donors`. rng: source of every choice.

        Returns:
            The crop float32 `[size, size]`, its lesions' mask float32 `[size, size]` (0 where there is none or its
            place is unknown), and the label.
        """
        crop, lungs, boxes = crop_set.crops[index], crop_set.lungs[index], crop_set.boxes[index]
        label, mask = int(crop_set.labels[index]), np.zeros_like(crop)
        if crop_set.classes.lesions is None:
            return crop, mask, label
        normal, malignant = crop_set.classes.lesions
        if label == malignant and boxes is not None:
            corners = boxes[0]
            if len(corners) and rng.random() >= self.erase:
                return crop, boxes_mask(corners, len(crop)), malignant
            for box in corners:
                crop = erase_lesion(crop, box)
            label = normal
        elif label != malignant and rng.random() < self.decoy:
            crop = erase_lesion(crop, _anywhere(lungs, rng))
        if label != malignant and self.dome and rng.random() < self.dome:
            for _ in range(1 + (rng.random() < 0.4)):
                crop, lungs = draw_dome(crop, lungs, rng)
        if label != malignant and rng.random() < self.insert:
            if donors and rng.random() < self.transplant:
                donor, box = donors[rng.integers(len(donors))]
                crop, mask = transplant_lesion(crop, crop_set.crops[donor], box, mirrored=rng.random() < 0.5)
            else:
                crop, mask = insert_lesion(crop, lungs, rng)
            label = malignant if mask.any() else label
        return crop, mask, label


def _anywhere(lungs, rng):
    """A box of random size around a point in the lungs."""
    ys, xs = np.nonzero(lungs if lungs.any() else np.ones_like(lungs))
    pick, radius = rng.integers(len(ys)), rng.uniform(*DECOY_RADII)
    return xs[pick] - radius, ys[pick] - radius, xs[pick] + radius, ys[pick] + radius
