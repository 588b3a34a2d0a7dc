"""A slice up to the point where the network takes over: decoded, examined, cropped.

Nothing here needs TensorFlow, so that threads and processes can work ahead of the network.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from lungcnn.errors import JudgingError, LungCNNError, Reason, told_as
from lungcnn.gate.examine import Examination, examine
from lungcnn.preprocessing.lung_crop import CropBox
from lungcnn.reading.acquisition import SliceFacts
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.loading import open_source


@dataclass(frozen=True, eq=False)
class Prepared:
    """A slice ready for the network, or why it can't be judged.

    Attributes:
        crop: float32 `[128, 128]`, None where there is an error.
        index: its frame's index in its file.
        warnings: of the slice.
        error: what stopped it: a `RefusalError` for a slice that is not to be judged.
        box: where the crop lies on the slice. spacing, facts: of the slice, as `CTSlice` has them.
        uids: of series and instance, where an archive's operator is told them.
        examination: the gate's, of a slice that will be shown; else None, which keeps what waits for the network small.
    """

    crop: np.ndarray | None
    index: int = 0
    warnings: tuple[Reason, ...] = ()
    error: LungCNNError | None = None
    box: CropBox | None = None
    spacing: tuple[float, float] | None = None
    facts: SliceFacts | None = None
    examination: Examination | None = None
    uids: tuple[str | None, str | None] = (None, None)

    @property
    def shown(self) -> CTSlice | None:
        """The slice as it is judged and shown, where the examination was kept."""
        return self.examination.ct_slice if self.examination else None


def prepare(read: Callable[[], CTSlice], index: int = 0) -> Prepared:
    """Decode a slice by calling `read`, and crop it where the gate admits it. Whatever is raised becomes its error."""
    try:
        with told_as(JudgingError):
            ct_slice = read()
    except LungCNNError as error:
        return Prepared(None, index, error=error)
    found = prepare_slice(ct_slice)
    return replace(found, examination=None)


def prepare_slice(ct_slice: CTSlice) -> Prepared:
    """A slice that is decoded already, with the gate's examination."""
    found = examine(ct_slice)
    crop, box = (found.anatomy.crop, found.anatomy.box) if found.anatomy else (None, None)
    return Prepared(
        crop, ct_slice.frame, found.warnings, found.refusal, box, ct_slice.spacing, ct_slice.facts, examination=found
    )


def prepare_file(path_or_bytes) -> Iterator[Prepared]:
    """Prepare every frame of a file; a file that can't be read gives one entry that says so."""
    try:
        source = open_source(path_or_bytes)
    except LungCNNError as error:
        yield Prepared(None, error=error)
        return
    for frame in range(source.frames):
        yield prepare(partial(source.read, frame), frame)
