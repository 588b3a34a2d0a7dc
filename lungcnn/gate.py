"""May the model judge this slice at all?

This first form asks for a body and lungs in it. What it refuses gets no probability.
"""

import numpy as np

from lungcnn.anatomy import Anatomy, find_anatomy
from lungcnn.errors import LungCNNError
from lungcnn.loading import CTSlice


class NotFiniteError(LungCNNError):
    """The slice holds NaN or infinite values: a network would answer them with a plausible number."""

    code = "not_finite"


def admit(ct_slice: CTSlice) -> Anatomy:
    """The anatomy of a slice that may be judged.

    Raises:
        NotFiniteError: NaN or infinite pixels.
        NoBodyError, NoLungsError: as `find_anatomy`, and where what looks like lungs is not air within tissue.
    """
    if not np.isfinite(ct_slice.hu).all():
        raise NotFiniteError("The slice holds values that are not finite numbers. Export it again.")
    return find_anatomy(ct_slice)
