"""What is known after each epoch of a network's training; kept as CSV beside its checkpoint."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Epoch:
    """One epoch of one network.

    Attributes:
        network: which one, for people ("seed 0, fold 2"). number: counted from 1, `of` in all.
        loss: mean over the training slices as they were shown, with the loss on the maps.
        validation_loss: cross-entropy of the held-out slices, uncalibrated; None where none are held out.
        seconds: that it took. kept: it was trained by an earlier run.
    """

    network: str
    number: int
    of: int
    loss: float
    validation_loss: float | None = None
    seconds: float = 0.0
    kept: bool = False


OnEpoch = Callable[[Epoch], None]
_COLUMNS = tuple(field.name for field in fields(Epoch) if field.name != "kept")


class History:
    """Writes a network's epochs to a CSV file as they come, and hands them on.

    Args:
        path: the file, begun anew; None writes none. on_epoch: called with each epoch.
        earlier: epochs that come first.
    """

    def __init__(self, path: Path | None, on_epoch: OnEpoch | None, earlier: Sequence[Epoch] = ()):
        self._path, self._on_epoch = path, on_epoch
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(",".join(_COLUMNS) + "\n", encoding="utf-8")
        for epoch in earlier:
            self(epoch)

    def __call__(self, epoch: Epoch) -> None:
        """Take one epoch."""
        if self._path:
            with self._path.open("a", newline="", encoding="utf-8") as stream:
                csv.writer(stream).writerow([getattr(epoch, name) for name in _COLUMNS])
        if self._on_epoch:
            self._on_epoch(epoch)


def read_history(path: Path) -> list[Epoch]:
    """The epochs in a file that `History` wrote, marked as kept; none where there is no such file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return [
            Epoch(
                network=row["network"],
                number=int(row["number"]),
                of=int(row["of"]),
                loss=float(row["loss"]),
                validation_loss=float(row["validation_loss"]) if row["validation_loss"] else None,
                seconds=float(row["seconds"]),
                kept=True,
            )
            for row in csv.DictReader(stream)
        ]


def best_epoch(epochs: list[Epoch]) -> Epoch | None:
    """The epoch with the lowest validation loss; None where none was measured."""
    measured = [epoch for epoch in epochs if epoch.validation_loss is not None]
    return min(measured, key=lambda epoch: epoch.validation_loss or 0.0, default=None)
