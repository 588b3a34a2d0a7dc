"""What the machine is asked for: cores, files that are whole or not there, and names of files as text."""

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path


def usable_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` make a draft beside `path`, which takes that name once it is complete and on disk.

    A killed run leaves what was there before. The draft keeps the ending, by which some writers choose the form.

    Raises what `write` raises, and `OSError`; the draft is then removed.
    """
    draft = path.with_name(f".{path.stem}.draft{path.suffix}")
    try:
        write(draft)
        with draft.open("rb") as stream:
            os.fsync(stream.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def printable_name(name: str) -> str:
    """A file's name as text that UTF-8 can hold: bytes that are none of it are shown as \\xNN.

    Python keeps such bytes as lone surrogates (PEP 383), which no JSON, table or terminal takes.
    """
    shown = (f"\\x{ord(sign) - 0xDC00:02x}" if "\udc80" <= sign <= "\udcff" else sign for sign in name)
    return "".join(shown).encode("utf-8", "backslashreplace").decode()


def name_on_a_line(name: str) -> str:
    """A file's name for a terminal: as `printable_name`, without signs that end a line or steer the terminal."""
    moving = {"Cc", "Zl", "Zp"}
    return "".join(
        sign.encode("unicode_escape").decode() if unicodedata.category(sign) in moving else sign
        for sign in printable_name(name)
    )
