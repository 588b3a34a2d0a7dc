"""Cross-validation on folds that keep cases whole; finished folds are kept, so that a killed run goes on."""

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from lungcnn.classes import CLASSES
from lungcnn.dataset.crops import CropSet
from lungcnn.errors import DatasetError, UsageError
from lungcnn.model.card import ModelCard
from lungcnn.model.committee import join
from lungcnn.system import write_whole
from lungcnn.training.history import Epoch, History, OnEpoch, read_history
from lungcnn.training.nodules import NodulePatches
from lungcnn.training.predicting import predict_logits
from lungcnn.training.state import TrainingState
from lungcnn.training.train import Recipe, train_network


def case_folds(crop_set: CropSet, count: int) -> np.ndarray:
    """Fold of each slice, int `[n]`, no case in two: the case list's own folds where it has `count`, else new ones.

    Raises `UsageError` where there are fewer cases of a class than folds.
    """
    listed = crop_set.folds
    if (listed >= 0).all() and len(np.unique(listed)) == count:
        return listed
    cases = {name: len(set(crop_set.cases[crop_set.labels == label])) for label, name in enumerate(crop_set.classes)}
    rarest = min(cases, key=lambda name: cases[name])
    if cases[rarest] < count:
        raise UsageError(f"{count} folds need {count} cases of each class; there are only {cases[rarest]} of {rarest}.")
    from sklearn.model_selection import StratifiedGroupKFold

    folds = np.zeros(len(crop_set.slices), int)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=0)
    for fold, (_, held_out) in enumerate(splitter.split(folds, crop_set.labels, crop_set.cases)):
        folds[held_out] = fold
    return folds


def random_folds(crop_set: CropSet, count: int, seed: int) -> np.ndarray:
    """Folds as published work makes them, slices at random: LEAKY, since a case then stands on both sides."""
    return np.random.default_rng(seed).permutation(len(crop_set.slices)) % count


def cross_validate(
    crop_set: CropSet,
    folds: np.ndarray,
    recipe: Recipe,
    seed: int = 0,
    on_epoch: OnEpoch | None = None,
    checkpoints: Path | None = None,
    name: str = "",
    on_network: Callable[[np.ndarray, object], None] = lambda held_out, network: None,
    learnable: np.ndarray | None = None,
    nodules: dict[str, NodulePatches] | None = None,
) -> np.ndarray:
    """Logits float32 `[n, classes]` of every slice from a network trained on the other folds only.

    Args:
        folds: int `[n]`. checkpoints: a folder where finished folds are kept (logits and network), so that a
            killed run goes on. on_network: called for each fold with its slices (bool `[n]`) and its network.
        name: of the folds, for `on_epoch`.
        learnable: bool `[n]`, which slices may be learnt from; None: all.
        nodules: as `train_network`.
    """
    logits, count = np.zeros((len(folds), len(crop_set.classes)), np.float32), len(np.unique(folds))
    for fold in np.unique(folds):
        held_out = folds == fold
        place = kept_at(checkpoints, crop_set, folds, f"fold{fold}", nodules)
        kept = place and place(recipe, seed).with_suffix(".npy")
        learnt = crop_set.take(~held_out if learnable is None else ~held_out & learnable)
        # The loss is told of slices whose class is known.
        rest = crop_set.take(held_out & (crop_set.labels >= 0))
        title = f"{name}fold {fold + 1} of {count}"
        network = kept_network(learnt, recipe, seed, on_epoch, place, title, rest, nodules)
        if kept and kept.exists():
            logits[held_out] = np.load(kept)
        else:
            logits[held_out] = predict_logits(network, crop_set.crops[held_out])
            if kept:
                write_whole(kept, partial(np.save, arr=logits[held_out]))
        on_network(held_out, network)
    return logits


