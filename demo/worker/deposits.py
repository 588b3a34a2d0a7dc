"""The series of uploads, found where files are read, and kept there as long as their visitor looks at them."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lungcnn import LungCNNError

if TYPE_CHECKING:
    from lungcnn import CTSlice, Reading, Series

MAX_KEPT = 1024 * 2**20
OF_A_SLICE = 6 * 2**10  # bytes that are known and said of each slice of a series, besides its file


@dataclass(frozen=True, eq=False)
class Upload:
    """Files that were uploaded together, under a random name."""

    files: tuple[bytes, ...] = field(repr=False)
    name: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def size(self) -> int:
        return sum(map(len, self.files))


def size_of(upload: Upload, reading: Reading) -> int:
    """Bytes that an upload takes with what was found in it."""
    return upload.size + OF_A_SLICE * sum(map(len, reading.series))


class NotKept(LungCNNError):  # noqa: N818 - an answer: its files are needed again
    """Raised where an upload is asked for by its name that isn't kept (any more)."""

    code = "not_kept"


class Deposits:
    """Uploads by name, each read once. The least recently used go beyond `limit` bytes."""

    def __init__(self, limit: int = MAX_KEPT):
        self._limit = limit
        self._kept: OrderedDict[str, tuple[int, Reading]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, upload: Upload, progress: Callable[[int, int], object] = lambda done, files: None) -> Reading:
        """Find its series; they are kept. Raises as `read_series`."""
        from lungcnn import read_series  # not before the process is on its way that imports it, too

        reading = read_series(upload.files, progress)
        with self._lock:
            self._kept[upload.name] = size_of(upload, reading), reading
            while len(self._kept) > 1 and sum(size for size, _ in self._kept.values()) > self._limit:
                self._kept.popitem(last=False)
        return reading

    def series(self, upload: Upload, number: int) -> Series:
        """One of its series. Raises `NotKept` where it isn't kept and comes without its files."""
        with self._lock:
            if upload.name in self._kept:
                self._kept.move_to_end(upload.name)
                return self._kept[upload.name][1].series[number]
        if not upload.files:
            raise NotKept("The upload is not kept here; its files are needed again.")
        return self.read(upload).series[number]

    def slice(self, upload: Upload, number: int, index: int, with_file: bool) -> tuple[CTSlice, bytes | None]:
        """A slice of a series, decoded, and where asked for its file. Raises as `load_slice`."""
        one = self.series(upload, number).slices[index]
        content = one.content() if with_file else None
        return one.read(), content if isinstance(content, bytes) else None

    def forget(self, name: str) -> None:
        """Nobody looks at it any more."""
        with self._lock:
            self._kept.pop(name, None)


def outline(reading: Reading) -> Reading:
    """A reading without the files in it, and without their names: what the page is told of it."""
    series = tuple(
        replace(
            one,
            slices=tuple(replace(item, name="", _file=None) for item in one.slices),  # type: ignore[arg-type]
            set_aside=tuple(replace(item, name="") for item in one.set_aside),
        )
        for one in reading.series
    )
    return replace(reading, series=series, set_aside=tuple(replace(item, name="") for item in reading.set_aside))
