"""A private folder for what Gradio writes, which no way of dying leaves behind for long."""

import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "lungcnn-demo-"
LOCK = ".lock"
_YOUNG = 60  # seconds in which a folder may still be without its lock
_held: list[FileLock] = []  # open lock files: the kernel lets go of them when the process dies, however it dies


def make_scratch() -> Path:
    """Make the folder (mode 0700), name it to Gradio, and remove those of demos that were killed.

    Gradio reads the variables when it is imported: call this before. Raises `OSError` where the temporary
    directory can't be written.
    """
    remove_stale(Path(tempfile.gettempdir()))
    scratch = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    try:
        _hold(scratch / LOCK)
    except OSError:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    os.environ["GRADIO_TEMP_DIR"] = str(scratch)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "100"  # it would note who asked for what 10,000 times
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    return scratch


def remove_scratch(scratch: Path) -> None:
    """Remove the folder; a thread that is still writing gets a few more tries."""
    for _ in range(5):
        shutil.rmtree(scratch, ignore_errors=True)
        if not scratch.exists():
            return
        time.sleep(0.02)


def remove_stale(parent: Path) -> list[Path]:
    """Remove our folders in `parent` that no living process holds; returns them."""
    removed = []
    for folder in parent.glob(PREFIX + "[0-9]*-*"):
        try:
            if _is_stale(folder):
                shutil.rmtree(folder, ignore_errors=True)
                removed.append(folder)
        except OSError:  # gone meanwhile, or not ours to read
            continue
    return removed


def _is_stale(folder: Path) -> bool:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
        return False
    lock = folder / LOCK
    if not lock.exists():
        return time.time() - found.st_mtime > _YOUNG
    try:
        with FileLock(lock, timeout=0):
            return True
    except Timeout:
        return False


def _hold(path: Path) -> None:
    lock = FileLock(path, timeout=0)
    lock.acquire()
    _held.append(lock)
