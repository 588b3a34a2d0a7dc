"""The whole of a training run: cross-validation, calibration, figures, the final network and its card."""

import json
import platform
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from lungcnn.classes import MALIGNANT
from lungcnn.dataset.case_list import CASE_LIST, read_case_list
from lungcnn.dataset.crops import CropSet
from lungcnn.dataset.elsewhere import DISEASED
from lungcnn.dataset.folder import HOME
from lungcnn.dataset.near_duplicates import perceptual_hashes
from lungcnn.errors import UsageError
from lungcnn.evaluation.baselines import BASELINES, Material, probabilities
from lungcnn.evaluation.elsewhere import calls_by_collection
from lungcnn.evaluation.localization import locate, summarise_findings
from lungcnn.evaluation.metrics import RESAMPLES, Predictions, cross_calibrated, summarise, with_intervals
from lungcnn.evaluation.model_card import model_card
from lungcnn.evaluation.targets import dataset_targets, outline_targets, phantom_targets, series_calls
from lungcnn.evaluation.warning_rates import rates_out_of_fold
from lungcnn.explaining.evidence_scale import fit_evidence_scale
from lungcnn.explaining.explainer import Explainer
from lungcnn.explaining.weight_randomisation import randomisation_test
from lungcnn.gate.familiarity import fit_familiarity
from lungcnn.model.calibration import Calibration, fit_calibration
from lungcnn.model.card import IQ_OTH_NCCD, load_card, save_model
from lungcnn.model.classifier import Classifier
from lungcnn.system import write_whole
from lungcnn.training.additional import Additional
from lungcnn.training.folds import case_folds, cross_validate, kept_at, kept_network, random_folds, run_key
from lungcnn.training.history import OnEpoch
from lungcnn.training.output_folder import check_output_folder
from lungcnn.training.train import Recipe

# What is written of the folds, beside the model.
_OF_FOLDS = ("evaluation.json", "MODEL_CARD.md")
# Slices on which the ONNX file is compared with Keras.
_COMPARED = 64
NOTHING_MORE = Additional()
_PACKAGES = ("lungcnn", "tensorflow", "keras", "numpy", "opencv-python-headless")


@dataclass(frozen=True)
class Plan:
    """What a training run measures beside training the network that it saves.

    Attributes:
        folds: number of case-blocked folds; 0 for an uncalibrated network without figures.
        seeds: seeds of the networks in the folds; figures are means over them. The saved network takes the first.
        leaky: also measure on random folds of slices, for comparison.
        baselines: also measure simpler models, on both kinds of folds.
        localization: also measure, out of fold, whether heatmaps point at lesions.
        outlines: a series of another scanner with readers' outlines, on which the saved network is measured.
        resamples: of the bootstrap.
    """

    folds: int = 5
    seeds: tuple[int, ...] = (0,)
    leaky: bool = False
    baselines: bool = False
    localization: bool = False
    outlines: Path | None = None
    resamples: int = RESAMPLES

    def epochs(self, recipe: Recipe) -> int:
        """How many epochs there are in all."""
        networks = recipe.members * (1 + self.folds * len(self.seeds)) + self.folds * self.leaky
        return recipe.epochs * networks


