"""Can a run's results be written where they are to go? Asked before the run, which takes hours."""

import shutil
import tempfile
from pathlib import Path

from lungcnn.dataset.case_list import CASE_LIST
from lungcnn.errors import UsageError
from lungcnn.shipped import shipped_file

# Model, ONNX file, card and figures take some 3 MB; a fold's checkpoint 2 MB.
_NEEDED_MB = 50


def check_output_folder(folder: Path, force: bool = False) -> None:
    """Check that a folder, there or yet to be made, can take what a run writes; nothing is left in it.

    Args:
        force: also accept the folder of the model that ships.

    Raises `UsageError` for what is not a folder, can't be written, has no space left, or holds the model that ships.
    """
    if not force and folder.resolve() == shipped_file("models").resolve():
        raise UsageError(
            f"The folder {folder} holds the model that ships, and its card; they would be replaced. Name another "
            "folder, or insist with --force."
        )
    check_room(folder)


def check_output_file(path: Path) -> None:
    """Check that a file of results can be written, in a folder that is there or yet to be made.

    Raises `UsageError` as `check_room`, and for a file that ships.
    """
    models = shipped_file("models").resolve()
    if path.exists() and (path.resolve() == CASE_LIST.resolve() or path.resolve().parent == models):
        raise UsageError(f"The file {path} ships with lungcnn; it would be replaced. Name another.")
    check_room(path.parent)


def check_room(folder: Path) -> None:
    """Check that a folder, there or yet to be made, takes files and has space left.

    Raises `UsageError` for what is not a folder, can't be written, or has no space left.
    """
    nearest = folder.absolute()
    while not nearest.exists():
        nearest = nearest.parent
    if not nearest.is_dir():
        raise UsageError(f"Nothing can be written to {folder}: {nearest} is not a folder. Name another.")
    try:
        with tempfile.TemporaryFile(dir=nearest):
            free = shutil.disk_usage(nearest).free / 1e6
    except OSError as error:
        raise UsageError(f"Nothing can be written to {folder}: {error.strerror}. Name another folder.") from None
    if free < _NEEDED_MB:
        raise UsageError(
            f"There are only {free:.0f} MB left for {folder}; a run needs {_NEEDED_MB} MB. Make room, or name another "
            "folder."
        )
