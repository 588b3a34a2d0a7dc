"""May the model judge this slice at all? What is refused gets no probability.

This first form reads the picture only: a body, lungs in it, and densities that lungs and soft tissue have on CT.
"""

import numpy as np

from lungcnn.anatomy import Anatomy, find_anatomy
from lungcnn.errors import RefusalError
from lungcnn.loading import CTSlice

# Ranges in HU, each some 50 HU beyond the extremes of the 903 development slices and of LIDC-IDRI-0001.
LUNG_MEDIAN = (-990, -550)
LUNG_DARKEST_TENTH = -1060
TISSUE_MEDIAN = (-150, 120)
LARGEST_LUNG_SHARE = 0.6
# Share of the body's area that lung has on either side: less on 1 % of the development slices (large masses, collapse).
LEAST_LUNG_ON_A_SIDE = 0.02


class NotFiniteError(RefusalError):
    """The slice holds NaN or infinite values: a network would answer them with a plausible number."""

    code = "not_finite"


class NotChestCTError(RefusalError):
    """Something like a body and lungs was found, but not with the densities of a chest CT under a lung window."""

    code = "not_chest_ct"


class OneLungError(RefusalError):
    """Lung on one side of the body only, or next to none on the other."""

    code = "one_lung"


def admit(ct_slice: CTSlice) -> Anatomy:
    """The anatomy of a slice that may be judged.

    Raises:
        NotFiniteError: NaN or infinite pixels.
        NoBodyError, NoLungsError: as `find_anatomy`.
        OneLungError: no two lungs, as above the apices, below the bases and after the loss of a lung.
        NotChestCTError: densities that a chest CT doesn't have.
    """
    if not np.isfinite(ct_slice.hu).all():
        raise NotFiniteError("The slice holds values that are not finite numbers. Export it again.")
    anatomy = find_anatomy(ct_slice)
    if min(anatomy.lung_sides()) < LEAST_LUNG_ON_A_SIDE:
        raise OneLungError(
            "Lung was found on one side of the body only: the slice may lie above the apices or below the bases, or "
            "one lung holds no air. Accepted are axial slices that show both lungs."
        )
    # A sparse grid of pixels gives the same medians at a fraction of the time.
    hu, body, lungs = (image[::2, ::2] for image in (ct_slice.hu, anatomy.body, anatomy.lungs))
    lung, tissue = hu[lungs], hu[body & ~lungs]
    share = lung.size / max(1, lung.size + tissue.size)
    if not lung.size or not tissue.size or share > LARGEST_LUNG_SHARE:
        raise _not_chest(f"{share:.0%} of the outline would be lung")
    middle, darkest = np.median(lung), np.percentile(lung, 10)
    if not LUNG_MEDIAN[0] <= middle <= LUNG_MEDIAN[1] or darkest < LUNG_DARKEST_TENTH:
        raise _not_chest(f"what would be lung measures {middle:.0f} HU, its darkest tenth {darkest:.0f} HU or less")
    if not TISSUE_MEDIAN[0] <= np.median(tissue) <= TISSUE_MEDIAN[1]:
        raise _not_chest(f"what would be soft tissue measures {np.median(tissue):.0f} HU")
    return anatomy


def _not_chest(found: str) -> NotChestCTError:
    return NotChestCTError(
        f"This does not look like a chest CT under a lung window: {found}. Accepted are axial chest-CT slices, as "
        "DICOM or exported with a window near centre -500, width 1500 HU."
    )
