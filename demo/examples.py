"""The bundled slices, and the strip that shows them."""

from dataclasses import dataclass
from pathlib import Path

from lungcnn import BUNDLED, downloaded_examples, encode_png, load_slice, render_slice, shipped_file

THUMBNAILS = Path(__file__).parent / "thumbnails"
WIDTH = 104


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


def find_examples() -> list[Example]:
    """The bundled phantoms with their bundled thumbnails, and real slices that were fetched (`examples --download`)."""
    found = []
    for name, spec in BUNDLED.items():
        path = shipped_file("examples") / f"{name}.dcm"
        if path.exists():
            drawn = THUMBNAILS / f"{name}.png"  # it spares the first visitor the drawing
            found.append(Example(path, spec.title, drawn.read_bytes() if drawn.exists() else draw_thumbnail(path)))
    found += [Example(path, real.title, draw_thumbnail(path), real=True) for real, path in downloaded_examples()]
    return found


def draw_thumbnail(path: Path) -> bytes:
    """A slice as the strip of examples shows it: the middle three quarters, as PNG."""
    import cv2

    picture = render_slice(load_slice(path))
    top = (picture.shape[0] - picture.shape[0] * 3 // 4) // 2
    small = cv2.resize(picture[top:-top], (2 * WIDTH, 3 * WIDTH // 2), interpolation=cv2.INTER_AREA)
    return encode_png(small)
