"""`SeriesReport`, the one immutable result of a series, and its JSON form."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from lungcnn.classes import CLASSES
from lungcnn.errors import Reason
from lungcnn.model.card import ModelCard
from lungcnn.reading.series import Series
from lungcnn.results.series_rule import TITLES, SeriesRule
from lungcnn.results.slice_report import ModelInfo, SliceReport

SUSPICIOUS, APART_MM, APART_SLICES = 5, 10.0, 3
NO_RULE = Reason("no_series_rule", "The model's card holds no rule for series: there is no result for the whole.")
NOTHING_JUDGED = Reason("nothing_judged", "No slice of the series could be judged: see the reasons of its slices.")
PICTURES = Reason("list_of_pictures", "Pictures don't say that they are of one patient: each is judged by itself.")


@dataclass(frozen=True)
class SeriesResult:
    """What is said of the series as a whole.

    Attributes:
        malignant: calibrated probability that the case is malignant. called_malignant: at or above `threshold`.
        rule: name of the rule in `series_rule.RULES`. judged: number of slices that it rests on.
    """

    malignant: float
    called_malignant: bool
    threshold: float
    rule: str
    judged: int

    @property
    def sentence(self) -> str:
        """The result in words."""
        side = "at or above" if self.called_malignant else "below"
        return (
            f"Malignant probability of the series {self.malignant:.2f}, {side} the operating point "
            f"{self.threshold:.2f} ({TITLES[self.rule]}; {self.judged} judged)."
        )


@dataclass(frozen=True, eq=False)
class SeriesReport:
    """All that is said of one series. It carries nothing that identifies a patient, no UID and no file name.

    Attributes:
        status: "ok", or "refused" where no slice could be judged.
        slices: a report for each slice, from the feet to the head, without explanations: `Pipeline.run` makes
            those of a slice that is looked at.
        positions: mm along the normal, None where unknown.
        result: of the whole; None where nothing was judged, for pictures, or where the model's card holds no rule.
        reasons: why there is no result. notes: what to know of the series, such as gaps and dropped duplicates.
        spacing_mm: the usual distance between slices, or None.
        ordered: whether the slices are one patient's, in order; pictures don't say so.
    """

    status: str
    slices: tuple[SliceReport, ...]
    positions: tuple[float | None, ...]
    result: SeriesResult | None = None
    reasons: tuple[Reason, ...] = ()
    notes: tuple[Reason, ...] = ()
    spacing_mm: float | None = None
    model: ModelInfo | None = None
    ordered: bool = True

    @cached_property
    def profile(self) -> np.ndarray:
        """Probabilities by slice: float32 `[n, 3]`, NaN where a slice was not judged; read-only."""
        unknown = dict.fromkeys(CLASSES, np.nan)
        rows = [[(one.probabilities or unknown)[name] for name in CLASSES] for one in self.slices]
        profile = np.array(rows, np.float32).reshape(-1, len(CLASSES))
        profile.setflags(write=False)
        return profile

    @cached_property
    def suspicious(self) -> tuple[int, ...]:
        """Indices of the slices to look at first: of the highest malignant probability, in a series some way apart."""
        malignant = self.profile[:, CLASSES.index("malignant")]
        chosen: list[int] = []
        for index in np.argsort(-malignant, kind="stable"):
            if len(chosen) == SUSPICIOUS or np.isnan(malignant[index]):
                break
            if all(self._apart(int(index), other) for other in chosen):
                chosen.append(int(index))
        return tuple(chosen)

    def _apart(self, one: int, other: int) -> bool:
        if not self.ordered:
            return True
        place, other_place = self.positions[one], self.positions[other]
        if place is None or other_place is None:
            return abs(one - other) >= APART_SLICES
        return abs(place - other_place) >= APART_MM

    def to_json(self) -> dict:
        """As plain Python values; `slices` holds the records of `predict --json`."""
        return {
            "status": self.status,
            "reasons": [asdict(reason) for reason in self.reasons],
            "notes": [asdict(note) for note in self.notes],
            "result": self.result and {**asdict(self.result), "malignant": round(self.result.malignant, 6)},
            "suspicious": list(self.suspicious),
            "spacing_mm": self.spacing_mm,
            "slices": [
                {"position_mm": place, **report.to_json()}
                for place, report in zip(self.positions, self.slices, strict=True)
            ],
            "model": self.model and asdict(self.model),
        }


def series_report(series: Series, reports: Sequence[SliceReport], card: ModelCard) -> SeriesReport:
    """The report of a series from those of its slices."""
    rule = SeriesRule.from_card(card.series)
    malignant = [report.probabilities["malignant"] for report in reports if report.probabilities]
    result: SeriesResult | None = None
    reasons: tuple[Reason, ...] = ()
    notes = series.notes
    if not malignant:
        reasons = (NOTHING_JUDGED,)
    elif not series.ordered:
        reasons = (PICTURES,)
    elif rule is None:
        reasons = (NO_RULE,)
    else:
        p = rule.probability(np.array(malignant))
        result = SeriesResult(p, p >= rule.threshold, rule.threshold, rule.rule, len(malignant))
        if len(malignant) > rule.slices[1]:
            notes += (_longer_than_measured(rule, len(malignant)),)
    return SeriesReport(
        status="ok" if malignant else "refused",
        slices=tuple(reports),
        positions=series.positions,
        result=result,
        reasons=reasons,
        notes=notes,
        spacing_mm=series.spacing_mm,
        model=ModelInfo(card.name, card.sha256),
        ordered=series.ordered,
    )


def _longer_than_measured(rule: SeriesRule, judged: int) -> Reason:
    return Reason(
        "longer_than_measured",
        f"The rule for series was fitted on cases of {rule.slices[0]} to {rule.slices[1]} slices. So one in "
        f"{rule.stride(judged)} of the {judged} judged here was taken, from each start, and the mean is given; how "
        "well that does on whole series was not measured.",
    )
