"""Names for what is written of many inputs: one each, whatever the inputs are called."""

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

# Other endings may be a part of the name, such as the last component of a UID.
_ENDINGS = {".dcm", ".dicom", ".ima", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"}
# File systems take names of 255 bytes; endings, numbers and the mark of a draft come on top.
_MAX_BYTES = 200


class OutputNames:
    """Names (without ending) of the files in some folders, each given away once; letters of either case are alike."""

    def __init__(self, folders: Iterable[Path]):
        self._folders = [os.path.realpath(folder) for folder in folders]
        self._taken: set[str] = set()
        self._inputs: set[str] = set()

    def spare(self, inputs: Iterable[Path | str]) -> None:
        """Give no name away under which one of these files would be overwritten."""
        for path in inputs:
            folder, name = os.path.split(path)
            if os.path.realpath(folder) in self._folders:
                self._inputs.add(name.casefold())

    def claim(self, given: Path | str, suffix: str = "") -> str:
        """The name for what is made of an input: its own, and a number where that is taken.

        Args:
            given: path of a file, or its name in an archive. suffix: put after its name.
        """
        own = _shortened(_without_ending(re.split(r"[/\\]", str(given))[-1]) or "slice") + suffix
        name, number = own, 1
        while self._in_use(name.casefold()):
            number += 1
            name = f"{own}-{number}"
        self._taken.add(name.casefold())
        return name

    def _in_use(self, name: str) -> bool:
        return name in self._taken or any(name + ending in self._inputs for ending in (".png", ".npy"))


def _without_ending(name: str) -> str:
    stem, ending = os.path.splitext(name)
    return stem if ending.lower() in _ENDINGS else name


def _shortened(name: str) -> str:
    """The name, or as much of a long one as file systems take, and a digest that tells it from its like."""
    data = name.encode("utf-8", "surrogateescape")
    if len(data) <= _MAX_BYTES:
        return data.decode("utf-8", "replace")
    return data[: _MAX_BYTES - 9].decode("utf-8", "ignore") + "-" + hashlib.sha256(data).hexdigest()[:8]
