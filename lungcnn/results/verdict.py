"""The one sentence that leads every form of a result: flagged, not flagged or undecided, and why in half a line.

It is drawn from probabilities, prediction set and operating point together, so that they can't be read against each
other: what lies above the operating point is never led by "normal".
"""

from collections.abc import Sequence
from dataclasses import dataclass

FLAGGED, NOT_FLAGGED, UNDECIDED = "flagged", "not_flagged", "undecided"
# The one place of the English sentences: by `Verdict.call`, and by `Verdict.why`.
VERDICTS = {FLAGGED: "Flagged as suspicious", NOT_FLAGGED: "Not flagged", UNDECIDED: "Undecided"}
_ABOVE = "{suspicious} {share} lies above the operating point of {threshold}"
_BELOW = "{suspicious} {share} lies below the operating point of {threshold}"
VERDICT_REASONS = {
    "above": f"{_ABOVE}.",
    "above_not_alone": f"{_ABOVE}, though {{others}} is possible, too.",
    "above_but_any": f"{_ABOVE}, but every class is in the prediction set: the model abstains.",
    "above_but_unlikely": f"{_ABOVE}, but the prediction set leaves it out.",
    "below": f"{_BELOW}.",
    "below_but_any": f"{_BELOW}, but every class is in the prediction set: the model abstains.",
    "below_but_possible": f"{_BELOW}, but it is in the prediction set.",
    "set_alone": "{suspicious} {share} is alone in the prediction set.",
    "set_without": "{suspicious} {share} is not in the prediction set.",
    "set_among": "{suspicious} {share} is one of several classes in the prediction set.",
    "none_suspicious": "none of the model's classes is the suspicious one; {suspicious} {share} is the most probable.",
    "uncalibrated": "{suspicious} {share} can't be turned into a yes or no, because the model was never calibrated.",
}
_CALL_OF = {"above": FLAGGED, "above_not_alone": FLAGGED, "set_alone": FLAGGED} | {
    "below": NOT_FLAGGED,
    "set_without": NOT_FLAGGED,
}


@dataclass(frozen=True)
class Verdict:
    """What is said of a slice first.

    Attributes:
        why: a key of `VERDICT_REASONS`. suspicious: the class that is looked for; without one the
            most probable.
        share: its probability, 0 to 1. threshold: the operating point, None for a model that has none.
        others: the other classes of the prediction set, most probable first.
    """

    why: str
    suspicious: str
    share: float
    threshold: float | None = None
    others: tuple[str, ...] = ()

    @property
    def call(self) -> str:
        """`FLAGGED`, `NOT_FLAGGED` or `UNDECIDED`."""
        return _CALL_OF.get(self.why, UNDECIDED)

    @property
    def shares(self) -> tuple[str, str]:
        """Probability and operating point as percentages that show which is larger."""
        return apart(self.share, self.threshold)

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        share, threshold = self.shares
        names = {"suspicious": self.suspicious, "others": " or ".join(self.others)}
        return f"{VERDICTS[self.call]}: {VERDICT_REASONS[self.why].format(share=share, threshold=threshold, **names)}"

    def to_json(self) -> dict:
        """As plain values."""
        return {
            "call": self.call,
            "why": self.why,
            "sentence": self.sentence,
            "operating_point": None if self.threshold is None else round(self.threshold, 6),
        }


def verdict_of(
    probabilities: dict[str, float], held: Sequence[str] | None, threshold: float | None, suspicious: str | None
) -> Verdict:
    """Draw the verdict.

    Args:
        probabilities: by class. held: the prediction set; None for a model without one.
        threshold: the operating point, None for a model without one. suspicious: the class that is looked for, or None.
    """
    if suspicious is None:
        likeliest = max(probabilities, key=lambda name: probabilities[name])
        return Verdict("none_suspicious", likeliest, probabilities[likeliest])
    share = probabilities[suspicious]
    others = tuple(sorted((name for name in held or () if name != suspicious), key=lambda name: -probabilities[name]))
    inside = held is not None and suspicious in held
    everything = held is not None and len(held) == len(probabilities)
    if threshold is None:
        why = (
            "uncalibrated" if held is None else "set_without" if not inside else "set_among" if others else "set_alone"
        )
    elif share >= threshold:
        if everything:
            why = "above_but_any"
        elif held is not None and not inside:
            why = "above_but_unlikely"
        else:
            why = "above_not_alone" if others else "above"
    else:
        why = "below_but_any" if everything else "below_but_possible" if inside else "below"
    return Verdict(why, suspicious, share, threshold, others)


def percent(share: float) -> str:
    """A share 0 to 1 as a whole percentage; the ends are kept for certainty."""
    if 0 < share < 0.01:
        return "< 1 %"
    if 0.99 < share < 1:
        return "> 99 %"
    return f"{100 * share:.0f} %"


def apart(one: float, other: float | None) -> tuple[str, str]:
    """Two shares as percentages, with as many digits as it takes to tell them apart; "" for None."""
    if other is None:
        return percent(one), ""
    digits = next((n for n in range(4) if f"{100 * one:.{n}f}" != f"{100 * other:.{n}f}"), 3)
    return (
        (percent(one), percent(other)) if not digits else (f"{100 * one:.{digits}f} %", f"{100 * other:.{digits}f} %")
    )
