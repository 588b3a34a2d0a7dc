"""How like a chest slice a picture is, and which of its four sides is up: two logistic models of plain numbers.

`tools/fit_gate.py` fits them and says on what; their numbers lie beside this module in `likeness.json`. Both are
linear in the views' cells; the second also in some of the measures and in their squares, so that each of those may be
too low or too high.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from lungcnn.gate.measures import Measures
from lungcnn.gate.views import GRID, Views
from lungcnn.preprocessing.turn import Turn

NUMBERS = Path(__file__).with_name("likeness.json")
QUARTERS = tuple(Turn(quarters) for quarters in range(4))
# Squares beyond five standard deviations tell no more.
LARGEST_SQUARE = 25.0


@dataclass(frozen=True, eq=False)
class Likeness:
    """The numbers of both models.

    Attributes:
        upright_cells, chest_cells: float `[4, GRID, GRID / 2]`, weights of the views' cells left of the middle; those
            right of it have the same.
        upright_stance: float `[2]`, weights of the couch's place and of the body's aspect.
        means, deviations: float `[n]` of the chests' `traits`.
        linear, squares: float `[n]`, weights of the traits, in deviations from the mean, and of their squares.
        constant: added to the log-odds.
    """

    upright_cells: np.ndarray
    upright_stance: np.ndarray
    chest_cells: np.ndarray
    means: np.ndarray
    deviations: np.ndarray
    linear: np.ndarray
    squares: np.ndarray
    constant: float

    @classmethod
    def read(cls, path: Path = NUMBERS) -> "Likeness":
        """The numbers in a JSON file: lists by the attributes' names."""
        numbers = json.loads(path.read_text(encoding="utf-8"))
        constant = float(numbers.pop("constant"))
        return cls(**{name: np.array(value, float) for name, value in numbers.items()}, constant=constant)

    def upright_scores(self, views: Views) -> np.ndarray:
        """Log-odds float `[4]`, but for a common constant, that a slice is upright after 0 to 3 quarter turns."""
        weights = _both_sides(self.upright_cells)
        return np.array(
            [(weights * seen.cells).sum() + self.upright_stance @ stance(seen) for seen in map(views.turned, QUARTERS)]
        )

    def chest_score(self, views: Views, measures: Measures) -> float:
        """Log-odds that an upright slice shows a chest, not something else that has a body and dark holes."""
        cells = (_both_sides(self.chest_cells) * views.cells).sum()
        away = spread(traits(views, measures), self.means, self.deviations)
        return float(self.constant + cells + away @ np.concatenate([self.linear, self.squares]))


@cache
def shipped_likeness() -> Likeness:
    """The models that ship."""
    return Likeness.read()


def stance(views: Views) -> np.ndarray:
    """The couch's place and the body's aspect, float `[2]`."""
    return np.array([views.couch_below, views.log_aspect])


def traits(views: Views, measures: Measures) -> np.ndarray:
    """What the second model looks at beside the cells, float `[n]`, on scales on which it spreads evenly."""
    m = measures
    return np.array(
        [
            views.log_aspect,
            m.gas,
            np.log(m.lung_share),
            m.lung,
            m.lung_darkest,
            np.log(m.lung_spread + 10),
            np.log(max(m.vessels, 0) + 30),
            np.clip(m.tissue, -600, 600),
            np.log(m.tissue_spread + 10),
            m.soft,
            m.dense,
            np.log(m.bone + 0.003),
            m.fat,
            m.solidity,
            np.log(m.detail + 0.05),
        ]
    )


def spread(values: np.ndarray, means: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """Traits `[..., n]` in deviations from the mean, and their squares: float `[..., 2 n]`."""
    away = (values - means) / deviations
    return np.concatenate([away, np.minimum(away**2, LARGEST_SQUARE)], axis=-1)


def _both_sides(half: np.ndarray) -> np.ndarray:
    half = half.reshape(4, GRID, GRID // 2)
    return np.concatenate([half, half[..., ::-1]], axis=-1)
