"""A network halfway through its training, kept so that a run that is stopped loses an epoch at most."""

from pathlib import Path
from typing import Any

import numpy as np

from lungcnn.system import write_whole


class TrainingState:
    """Weights, optimizer and random states after an epoch, in a `.npz` file."""

    def __init__(self, path: Path):
        self._path = path
        self.done = 0
        self._arrays: list[np.ndarray] = []
        if path.is_file():
            with np.load(path, allow_pickle=False) as kept:
                self.done = int(kept["done"])
                self._arrays = [kept[f"v{number}"] for number in range(len(kept.files) - 1)]

    def restore(self, network, optimizer) -> None:
        """Put a network and its built optimizer into the state that was kept, if any was."""
        if self.done:
            for variable, value in zip(_variables(network, optimizer), self._arrays, strict=True):
                variable.assign(value)

    def save(self, network, optimizer, done: int) -> None:
        """Keep the state after `done` epochs."""
        arrays: dict[str, Any] = {
            f"v{number}": np.asarray(v) for number, v in enumerate(_variables(network, optimizer))
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._path, lambda draft: np.savez(draft, done=done, **arrays))

    def remove(self) -> None:
        """Remove what was kept: the network is finished."""
        self._path.unlink(missing_ok=True)


def _variables(network, optimizer) -> list:
    """With those of the layers' random generators."""
    return [*network.variables, *optimizer.variables]
