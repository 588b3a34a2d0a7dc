"""The files in a folder, searched through, without those that discs and file systems keep beside slices."""

import os
from collections.abc import Iterator
from pathlib import Path

# Indexes of discs, and what Windows and macOS leave in folders.
_BESIDE = {"DICOMDIR", "Thumbs.db", ".DS_Store"}


def is_beside(name: str) -> bool:
    """Whether a file of this name lies beside slices and is none."""
    return name in _BESIDE or name.startswith("._")


def files_below(folder: Path) -> Iterator[Path]:
    """All that lies in a folder and in its folders, in any order; links to folders aren't followed.

    What may not be read, links that lead nowhere, pipes and devices are among them: reading them says so.
    """
    unlisted: list[Path] = []
    for root, _, names in os.walk(folder, onerror=lambda error: unlisted.append(Path(error.filename))):
        yield from (Path(root, name) for name in names if not is_beside(name))
    yield from unlisted
