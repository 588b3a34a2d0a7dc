"""`SeriesReport`, the one immutable result of a series, and its JSON form."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from lungcnn.classes import CLASSES, Classes
from lungcnn.errors import Reason
from lungcnn.reading.series import Series
from lungcnn.results.finding import FINDING_WORDS, Finding
from lungcnn.results.slice_report import ModelInfo, SliceReport

SUSPICIOUS, APART_MM, APART_SLICES = 5, 10.0, 3
NOTHING_JUDGED = Reason("nothing_judged", "No slice of the series could be judged: see the reasons of its slices.")
PICTURES = Reason("list_of_pictures", "Pictures don't say that they are of one patient: each is judged by itself.")
NO_SUSPICIOUS_CLASS = Reason(
    "no_suspicious_class", "None of the model's classes is said to be the suspicious one: nothing is looked for."
)
NO_SPACING = Reason(
    "no_spacing",
    "The files state no pixel spacing: what lies at one place was told by shares of the slice's width, and findings "
    "have no extent across and down.",
)


@dataclass(frozen=True, eq=False)
class SeriesReport:
    """All that is said of one series. It carries nothing that identifies a patient, no UID and no file name.

    Attributes:
        status: "ok", or "refused" where no slice could be judged.
        slices: a report for each slice, from the feet to the head, without explanations: `Pipeline.run` makes
            those of a slice that is looked at.
        positions: mm along the normal, None where unknown.
        findings: what speaks for the suspicious class at one place over neighbouring slices, the most suspicious
            first. None of pictures, which don't say that they are of one patient.
        reasons: why there can be no findings. notes: what to know of the series, such as gaps and dropped duplicates.
        spacing_mm: the usual distance between slices, or None.
        ordered: whether the slices are one patient's, in order; pictures don't say so.
    """

    status: str
    slices: tuple[SliceReport, ...]
    positions: tuple[float | None, ...]
    findings: tuple[Finding, ...] = ()
    reasons: tuple[Reason, ...] = ()
    notes: tuple[Reason, ...] = ()
    spacing_mm: float | None = None
    model: ModelInfo | None = None
    ordered: bool = True

    @property
    def classes(self) -> Classes:
        """Those of the model."""
        return self.model.classes if self.model else CLASSES

    @cached_property
    def profile(self) -> np.ndarray:
        """Probabilities by slice: float32 `[n, classes]`, NaN where a slice was not judged; read-only."""
        unknown = dict.fromkeys(self.classes, np.nan)
        rows = [[(one.probabilities or unknown)[name] for name in self.classes] for one in self.slices]
        profile = np.array(rows, np.float32).reshape(-1, len(self.classes))
        profile.setflags(write=False)
        return profile

    @cached_property
    def suspicious(self) -> tuple[int, ...]:
        """Indices of the slices to look at first: of the highest suspicious probability, in a series some way apart."""
        chosen: list[int] = []
        if self.classes.suspect is None:
            return ()
        malignant = self.profile[:, self.classes.suspect]
        for index in np.argsort(-malignant, kind="stable"):
            if len(chosen) == SUSPICIOUS or np.isnan(malignant[index]):
                break
            if all(self._apart(int(index), other) for other in chosen):
                chosen.append(int(index))
        return tuple(chosen)

    @property
    def findings_in_words(self) -> str:
        """How many findings there are, in a sentence."""
        return self.findings_told(FINDING_WORDS, self.classes.suspicious or "")

    def findings_told(self, words: Mapping[str, str], name: str) -> str:
        """`findings_in_words` in `words`, those of `FINDING_WORDS`; `name` is what they call the class."""
        count, above = len(self.findings), sum(one.above_operating_point is True for one in self.findings)
        if not count:
            return words["none"].format(name=name)
        found = words["one" if count == 1 else "many"].format(count=count)
        unknown = self.findings[0].above_operating_point is None
        return words["listed" if unknown else "listed_above"].format(findings=found, above=above)

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
            "findings": [finding.to_json() for finding in self.findings],
            "suspicious": list(self.suspicious),
            "spacing_mm": self.spacing_mm,
            "slices": [
                {"position_mm": place, **report.to_json()}
                for place, report in zip(self.positions, self.slices, strict=True)
            ],
            "model": self.model and self.model.to_json(),
        }


def series_report(
    series: Series, reports: Sequence[SliceReport], findings: tuple[Finding, ...], model: ModelInfo
) -> SeriesReport:
    """The report of a series from those of its slices, and from what was found to persist over them."""
    judged = any(report.status == "ok" for report in reports)
    findings = findings if series.ordered else ()
    reasons: tuple[Reason, ...] = ()
    if not judged:
        reasons = (NOTHING_JUDGED,)
    elif not series.ordered:
        reasons = (PICTURES,)
    elif model.classes.suspicious is None:
        reasons = (NO_SUSPICIOUS_CLASS,)
    return SeriesReport(
        status="ok" if judged else "refused",
        slices=tuple(reports),
        positions=series.positions,
        findings=findings,
        reasons=reasons,
        notes=series.notes + (NO_SPACING,) * any(one.extent_mm[0] is None for one in findings),
        spacing_mm=series.spacing_mm,
        model=model,
        ordered=series.ordered,
    )
