"""How a slice as stored is turned to lie upright: the patient's front above, the patient's left on the right."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Turn:
    """One of the eight ways to turn a picture.

    Attributes:
        quarters: quarter turns against the clock, 0 to 3.
        mirrored: left and right are swapped after that.
    """

    quarters: int = 0
    mirrored: bool = False

    @property
    def swaps(self) -> bool:
        """Whether rows become columns."""
        return self.quarters % 2 == 1

    def apply(self, image: np.ndarray) -> np.ndarray:
        """A view of `image` `[..., rows, columns]`, upright."""
        turned = np.rot90(image, self.quarters, axes=(-2, -1))
        return turned[..., ::-1] if self.mirrored else turned

    def undo(self, image: np.ndarray) -> np.ndarray:
        """A view of an upright `image` `[..., rows, columns]`, as stored."""
        return np.rot90(image[..., ::-1] if self.mirrored else image, -self.quarters, axes=(-2, -1))

    def point_as_stored(self, x: float, y: float) -> tuple[float, float]:
        """Where (x, y) of the upright unit square lies on the stored one; x runs right, y down."""
        if self.mirrored:
            x = 1 - x
        for _ in range(self.quarters):
            x, y = 1 - y, x
        return x, y

    def point_upright(self, x: float, y: float) -> tuple[float, float]:
        """The way back of `point_as_stored`."""
        for _ in range(self.quarters):
            x, y = y, 1 - x
        return (1 - x if self.mirrored else x), y

    def then(self, other: "Turn") -> "Turn":
        """This turn followed by `other`."""
        sign = -1 if self.mirrored else 1
        return Turn((self.quarters + sign * other.quarters) % 4, self.mirrored != other.mirrored)


AS_STORED = Turn()
EVERY_TURN = tuple(Turn(quarters, mirrored) for mirrored in (False, True) for quarters in range(4))


def upright_by(orientation: tuple[float, ...]) -> Turn:
    """The turn that ImageOrientationPatient asks for, to the nearest quarter (PS3.3 C.7.6.2.1.1)."""
    row, column = orientation[:3], orientation[3:]

    def agreement(turn: Turn) -> float:
        """How well the patient's left comes to lie on the right, and the back below."""
        left, back = (_turned(turn, row[axis], column[axis]) for axis in (0, 1))
        return left[0] + back[1]

    return max(EVERY_TURN, key=agreement)


def _turned(turn: Turn, x: float, y: float) -> tuple[float, float]:
    """A direction on the stored picture as one on the upright picture."""
    for _ in range(turn.quarters):
        x, y = y, -x
    return (-x if turn.mirrored else x), y
