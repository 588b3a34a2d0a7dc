"""How strong the evidence on a slice is, in words: on the scale of the slices that the network learnt from.

A map's values are logits, which say nothing to a reader. So its largest cell is compared with those of the training
slices: strong is what half of the slices of the class reach, none is what three of four slices of other classes do not
exceed.
"""

from dataclasses import asdict, dataclass

import numpy as np

from lungcnn.explaining.methods import METHODS
from lungcnn.model.classifier import Classifier

NONE, WEAK, STRONG = "none", "weak", "strong"
_NONE_OF_OTHERS, _STRONG_OF_OTHERS, _STRONG_OF_OWN = 75, 95, 50  # percentiles
_BATCH = 64


@dataclass(frozen=True)
class EvidenceScale:
    """Limits of a map's largest cell.

    Attributes:
        layer: the convolution whose maps were measured.
        limits: by method, for each class the value above which there is evidence, and the one from which it is strong.
    """

    layer: str
    limits: dict[str, list[list[float]]]

    def as_dict(self) -> dict:
        """As plain values, for the card."""
        return asdict(self)

    @classmethod
    def from_card(cls, fields: dict) -> "EvidenceScale | None":
        """The scale that a card holds, or None where it holds none."""
        return cls(**fields) if fields else None

    def strength(self, method: str, label: int, peak: float) -> str | None:
        """`NONE`, `WEAK` or `STRONG` for the largest cell of a map; None for a method that was not measured."""
        if method not in self.limits:
            return None
        some, much = self.limits[method][label]
        return NONE if peak <= some else WEAK if peak < much else STRONG


def fit_evidence_scale(classifier: Classifier, crops: np.ndarray, labels: np.ndarray) -> EvidenceScale:
    """Measure the maps of every method that needs no further passes.

    Args:
        crops: float32 `[n, 128, 128]` of the training slices, some of every class. labels: int `[n]`.
    """
    methods = {name: method.of_map for name, method in METHODS.items() if method.of_map is not None}
    peaks: dict[str, list[np.ndarray]] = {name: [] for name in methods}
    for first in range(0, len(crops), _BATCH):
        found = classifier(crops[first : first + _BATCH])
        for name, of_map in methods.items():
            peaks[name].append(of_map(found).max(axis=(2, 3)))
    return EvidenceScale(
        classifier.layer, {name: _limits(np.concatenate(all_), labels) for name, all_ in peaks.items()}
    )


def _limits(peaks: np.ndarray, labels: np.ndarray) -> list[list[float]]:
    """For each class the two limits; peaks float `[n, classes]`."""
    limits = []
    for label in range(peaks.shape[1]):
        own, others = peaks[labels == label, label], peaks[labels != label, label]
        some, many = np.percentile(others, (_NONE_OF_OTHERS, _STRONG_OF_OTHERS))
        much = max(many, np.percentile(own, _STRONG_OF_OWN))
        limits.append([round(max(0.0, float(value)), 6) for value in (some, much)])
    return limits
