"""What a classifier asks of the network behind it, whichever library runs it."""

from typing import Protocol

import numpy as np

from lungcnn.model.keras_graph import Structure


class Engine(Protocol):
    """A network that is open and warm; safe to call from several threads.

    Crops are float32 `[n, 128, 128]`, grey 0 to 1.

    Attributes:
        layer: name of the convolution whose map explains. cells: rows and columns of that map.
        size: rows and columns of a crop. classes: how many logits there are.
        bias: logits float32 `[classes]` of an all-zero map, or None where the logits don't depend on the map alone.
        weights: float32 `[channels, classes]`, from the map's maxima to the logits less `bias`; None where the network
            reads its map in another way.
        light: it opens in a moment and in little memory, so that each of many processes may have its own.
    """

    layer: str
    cells: tuple[int, int]
    size: tuple[int, int]
    classes: int
    bias: np.ndarray | None
    weights: np.ndarray | None
    light: bool

    def logits(self, crops: np.ndarray) -> np.ndarray:
        """Logits float32 `[n, classes]`."""
        ...

    def mapped(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits, and the convolution's map float32 `[n, rows, columns, channels]`."""
        ...

    def explained(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Logits, map, and the gradient of each logit with respect to it `[n, classes, rows, columns, channels]`."""
        ...

    def keras_graph(self) -> Structure:
        """The same network in Keras, for methods that need the gradient of the input; opened when first asked for."""
        ...
