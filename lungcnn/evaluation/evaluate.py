"""A trained model on a folder of slices: figures of what the product judges, unflattered by its training slices."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungcnn.dataset.crops import CropSet
from lungcnn.errors import DatasetError, RefusalError
from lungcnn.evaluation.leak_guard import seen_in_training
from lungcnn.evaluation.localization import locate, summarise_findings
from lungcnn.evaluation.metrics import RESAMPLES, Predictions, summarise
from lungcnn.evaluation.targets import dataset_targets, outline_targets, phantom_targets
from lungcnn.explaining.explainer import Explainer
from lungcnn.gate.prepared import Prepared
from lungcnn.model.classifier import Classifier
from lungcnn.pipeline import Pipeline
from lungcnn.training.folds import fold_networks


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Figures of a model on slices that it has not seen and that the pipeline judges.

    Attributes:
        summary: as `metrics.summarise` gives it.
        predictions: of the slices that counted.
        refused: how many slices the gate, or the network's features, kept from being judged, by the reason's code.
        identical, near, derived: how many slices were left out (or, where `guarded` is false, would have been) because
            the same file, another export of it, or a slice that it is a mirrored or turned copy of is among the
            model's training slices.
        unreadable: how many could not be read.
        training_known: whether the model's card lists the slices that it learnt from; else nobody can leave them out.
        calibrated_on: in words, what an adopted model was calibrated on; None where nobody said.
    """

    summary: dict
    predictions: Predictions
    refused: dict[str, int]
    identical: int
    near: int
    derived: int
    unreadable: int
    guarded: bool
    training_known: bool
    calibrated_on: str | None
    model: str

    def to_json(self) -> dict:
        """For `evaluate --json`; what was seen in training is None where the card doesn't list it."""
        leaked = {
            "identical": self.identical,
            "near_duplicate": self.near,
            "mirrored_or_turned": self.derived,
            "left_out": self.guarded,
        }
        return {
            **self.summary,
            "seen_in_training": leaked if self.training_known else None,
            "refused": self.refused,
            "unreadable": self.unreadable,
            "model": {"sha256": self.model},
        }


def evaluate_model(
    pipeline: Pipeline,
    crop_set: CropSet,
    guard: bool = True,
    resamples: int = RESAMPLES,
    progress: Callable = iter,
) -> Evaluation:
    """Measure a model on slices, as it judges them in use, leaving out those it was trained on.

    Args:
        crop_set: crops of the slices that the gate admits: `crop_dataset(..., find=admit)`.
        guard: False counts training slices as well: LEAKY.
        progress: as `leak_guard.seen_in_training`.

    Raises:
        DatasetError: no slice of some class is left.
    """
    seen = seen_in_training(pipeline.card, crop_set, progress)
    counted = crop_set.take(~seen.any) if guard else crop_set
    reports = pipeline.judge([Prepared(crop) for crop in counted.crops])
    refused = Counter(error.code for _, error in crop_set.failed if isinstance(error, RefusalError))
    refused.update(report.reasons[0].code for report in reports if report.status == "refused")
    counted = counted.take(np.array([report.status == "ok" for report in reports], bool))
    classes = pipeline.card.classes
    lacking = set(range(len(classes))) - set(counted.labels.tolist())
    if lacking:
        names = ", ".join(classes[label] for label in sorted(lacking))
        raise DatasetError(
            f"No slice of the class(es) {names} is left to evaluate on: {seen.identical.sum()} of {len(seen.any)} "
            f"slices are among the model's training slices, {(seen.near | seen.derived).sum()} are copies of one, and "
            f"{refused.total()} were refused. Give slices that the model has not seen, or count these as well with "
            "--no-leak-guard; the figures then mean nothing for a new patient."
        )
    count, calibration = len(counted.slices), pipeline.card.calibration
    unset = np.nan if calibration.malignant_threshold is None else calibration.malignant_threshold
    predictions = Predictions(
        p=np.array([list(report.probabilities.values()) for report in reports if report.probabilities]),
        labels=counted.labels,
        cases=counted.cases,
        threshold=np.full(count, unset),
        limits=np.tile(calibration.set_thresholds or (np.nan,) * len(classes), (count, 1)),
        classes=classes,
    )
    return Evaluation(
        summary=summarise([predictions], counted.sure_lesions, resamples),
        predictions=predictions,
        identical=int(seen.identical.sum()),
        near=int(seen.near.sum()),
        derived=int(seen.derived.sum()),
        refused=dict(sorted(refused.items())),
        unreadable=sum(not isinstance(error, RefusalError) for _, error in crop_set.failed),
        guarded=guard,
        training_known="files" in pipeline.card.training,
        calibrated_on=pipeline.card.training.get("calibrated_on"),
        model=pipeline.card.sha256,
    )


def evaluate_localization(
    pipeline: Pipeline,
    crop_set: CropSet,
    checkpoints: Path | None = None,
    outlines: Path | None = None,
    resamples: int = RESAMPLES,
) -> dict:
    """Whether heatmaps point at lesions: on phantoms, on slices not seen in training, on slices with outlines.

    Args:
        crop_set: crops of every slice with lungs, as in training: fold networks are known by the slices they left out.
        checkpoints: folder of the training run's fold networks; each slice is then explained by the network that has
            not seen it. None leaves training slices out.
        outlines: folder as `targets.outline_targets`.

    Returns:
        As `localization.summarise_findings`.

    Raises:
        DatasetError: other classes, fold networks are missing, or no outlines are in their folder.
    """
    card = pipeline.card
    if card.classes.lesions is None:
        raise DatasetError(
            "Lesions are malignant, and are told from slices that are normal: a network without these two classes "
            f"can't be measured on them. This one's classes are {', '.join(card.classes)}."
        )
    targets = phantom_targets() + (outline_targets(outlines) if outlines else [])
    findings = locate(pipeline.explainer, targets)
    if checkpoints is None:
        unseen = ~seen_in_training(card, crop_set).any
        findings += locate(pipeline.explainer, dataset_targets(crop_set.take(unseen)))
    else:
        for held_out, fold_network in fold_networks(crop_set, card, checkpoints):
            fold_explainer = Explainer(Classifier.of(fold_network, card.calibration, classes=card.classes))
            findings += locate(fold_explainer, dataset_targets(crop_set.take(held_out)))
    return summarise_findings(findings, resamples)