def fold_networks(crop_set: CropSet, card: ModelCard, checkpoints: Path):
    """Yield `(held out, network)` for each case-blocked fold of the run that made a model (its first seed).

    Args:
        crop_set: of the dataset; slices of elsewhere may have been learnt from beside it.

    Raises `DatasetError` where the folder doesn't hold them, or they were trained on other slices.
    """
    folds = case_folds(crop_set, card.training["folds"])
    same = all(card.training["files"].get(item.file) == item.sha256 for item in crop_set.slices)
    for fold in np.unique(folds):
        kept = checkpoints / f"{card.training['folds_key']}-fold{fold}.npy"
        if not same or not kept.with_suffix(".keras").is_file():
            raise DatasetError(
                f"The folder {checkpoints} holds no network of fold {fold} of this model and these slices. Give the "
                "folder that `python -m lungcnn train ... --checkpoints` wrote."
            )
        yield folds == fold, _saved_network(kept)


Place = Callable[[Recipe, int], Path]


def kept_at(checkpoints: Path | None, crop_set: CropSet, folds: np.ndarray, name: str, nodules=None) -> Place | None:
    """Where the network of a recipe and a seed is kept; None where `checkpoints` is None.

    Args:
        folds: int `[n]`, of the slices of `crop_set`. name: of the slices that it learns from.
    """
    if checkpoints is None:
        return None
    return lambda recipe, seed: checkpoints / f"{run_key(crop_set, folds, recipe, seed, nodules)}-{name}.keras"


def kept_network(
    crop_set: CropSet,
    recipe: Recipe,
    seed: int,
    on_epoch: OnEpoch | None,
    kept: Place | None,
    name: str = "",
    held_out: CropSet | None = None,
    nodules: dict[str, NodulePatches] | None = None,
):
    """A network trained on these slices, or the one that an earlier run kept; its members likewise.

    Args:
        kept: gives the file of a network, as `.keras`; beside that of a member lie its history, as `.csv`, and until
            it is finished its state after the last epoch, as `.npz`, from which it goes on. None keeps nothing.
        name, held_out, nodules: as `train_network`.
    """
    if recipe.members > 1:
        first = seed * recipe.members  # no two runs have a member in common
        found = [
            kept_network(crop_set, one, first + number, on_epoch, kept, f"{name}, member {count}", held_out, nodules)
            for count, (number, one) in enumerate(recipe.of_members, 1)
        ]
        network = join(found)
        if kept:
            _keep(network, kept(recipe, seed))
        return network
    file = kept and kept(recipe, seed)
    log = file and file.with_suffix(".csv")
    if file and log and file.exists():
        if on_epoch:
            for epoch in _kept_epochs(log, recipe, name):
                on_epoch(epoch)
        return _saved_network(file)
    state = TrainingState(file.with_suffix(".npz")) if file else None
    earlier = read_history(log)[: state.done] if state and log else []
    history = History(log, on_epoch, earlier) if log or on_epoch else None
    network = train_network(crop_set, recipe, seed, history, name, held_out, state, nodules)
    if file:
        _keep(network, file)
    if state:
        state.remove()
    return network


def _kept_epochs(log: Path, recipe: Recipe, name: str) -> list[Epoch]:
    """Those of a network that an earlier run trained; of checkpoints of version 0.1 no more is known."""
    epochs = read_history(log)
    if len(epochs) == recipe.epochs:
        return epochs
    return [Epoch(name, number, recipe.epochs, float("nan"), kept=True) for number in range(1, recipe.epochs + 1)]


def _keep(network, file: Path) -> None:
    write_whole(file, lambda draft: network.save(draft, include_optimizer=False))


def _saved_network(kept: Path):
    import keras

    return keras.saving.load_model(kept.with_suffix(".keras"), compile=False, safe_mode=True)


def run_key(crop_set: CropSet, folds: np.ndarray, what: Recipe | str, seed: int, nodules=None) -> str:
    """What a run's checkpoints are called: other slices, folds, recipe, seed or nodules give another name."""
    told = what if isinstance(what, str) else what.as_dict()
    if isinstance(told, dict) and told["members"] == 1:  # what was trained before recipes had several is the same
        del told["members"], told["inflamed"]
        if not told["lesion_editing"]["inflammation"]:
            del told["lesion_editing"]["inflammation"]
    files = [item.sha256 for item in crop_set.slices]
    others = [] if crop_set.classes == CLASSES else [crop_set.classes]
    patches = [hashlib.sha256(kind.levels.tobytes()).hexdigest() for kind in (nodules or {}).values()]
    text = json.dumps([told, seed, files, folds.tolist(), patches, *others])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
