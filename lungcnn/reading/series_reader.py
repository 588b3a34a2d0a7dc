"""Files become series: grouped, sorted along the normal of their planes, what is no axial slice set aside.

Only headers are read here; a slice is decoded when it is asked for, so that a series of hundreds costs no memory.
Series are told apart by SeriesInstanceUID and instances by SOPInstanceUID; neither is kept.
"""

import os
from collections import defaultdict

from lungcnn.errors import LungCNNError, Reason, UnsupportedFileError
from lungcnn.reading.dicom_series import dicom_series, frames_of
from lungcnn.reading.picture_series import picture_series
from lungcnn.reading.series import Reading, SetAside
from lungcnn.reading.series_files import collect_files


def read_series(source) -> Reading:
    """Find the series in what a user has.

    Args:
        source: a path of a folder (searched through), zip archive or file; the bytes of a zip archive or file; a
            mapping of names to any of these; or an iterable of them or of binary files.

    Raises:
        UnreadableFileError: a path that doesn't exist, or a damaged archive.
        UnsupportedFileError: an archive of too many or too large members; nothing given.
    """
    files = list(collect_files(source))
    if not files:
        raise UnsupportedFileError("No files were given. Accepted are a folder, files, or a zip archive of CT slices.")
    aside: list[SetAside] = []
    dicom, pictures = defaultdict(list), defaultdict(list)
    for item, file in enumerate(files):
        try:
            kind = file.kind()
            if kind == "dicom":
                key, frames = frames_of(item, file)
                dicom[key] += frames
            else:
                pictures[os.path.dirname(file.name)].append((item, file))
        except LungCNNError as error:
            aside.append(SetAside(item, None, Reason(error.code, str(error)), file.name))
    series = []
    for frames in dicom.values():
        found, others = dicom_series(frames)
        series += found
        aside += others
    for members in pictures.values():
        series.append(picture_series(members))
    series.sort(key=lambda one: -len(one))
    return Reading(tuple(series), tuple(aside))
