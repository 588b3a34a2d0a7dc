"""The whole of a training run: cross-validation, calibration, figures, the final network and its card."""

import hashlib
import json
import platform
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np

from lungcnn.artefact import Calibration, save_model
from lungcnn.calibration import fit_calibration
from lungcnn.dataset import CropSet
from lungcnn.errors import UsageError
from lungcnn.evaluation import cross_calibrated, summarise
from lungcnn.network import CLASSES
from lungcnn.training import Recipe, predict_logits, train_network

_PACKAGES = ("lungcnn", "tensorflow", "keras", "numpy", "opencv-python-headless")


def case_folds(crop_set: CropSet, count: int) -> np.ndarray:
    """Fold of each slice, int `[n]`, no case in two: the case list's own folds where it has `count`, else new ones.

    Raises `UsageError` where there are fewer cases of a class than folds.
    """
    listed = crop_set.folds
    if (listed >= 0).all() and len(np.unique(listed)) == count:
        return listed
    fewest = min(len(set(crop_set.cases[crop_set.labels == label])) for label in range(len(CLASSES)))
    if fewest < count:
        raise UsageError(f"{count} folds need {count} cases of each class; one class has only {fewest}.")
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
    on_epoch: Callable[[float], None] | None = None,
    checkpoints: Path | None = None,
) -> np.ndarray:
    """Logits float32 `[n, 3]` of every slice from a network trained on the other folds only.

    Args:
        folds: int `[n]`. checkpoints: a folder where finished folds are kept, so that a killed run goes on.
    """
    logits = np.zeros((len(folds), len(CLASSES)), np.float32)
    for fold in np.unique(folds):
        held_out = folds == fold
        kept = checkpoints and checkpoints / f"{_key(crop_set, folds, recipe, seed)}-fold{fold}.npy"
        if kept and kept.exists():
            logits[held_out] = np.load(kept)
            for _ in range(recipe.epochs if on_epoch else 0):
                on_epoch(float("nan"))
            continue
        network = _train(crop_set, ~held_out, recipe, seed, on_epoch)
        logits[held_out] = predict_logits(network, crop_set.crops[held_out])
        if kept:
            checkpoints.mkdir(parents=True, exist_ok=True)
            np.save(kept, logits[held_out])
    return logits


def _train(crop_set: CropSet, chosen: np.ndarray, recipe, seed, on_epoch):
    return train_network(
        crop_set.crops[chosen],
        crop_set.lungs[chosen],
        crop_set.labels[chosen],
        crop_set.cases[chosen],
        recipe,
        seed,
        on_epoch,
    )


def _key(crop_set, folds, recipe, seed) -> str:
    files = [item.sha256 for item in crop_set.slices]
    text = json.dumps([recipe.as_dict(), seed, files, folds.tolist()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_study(
    crop_set: CropSet,
    out: Path,
    recipe: Recipe,
    seed: int = 0,
    folds: int = 0,
    leaky: bool = False,
    on_epoch: Callable[[float], None] | None = None,
    checkpoints: Path | None = None,
) -> tuple[Path, dict]:
    """Cross-validate, calibrate, train on every slice, and write model and card (and `evaluation.json`) into `out`.

    Args:
        folds: number of case-blocked folds; 0 trains the final network only, uncalibrated and without figures.
        leaky: also measure on random folds of slices, for comparison.
        on_epoch: called once an epoch; there are `epochs_of` in all.

    Returns:
        The model's path and the figures as in `evaluation.json` (empty without folds).
    """
    calibration, figures = Calibration(), {}
    labels, cases = crop_set.labels, crop_set.cases
    if folds:
        blocked = case_folds(crop_set, folds)
        logits = cross_validate(crop_set, blocked, recipe, seed, on_epoch, checkpoints)
        calibration = fit_calibration(logits, labels, cases)
        figures["blocked"] = summarise(cross_calibrated(logits, labels, cases, blocked))
        if leaky:
            mixed = random_folds(crop_set, folds, seed)
            logits = cross_validate(crop_set, mixed, recipe, seed, on_epoch, checkpoints)
            figures["random_leaky"] = summarise(cross_calibrated(logits, labels, cases, mixed))
    network = _train(crop_set, np.ones(len(labels), bool), recipe, seed, on_epoch)
    training = {
        "recipe": recipe.as_dict(),
        "seed": seed,
        "folds": folds,
        "date": date.today().isoformat(),
        "slices": len(labels),
        "cases": len(set(cases)),
        "files": {item.file: item.sha256 for item in crop_set.slices},
    }
    versions = {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}}
    path = save_model(
        network,
        out,
        {"calibration": calibration, "training": training, "versions": versions, "figures": figures},
    )
    if figures:
        text = json.dumps({**figures, "recipe": asdict(recipe), "seed": seed}, indent=1)
        (out / "evaluation.json").write_text(text + "\n", encoding="utf-8")
    return path, figures


def epochs_of(recipe: Recipe, folds: int, leaky: bool) -> int:
    """How many epochs `run_study` runs in all."""
    return recipe.epochs * (1 + folds * (1 + leaky))


def _version(package: str) -> str:
    if package == "lungcnn":  # it need not be installed to run
        from lungcnn import __version__

        return __version__
    return version(package)
