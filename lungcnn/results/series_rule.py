"""From the malignant probabilities of a series' slices to one for the series, by the rule in the model's card."""

from dataclasses import asdict, dataclass

import numpy as np

_EDGE = 1e-4


def _top(count: int):
    return lambda p: np.sort(p)[-count:].mean()


# Simple ones first: on a tie the first wins. Each takes float `[n]`, n at least 1, and gives a score from 0 to 1.
RULES = {
    "mean": np.mean,
    "top3": _top(3),
    "top5": _top(5),
    "maximum": np.max,
    "quantile90": lambda p: np.quantile(p, 0.9),
    "noisy_or": lambda p: 1 - np.prod(1 - np.minimum(p, 1 - 1e-12)),
}
TITLES = {
    "mean": "mean over the judged slices",
    "top3": "mean of the three highest",
    "top5": "mean of the five highest",
    "maximum": "highest of the judged slices",
    "quantile90": "90th percentile of the judged slices",
    "noisy_or": "noisy-or of the judged slices",
}


@dataclass(frozen=True)
class SeriesRule:
    """How a series is judged from its slices' malignant probabilities.

    Attributes:
        rule: a name of `RULES`. slope, intercept: of the logistic curve over the score's log-odds.
        threshold: probability from which `sensitivity` of the malignant cases are called malignant.
        slices: the smallest and largest number of slices of the cases it was fitted on.
    """

    rule: str
    slope: float
    intercept: float
    threshold: float
    sensitivity: float
    slices: tuple[int, int]

    def stride(self, count: int) -> int:
        """The step at which `count` slices are thinned to no more than the cases had that the rule was fitted on."""
        return max(1, -(-count // max(1, self.slices[1])))

    def probability(self, malignant: np.ndarray) -> float:
        """The calibrated probability that a series is malignant, of its judged slices' (float `[n]`, n at least 1).

        More slices have a higher maximum by chance alone. So a series longer than the cases of the folds is thinned to
        their length, starting at each of its first slices, and the mean over these is given.
        """
        malignant = np.asarray(malignant, float)
        stride = self.stride(len(malignant))
        scores = [RULES[self.rule](malignant[start::stride]) for start in range(stride)]
        return float(np.mean([curve(score, self.slope, self.intercept) for score in scores]))

    def as_dict(self) -> dict:
        """As plain values, for the card."""
        return asdict(self) | {"slices": list(self.slices)}

    @classmethod
    def from_card(cls, fields: dict) -> "SeriesRule | None":
        """The rule that a card holds, or None where it holds none (or one that this version doesn't know)."""
        if not fields or fields.get("rule") not in RULES:
            return None
        return cls(**{**fields, "slices": tuple(fields["slices"])})


def curve(score, slope: float, intercept: float):
    """Probability of a score, both of any shape: the logistic curve over its log-odds."""
    from scipy.special import expit

    return expit(slope * log_odds(score) + intercept)


def log_odds(score):
    """Log-odds of a score of any shape; at its ends they stay finite."""
    from scipy.special import logit

    return logit(np.clip(score, _EDGE, 1 - _EDGE))
