"""How a training run is shown: a bar on a terminal, plain lines elsewhere, and where it stopped."""

import sys
import time
from collections import deque
from pathlib import Path
from statistics import median

import click

from lungcnn.training.history import Epoch, best_epoch

# Epochs whose median tells what is left: a network's first one compiles it, and takes ten times as long.
_RECENT = 40


class TrainingProgress:
    """Takes each epoch and shows it; what is left is reckoned from the epochs that this run trained itself.

    Args:
        total: epochs in all. quiet: show nothing.
    """

    def __init__(self, total: int, quiet: bool):
        from tqdm import tqdm

        self._total, self._quiet = total, quiet
        on_terminal = not quiet and sys.stderr.isatty()
        self._bar = tqdm(total=total, desc="training", unit="epoch", dynamic_ncols=True) if on_terminal else None
        self._network: list[Epoch] = []
        self._done = self.finished = 0
        self._last = time.monotonic()
        self._took: deque[float] = deque(maxlen=_RECENT)

    def __enter__(self) -> "TrainingProgress":
        return self

    def __exit__(self, *_) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, epoch: Epoch) -> None:
        """Take one epoch."""
        self._done += 1
        self._network = [*self._network, epoch] if epoch.number > 1 else [epoch]
        now = time.monotonic()
        if not epoch.kept:
            self._took.append(now - self._last)
        self._last = now
        last = epoch.number == epoch.of
        self.finished += last
        if self._bar is not None:
            self._move(self._bar, epoch)
            if last:
                with self._bar.external_write_mode():
                    click.echo(self._line(epoch), err=True)
        elif not self._quiet and (last or not epoch.kept):
            left = self.seconds_left()
            click.echo(self._line(epoch) + (f"; {_in_words(left)} left" if left else ""), err=True)

    def _move(self, bar, epoch: Epoch) -> None:
        if epoch.kept:
            # Not `update`: the bar's rate would count epochs that took no time.
            bar.initial += 1
            bar.n += 1
            bar.last_print_n = bar.n
            bar.refresh()
        else:
            bar.set_postfix_str(_losses(epoch, self._network))
            bar.update(1)

    def seconds_left(self) -> float | None:
        """What the epochs to come will take at this run's pace; None before there is one."""
        return median(self._took) * (self._total - self._done) if self._took else None

    def _line(self, epoch: Epoch) -> str:
        text = f"{epoch.network}, epoch {epoch.number} of {epoch.of}: {_losses(epoch, self._network)}"
        return text + ("; kept from an earlier run" if epoch.kept else "")


def _losses(epoch: Epoch, network: list[Epoch]) -> str:
    text, best = f"loss {epoch.loss:.3f}", best_epoch(network)
    if epoch.validation_loss is not None and best:
        text += f", validation loss {epoch.validation_loss:.3f} (best {best.validation_loss:.3f} in {best.number})"
    return text


def stopped(progress: TrainingProgress, checkpoints: Path | None) -> str:
    """What is said where a run was stopped by hand: what is kept, and how to go on."""
    if checkpoints is None:
        return "Stopped. Nothing is kept: with --checkpoints FOLDER a run that is started again goes on where it was."
    networks = "network" if progress.finished == 1 else "networks"
    return (
        f"Stopped. {progress.finished} finished {networks} and the finished epochs of the next are kept in "
        f"{checkpoints}; the same command goes on from there."
    )


def _in_words(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
