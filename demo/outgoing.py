"""What visitors fetch stays in memory, under names of ours that are no paths; the guard answers for it.

Gradio serves a file to all who know its address for as long as it lies there, and deletes it after minutes. From here
results are given for some minutes, or once, and what ships with the page for as long as it is served.
"""

import secrets
import threading
import time
from dataclasses import dataclass, field

MAX_TOTAL = 256 * 2**20
EXPIRY = 600  # seconds that a result may be fetched
KINDS = {".png": "image/png", ".pdf": "application/pdf", ".json": "application/json", ".zip": "application/zip"}


@dataclass
class Outgoing:
    """The results that wait to be fetched: name to bytes. Beyond `limit` bytes the oldest go."""

    limit: int = MAX_TOTAL
    expiry: float = EXPIRY
    _kept: dict[str, tuple[float, bytes, bool]] = field(default_factory=dict)
    _shipped: dict[str, bytes] = field(default_factory=dict)
    _total: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def give(self, data: bytes, name: str, once: bool = False) -> str:
        """Keep `data`; returns what to fetch it by: a random name, and `name` behind it."""
        fresh = _fresh(name)
        with self._lock:
            self._kept[fresh] = time.monotonic(), data, once
            self._total += len(data)
            while self._total > self.limit and len(self._kept) > 1:
                self._forget(next(iter(self._kept)))
        return fresh

    def keep(self, data: bytes, name: str) -> str:
        """As `give`, for what is part of the page: it is there until the end."""
        fresh = _fresh(name)
        self._shipped[fresh] = data
        return fresh

    def fetch(self, name: str) -> bytes | None:
        """The bytes of a name that `give` or `keep` returned, or None."""
        if name in self._shipped:
            return self._shipped[name]
        with self._lock:
            if name not in self._kept:
                return None
            _, data, once = self._kept[name]
            if once:
                self._forget(name)
        return data

    def drop_expired(self) -> None:
        """Forget what is too old."""
        now = time.monotonic()
        with self._lock:
            for name in [name for name, (since, _, _) in self._kept.items() if now - since > self.expiry]:
                self._forget(name)

    def _forget(self, name: str) -> None:
        self._total -= len(self._kept.pop(name)[1])

    def __len__(self) -> int:
        return len(self._kept)


outgoing = Outgoing()
give = outgoing.give


def _fresh(name: str) -> str:
    return f"{secrets.token_hex(16)}/{name}"
