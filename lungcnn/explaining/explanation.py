"""`Explanation`: where the network saw evidence for one class."""

from dataclasses import dataclass, field

import numpy as np

from lungcnn.classes import CLASSES, Classes
from lungcnn.explaining.faithfulness import Faithfulness, shares
from lungcnn.explaining.methods import explanation_method
from lungcnn.preprocessing.anatomy import Anatomy
from lungcnn.preprocessing.lung_crop import CropBox


@dataclass(frozen=True, eq=False)
class Explanation:
    """Where the network saw evidence for one class.

    Attributes:
        method, class_name, layer: what was explained and how.
        cells: float32 `[rows, columns]` over the lung crop, the method's raw map.
        box: where that crop lies on the slice.
        cell_mm: height and width of a cell in mm, or None where the spacing is unknown.
        peak_xy: the strongest cell's centre in slice coordinates, or None where nothing speaks for the class.
        lung_fraction: share of the positive map inside the lungs, or None as above.
        maps: float32 `[classes, rows, columns]`, the maps of all classes; `cells` is one of them.
        scale: largest value of the maps of all classes: on this common scale a weak map looks weak.
        signed: negative cells speak against the class.
        strengths: by class, how its map's largest cell compares with those of training slices: "none", "weak" or
            "strong". Empty where the model's card doesn't tell.
        faithfulness: the checks; None where not checked or nothing marked.
    """

    method: str
    class_name: str
    layer: str
    cells: np.ndarray
    box: CropBox
    cell_mm: tuple[float, float] | None
    peak_xy: tuple[float, float] | None
    lung_fraction: float | None
    scale: float
    maps: np.ndarray
    signed: bool = False
    strengths: dict[str, str] = field(default_factory=dict)
    faithfulness: Faithfulness | None = None

    @property
    def strength(self) -> str | None:
        """Of the explained class; None where it isn't known."""
        return self.strengths.get(self.class_name)

    def heatmap(self) -> np.ndarray:
        """The raw map on the slice's own pixels: float32 `[rows, columns]`, 0 outside the lung crop."""
        return self.box.to_slice(self.cells)


def explanation_of(maps, label, anatomy: Anatomy, spacing, method, layer, classes: Classes = CLASSES) -> Explanation:
    cells, box = maps[label], anatomy.box
    row, column = np.unravel_index(np.argmax(cells), cells.shape)
    marked = bool(cells[row, column] > 0)
    return Explanation(
        method=method,
        class_name=classes[label],
        layer=layer,
        cells=cells,
        maps=maps,
        box=box,
        cell_mm=spacing and (box.height * spacing[0] / cells.shape[0], box.width * spacing[1] / cells.shape[1]),
        peak_xy=box.point_to_slice(column + 0.5, row + 0.5, cells.shape) if marked else None,
        lung_fraction=shares(cells, anatomy)[0] if marked else None,
        scale=float(max(0.0, maps.max())),
        signed=explanation_method(method).signed,
    )
