"""Files become series: grouped, sorted along the normal of their planes, what is no axial slice set aside.

Only headers are read here; a slice is decoded when it is asked for, so that a series of hundreds costs no memory.
Series are told apart by SeriesInstanceUID, or without one by all that is alike within a series; pictures by folder.
No identifier is kept.
"""

from collections import defaultdict
from collections.abc import Callable

from lungcnn.errors import LungCNNError, Reason, UnsupportedFileError
from lungcnn.reading.dicom_series import dicom_series, frames_of
from lungcnn.reading.picture_list import picture_list
from lungcnn.reading.reader_process import reading_many
from lungcnn.reading.series import Reading, SetAside
from lungcnn.reading.series_files import collect_files
from lungcnn.reading.slice_order import Frame
from lungcnn.reading.source_file import SourceFile

MAX_SLICES = 100_000


def read_series(source, progress: Callable[[int, int], object] = lambda done, files: None) -> Reading:
    """Find the series in what a user has.

    Args:
        source: a path of a folder (searched through), zip archive or file; the bytes of a zip archive or file; a
            mapping of names to any of these; or an iterable of them or of binary files.
        progress: called with the number of files looked at, and of all of them.

    Raises:
        UnreadableFileError: a path that doesn't exist, or a damaged archive, where nothing else was given.
        UnsupportedFileError: an archive of too many or too large members, where nothing else was; nothing given.
    """
    files = list(collect_files(source))
    with reading_many():
        return _found(files, progress)


def _found(files: list[SourceFile], progress: Callable[[int, int], object]) -> Reading:
    if not files:
        raise UnsupportedFileError("No files were given. Accepted are a folder, files, or a zip archive of CT slices.")
    aside: list[SetAside] = []
    frames_of_series: dict[tuple, list[Frame]] = defaultdict(list)
    pictures_in_folder: dict[str, list[tuple[int, SourceFile]]] = defaultdict(list)
    count = 0
    for item, file in enumerate(files):
        progress(item, len(files))
        if count > MAX_SLICES:
            raise UnsupportedFileError(
                f"The files claim more than {MAX_SLICES} slices in all. Send their series one at a time."
            )
        try:
            if file.kind() == "dicom":
                key, frames = frames_of(item, file)
                count += len(frames)
                frames_of_series[key] += frames
            else:
                pictures_in_folder[file.folder].append((item, file))
        except LungCNNError as error:
            aside.append(SetAside(item, None, Reason(error.code, str(error)), file.name))
    series = []
    for frames in frames_of_series.values():
        found, others = dicom_series(frames)
        series += found
        aside += others
    series += [picture_list(members) for members in pictures_in_folder.values()]
    series.sort(key=len, reverse=True)
    return Reading(tuple(series), tuple(aside))
