"""Which way a slice lies: by what its file says, and by what it shows, which prevails where both are sure."""

import numpy as np

from lungcnn.errors import Reason
from lungcnn.gate.likeness import QUARTERS, Likeness
from lungcnn.gate.views import Views, find_views
from lungcnn.preprocessing.anatomy import Anatomy, crop_anatomy, find_masks
from lungcnn.preprocessing.turn import AS_STORED, Turn, upright_by
from lungcnn.reading.acquisition import SliceFacts
from lungcnn.reading.ct_slice import CTSlice

# Log-odds in favour of what ImageOrientationPatient says, of what PatientPosition suggests (whoever stored the picture
# may have turned it already), and of a picture as it is.
STATED, SUGGESTED, UNTURNED = 4.0, 2.0, 0.5
# Quarter turns that make a patient who lies on the belly, the right or the left side lie on the back; feet first, right
# and left are swapped.
_TURN_OF = {"HFP": 2, "FFP": 2, "HFDR": 3, "HFDL": 1, "FFDR": 1, "FFDL": 3}


def find_upright(ct_slice: CTSlice, likeness: Likeness) -> tuple[Anatomy, Views, tuple[Reason, ...]]:
    """The anatomy of a slice with its crop upright, its views, and a warning where it had to be turned for that.

    Raises `NoBodyError` and `NoLungsError` as `find_anatomy`.
    """
    body, lungs = find_masks(ct_slice.hu, ct_slice.aspect)
    stated, in_favour = _stated(ct_slice.facts)
    anatomy = crop_anatomy(ct_slice, body, lungs, stated)
    views = find_views(ct_slice.hu, ct_slice.aspect, anatomy)
    further = QUARTERS[int((likeness.upright_scores(views) + in_favour).argmax())]
    if further != AS_STORED:
        anatomy = crop_anatomy(ct_slice, body, lungs, stated.then(further))
        views = find_views(ct_slice.hu, ct_slice.aspect, anatomy)
    return anatomy, views, _told(anatomy.box.turn, by_picture=further != AS_STORED)


def _stated(facts: SliceFacts | None) -> tuple[Turn, np.ndarray]:
    """The turn that the file asks for, and the log-odds float `[4]` in favour of as many further quarter turns."""
    in_favour = np.zeros(4)
    if facts and facts.orientation:
        in_favour[0] = STATED
        return upright_by(facts.orientation), in_favour
    if facts and facts.patient_position:
        in_favour[_TURN_OF.get(facts.patient_position, 0)] = SUGGESTED
    else:
        in_favour[0] = UNTURNED
    return AS_STORED, in_favour


def _told(turn: Turn, by_picture: bool) -> tuple[Reason, ...]:
    if turn in (AS_STORED, Turn(0, mirrored=True)):
        return ()
    who = "Judging by spine, lungs and couch" if by_picture else "By what the file says of its orientation"
    return (
        Reason(
            "turned",
            f"{who}, the patient's back is not at the bottom of the picture (a prone patient, or a picture that was "
            "turned). It was judged upright, and is shown as it was stored.",
        ),
    )
