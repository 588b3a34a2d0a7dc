"""The bundled slices, and the strip that shows them."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from lungcnn import (
    BUNDLED,
    PHANTOMS,
    bundled_phantom,
    downloaded_examples,
    encode_png,
    load_slice,
    render_slice,
    shipped_file,
)

from .say import Text

THUMBNAILS = Path(__file__).parent / "thumbnails"
WIDTH = 104
EDGE = 8.0  # pixels: half a cell of the map on an adult's slice
TITLES = {name: Text(spec.title, f"example_title.{name}") for name, spec in BUNDLED.items()}
DRAWN = {name: Text(spec.description, f"example_drawn.{name}") for name, spec in BUNDLED.items()}


@dataclass(frozen=True, eq=False)
class Truth:
    """What was drawn on a bundled phantom.

    Attributes:
        drawn: in words. suspicious: whether it is a lesion of a malignant form. stranger: whether it is no chest.
        outline: of the lesion, int32 `[points, 2]`, x and y in pixels; None where none was drawn.
    """

    drawn: str
    suspicious: bool = False
    stranger: bool = False
    outline: np.ndarray | None = None

    def marks(self, point: tuple[float, float]) -> bool:
        """Whether a point (x, y) lies on the lesion or at its edge, which a cell of the map is as wide as."""
        return self.outline is not None and cv2.pointPolygonTest(self.outline, point, True) >= -EDGE


@lru_cache
def truth_of(name: str) -> Truth | None:
    """What was drawn on the bundled slice of that name; None for any other."""
    if name not in BUNDLED:
        return None
    phantom, lesion = bundled_phantom(name), BUNDLED[name].lesion
    curves, _ = cv2.findContours(phantom.lesion_mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    outline = max(curves, key=len)[:, 0] if curves else None
    return Truth(DRAWN[name], bool(lesion and lesion.malignant), name not in PHANTOMS, outline)


@dataclass(frozen=True)
class Example:
    """A bundled slice and what the strip shows of it.

    Attributes:
        thumbnail: a PNG. real: whether it is a patient's slice, not a phantom.
    """

    path: Path
    title: str
    thumbnail: bytes
    real: bool = False

    @property
    def name(self) -> str:
        """Its file's stem."""
        return self.path.stem


def find_examples() -> list[Example]:
    """The bundled phantoms with their bundled thumbnails, and real slices that were fetched (`examples --download`)."""
    found = []
    for name in BUNDLED:
        path = shipped_file("examples") / f"{name}.dcm"
        if path.exists():
            drawn = THUMBNAILS / f"{name}.png"  # it spares the first visitor the drawing
            found.append(Example(path, TITLES[name], drawn.read_bytes() if drawn.exists() else draw_thumbnail(path)))
    found += [Example(path, real.title, draw_thumbnail(path), real=True) for real, path in downloaded_examples()]
    return found


def draw_thumbnail(path: Path) -> bytes:
    """A slice as the strip of examples shows it: the middle three quarters, as PNG."""
    picture = render_slice(load_slice(path))
    top = (picture.shape[0] - picture.shape[0] * 3 // 4) // 2
    small = cv2.resize(picture[top:-top], (2 * WIDTH, 3 * WIDTH // 2), interpolation=cv2.INTER_AREA)
    return encode_png(small)
