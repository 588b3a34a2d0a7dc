"""What visitors fetch stays in memory: what Gradio gets is a path, for which the guard answers.

Gradio serves a file to all who know its address for as long as it lies there, and deletes it after minutes. From here
results are given for some minutes, or once, and what ships with the page for as long as it is served.
"""

import os
import secrets
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

MAX_TOTAL = 256 * 2**20
EXPIRY = 600  # seconds that a result may be fetched
KINDS = {".png": "image/png", ".pdf": "application/pdf", ".json": "application/json", ".zip": "application/zip"}


@dataclass
class Outgoing:
    """The results that wait to be fetched: path to bytes. Beyond `limit` bytes the oldest go."""

    limit: int = MAX_TOTAL
    expiry: float = EXPIRY
    _kept: dict[str, tuple[float, bytes, bool]] = field(default_factory=dict)
    _shipped: dict[str, bytes] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def give(self, data: bytes, name: str, once: bool = False) -> str:
        """Keep `data`; returns the path to hand to a Gradio component, whose last part is `name`.

        Raises `OSError` where the private folder can't take an empty file.
        """
        path = _fresh(name)
        path.parent.mkdir(parents=True, mode=0o700)
        path.touch()
        with self._lock:
            self._kept[str(path)] = time.monotonic(), data, once
            total = sum(len(entry[1]) for entry in self._kept.values())
            gone = []
            while total > self.limit and len(self._kept) > 1:
                oldest = next(iter(self._kept))
                total -= len(self._kept.pop(oldest)[1])
                gone.append(oldest)
        _remove(gone)
        return str(path)

    def keep(self, data: bytes, name: str) -> str:
        """As `give`, for what is part of the page: it is there until the end, and there is no file."""
        path = str(_fresh(name))
        self._shipped[path] = data
        return path

    def fetch(self, path: str) -> bytes | None:
        """The bytes of a path that `give` or `keep` returned, or None."""
        if path in self._shipped:
            return self._shipped[path]
        with self._lock:
            if path not in self._kept:
                return None
            _, data, once = self._kept[path]
            if once:
                del self._kept[path]
        if once:
            _remove([path])
        return data

    def drop_expired(self) -> None:
        """Forget what is too old."""
        now = time.monotonic()
        with self._lock:
            gone = [path for path, (since, _, _) in self._kept.items() if now - since > self.expiry]
            for path in gone:
                del self._kept[path]
        _remove(gone)

    def __len__(self) -> int:
        return len(self._kept)


outgoing = Outgoing()
give = outgoing.give


def _fresh(name: str) -> Path:
    return Path(os.environ["GRADIO_TEMP_DIR"]) / secrets.token_hex(16) / name


def _remove(paths) -> None:
    for path in map(Path, paths):
        try:
            path.unlink(missing_ok=True)
            path.parent.rmdir()
        except OSError:
            continue
