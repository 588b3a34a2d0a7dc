"""Files that `hostile.py` uploads, besides those that tests of reading make (`hostile_files.py`)."""

import io
import random
import struct
import zipfile
import zlib
from functools import cache


def mutated(example: bytes, rng: random.Random) -> bytes:
    """An example slice with some bytes changed and its end cut off."""
    found = bytearray(example)
    for _ in range(rng.randrange(1, 40)):
        found[rng.randrange(min(len(found), 4000))] = rng.randrange(256)
    return bytes(found[: rng.randrange(200, len(found))])


@cache
def bomb() -> bytes:
    """A zip of half a megabyte that unfolds to 512 MiB."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(8):
            archive.writestr(f"{number}.dcm", bytes(64 * 2**20))
    return stream.getvalue()


@cache
def picture(side: int) -> bytes:
    """A PNG of one grey level."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * side) * side, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