def run_training(
    crop_set: CropSet,
    out: Path,
    recipe: Recipe,
    plan: Plan,
    on_epoch: OnEpoch | None = None,
    checkpoints: Path | None = None,
    force: bool = False,
    also: Additional = NOTHING_MORE,
) -> tuple[Path, dict]:
    """Cross-validate, calibrate, train on every slice, and write model and card (and figures) into `out`.

    Args:
        on_epoch: called after each epoch; there are `plan.epochs(recipe)` in all.
        checkpoints: as `cross_validate`.
        force: write over the model that ships.
        also: what is learnt from, and measured on, beside the dataset.

    Returns:
        The model's path and the figures as in `evaluation.json` (without folds: the randomisation test alone).

    Raises `UsageError`, before anything is trained, where `out` or `checkpoints` can't be written, and for lesions
    to be found by a network of other classes.
    """
    if (plan.localization or plan.outlines) and not crop_set.classes.lesions:
        raise UsageError(
            "--localization and --outlines measure on lesions that are malignant, and on slices that are normal: "
            f"they need these two classes. The network's are {', '.join(crop_set.classes)}."
        )
    check_output_folder(out, force)
    if checkpoints:
        check_output_folder(checkpoints)
    found = _out_of_fold(crop_set, recipe, plan, on_epoch, checkpoints, also) if plan.folds else _OutOfFold()
    joined, one_fold, learnable = also.join(crop_set, np.zeros(len(crop_set.slices), int))
    learnt = joined.take(learnable)
    kept = kept_at(checkpoints, learnt, one_fold[learnable], "all", also.nodules)
    network = kept_network(learnt, recipe, plan.seeds[0], on_epoch, kept, "all slices", nodules=also.nodules)
    classifier = Classifier.of(network, found.calibration, classes=crop_set.classes)
    familiarity = None
    if found.features:
        familiarity = fit_familiarity(classifier.layer, found.features, classifier.features(learnt.crops)[1])
    figures = found.figures
    if plan.localization:
        targets = phantom_targets() + (outline_targets(plan.outlines) if plan.outlines else [])
        figures["localization"] |= summarise_findings(locate(Explainer(classifier), targets), plan.resamples)
    if plan.outlines:
        malignant = crop_set.classes.index("malignant")
        figures["other_scanner"] = series_calls(classifier, plan.outlines, familiarity, malignant)
    figures["sanity"] = randomisation_test(network, crop_set.classes)
    for name in _OF_FOLDS:  # an earlier run's would describe another model
        (out / name).unlink(missing_ok=True)
    path = save_model(
        network,
        out,
        {
            "classes": crop_set.classes,
            "calibration": found.calibration,
            "training": _what_it_learnt_from(crop_set, learnt, recipe, plan, also) | {"folds_key": found.key},
            "versions": {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
            "figures": figures,
            "familiarity": familiarity,
            "evidence": fit_evidence_scale(classifier, crop_set.crops, crop_set.labels).as_dict(),
        },
        crops=learnt.crops[:: max(1, len(learnt.slices) // _COMPARED)],
    )
    if plan.folds:
        text = json.dumps({**figures, "recipe": recipe.as_dict(), "seeds": list(plan.seeds)}, indent=1)
        for name, content in zip(_OF_FOLDS, (text + "\n", model_card(load_card(path))), strict=True):
            write_whole(out / name, partial(Path.write_text, data=content, encoding="utf-8"))
    return path, figures


@dataclass(frozen=True, eq=False)
class _OutOfFold:
    """What the folds' networks told of slices that they had not seen.

    Attributes:
        calibration: fitted on them, for the network that is saved. figures: as in `evaluation.json`.
        features: of each fold's network, those of its training slices and of its held-out ones.
        key: of the folds' checkpoints of the first seed.
    """

    calibration: Calibration = field(default_factory=Calibration)
    figures: dict = field(default_factory=dict)
    features: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    key: str = ""


def _out_of_fold(
    crop_set: CropSet,
    recipe: Recipe,
    plan: Plan,
    on_epoch: OnEpoch | None,
    checkpoints: Path | None,
    also: Additional,
) -> _OutOfFold:
    count = len(plan.seeds)
    mixed = random_folds(crop_set, plan.folds, plan.seeds[0])
    joined, blocked, learnable = also.join(crop_set, case_folds(crop_set, plan.folds))
    labels, cases, at_home = joined.labels, joined.cases, joined.collections == HOME
    # Home and elsewhere count alike, whatever their numbers.
    weights = 1 / np.where(at_home, at_home.sum(), (~at_home).sum())
    seen = ~at_home | np.logical_or.reduce(list(joined.sure_lesions.values()))
    shown = joined.shown
    features, findings = [], []

    def explain(held_out, network):
        classifier = Classifier.of(network, classes=crop_set.classes)
        maxima = classifier.features(joined.crops)[1]
        features.append((maxima[~held_out & learnable], maxima[held_out]))
        if plan.localization:
            findings.extend(locate(Explainer(classifier), dataset_targets(joined.take(held_out))))

    def logits_of(
        slices, folds, mask, seed, how=recipe, name="", on_network=lambda held_out, network: None
    ) -> np.ndarray:
        name += f"seed {seed}, " if count > 1 else ""
        return cross_validate(
            slices, folds, how, seed, on_epoch, checkpoints, name, on_network, learnable=mask, nodules=also.nodules
        )

    # The first seed's networks explain: a slice counts once.
    logits = [
        logits_of(joined, blocked, learnable, plan.seeds[0], on_network=explain),
        *(logits_of(joined, blocked, learnable, seed) for seed in plan.seeds[1:]),
    ]
    runs = [cross_calibrated(part, labels, cases, blocked, crop_set.classes, weights, seen, shown) for part in logits]
    at_home_runs = [run.take(at_home) for run in runs]
    figures = {"blocked": summarise(at_home_runs, crop_set.sure_lesions, plan.resamples, crop_set.shown)}
    called = runs[0].p.argmax(axis=1)
    answered = np.where(labels == DISEASED, called != MALIGNANT, called == labels)
    figures["unlike_training"] = rates_out_of_fold(features, [answered[blocked == fold] for fold in np.unique(blocked)])
    if also.elsewhere:
        figures["elsewhere"] = calls_by_collection(runs, joined, plan.resamples)
    if plan.localization:
        figures["localization"] = summarise_findings(findings, plan.resamples)
    if plan.leaky:
        leaky_set, leaky_folds, leaky_mask = also.join(crop_set, mixed)
        # One member, as others train: several would take as many times as long for a comparison.
        _, first_member = recipe.of_members[0]
        found = logits_of(leaky_set, leaky_folds, leaky_mask, plan.seeds[0], first_member, "random folds, ")
        known = leaky_set.labels, leaky_set.cases, leaky_folds, crop_set.classes
        leaky = cross_calibrated(found, *known, weights, seen, leaky_set.shown)
        figures["random_leaky"] = summarise([leaky.take(at_home)], crop_set.sure_lesions, plan.resamples)
    if plan.baselines:
        folds = {"blocked": blocked[at_home], "random_leaky": mixed}
        figures["baselines"] = _measure_baselines(crop_set, folds, plan, checkpoints)
    calibration = fit_calibration(
        np.concatenate(logits),
        np.tile(labels, count),
        np.tile(cases, count),
        crop_set.classes,
        np.tile(weights, count),
        np.tile(seen, count),
        np.tile(shown, count),
    )
    key = run_key(joined, blocked, recipe, plan.seeds[0], also.nodules)
    return _OutOfFold(calibration, figures, features, key)


def _what_it_learnt_from(crop_set: CropSet, learnt: CropSet, recipe: Recipe, plan: Plan, also: Additional) -> dict:
    """For the card: dataset, recipe, seeds, date, and each slice by its hashes."""
    others = Counter(name for name in learnt.collections.tolist() if name != HOME)
    return {
        "dataset": _dataset_in_words(crop_set),
        "recipe": recipe.as_dict(),
        "seed": plan.seeds[0],
        "folds": plan.folds,
        "seeds": list(plan.seeds),
        "date": date.today().isoformat(),
        "slices": len(crop_set.slices),
        "cases": len(set(crop_set.cases)),
        "elsewhere": dict(sorted(others.items())),
        "nodules": {name: len(kind.levels) for name, kind in (also.nodules or {}).items()},
        "nodules_sha256": also.nodules_sha256,
        "files": {item.file: item.sha256 for item in learnt.slices},
        "perceptual_hashes": perceptual_hashes(learnt.crops),
    }


def _dataset_in_words(crop_set: CropSet) -> str:
    listed = {sha256 for sha256, _ in read_case_list(CASE_LIST)}
    if all(item.sha256 in listed for item in crop_set.slices):
        return IQ_OTH_NCCD
    return f"{len(crop_set.slices)} slices with a case list of their own"


def _measure_baselines(crop_set: CropSet, folds: dict[str, np.ndarray], plan: Plan, checkpoints: Path | None) -> dict:
    """By name and kind of folds, the figures by slice."""
    material, labels = Material.of(crop_set), crop_set.labels
    unset = np.full(len(labels), np.nan)
    found: dict[str, dict[str, Any]] = {}
    for name, baseline in BASELINES.items():
        found[name] = {"title": baseline.title}
        for kind, fold in folds.items():
            kept = checkpoints and checkpoints / f"{run_key(crop_set, fold, name, plan.seeds[0])}-baseline.npy"
            if kept and kept.exists():
                p = np.load(kept)
            else:
                p = probabilities(baseline, material, labels, fold, plan.seeds[0])
                if kept:
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    write_whole(kept, partial(np.save, arr=p))
            run = Predictions(p, labels, crop_set.cases, unset, np.tile(unset[:, None], p.shape[1]), crop_set.classes)
            found[name][kind] = with_intervals([run], resamples=plan.resamples)
    return found


def _version(package: str) -> str:
    if package == "lungcnn":  # it need not be installed to run
        from lungcnn import __version__

        return __version__
    return version(package)
