"""Progress on standard error: a bar on a terminal; elsewhere nothing, or plain lines now and then."""

import sys
import time
from contextlib import nullcontext

import click

EVERY_S = 30.0


def progress_bar(*args, quiet: bool, lines: bool = False, **kwargs):
    """A progress bar (tqdm's), silent where standard error is no terminal; with `lines`, plain lines there instead."""
    if lines and not quiet and not sys.stderr.isatty():
        return ProgressLines(kwargs["desc"], kwargs["unit"])

    from tqdm import tqdm

    return tqdm(*args, disable=True if quiet else None, dynamic_ncols=True, **kwargs)


class ProgressLines:
    """What a log gets of a long run: a line every `EVERY_S` seconds, and the last; used as a bar is."""

    def __init__(self, what: str, unit: str):
        self._what, self._unit = what, unit
        self._done = self._total = self.initial = 0
        self._began = self._said = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._say()

    def reset(self, total: int) -> None:
        """Begin anew, with so many to do."""
        self._done, self._total = 0, total

    def update(self, count: int) -> None:
        """So many more are done."""
        self._done += count
        if time.monotonic() - self._said >= EVERY_S:
            self._say()

    def external_write_mode(self):
        """A bar makes room for other lines; lines need none."""
        return nullcontext()

    def _say(self) -> None:
        self._said = time.monotonic()
        rate = (self._done - self.initial) / max(self._said - self._began, 1e-9)
        click.echo(f"{self._what}: {self._done} of {self._total} {self._unit}s, {rate:.1f} a second", err=True)
