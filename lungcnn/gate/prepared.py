"""A slice up to the point where the network takes over: decoded, admitted, cropped.

What comes out is small and holds no picture but the crop, so that threads and processes can work ahead of the network.
Nothing here needs TensorFlow.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from lungcnn.errors import LungCNNError, Reason
from lungcnn.gate.examine import examine
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.loading import open_source


@dataclass(frozen=True, eq=False)
class Prepared:
    """A slice ready for the network, or what stopped it.

    Attributes:
        crop: float32 `[128, 128]`, None where there is an error.
        index: its frame's index in its file.
        warnings: of the slice.
        error: what stopped it: a `RefusalError` for a slice that is not to be judged.
    """

    crop: np.ndarray | None
    index: int = 0
    warnings: tuple[Reason, ...] = ()
    error: LungCNNError | None = None


def prepare(read: Callable[[], CTSlice], index: int = 0) -> Prepared:
    """Decode a slice by calling `read`, and crop it where the gate admits it. Never raises a `LungCNNError`."""
    warnings: tuple[Reason, ...] = ()
    try:
        ct_slice = read()
        index, warnings = ct_slice.frame, ct_slice.warnings
        admission = examine(ct_slice)
    except LungCNNError as error:
        return Prepared(None, index, warnings, error)
    return Prepared(admission.anatomy.crop, index, admission.warnings)


def prepare_file(path_or_bytes) -> Iterator[Prepared]:
    """Prepare every frame of a file; a file that can't be read gives one entry that says so."""
    try:
        source = open_source(path_or_bytes)
    except LungCNNError as error:
        yield Prepared(None, error=error)
        return
    for frame in range(source.frames):
        yield prepare(partial(source.read, frame), frame)
