"""Several networks of one build as one, whose logits are the mean of theirs.

Networks that differ in their seed, or in what they were taught, err on different slices, and their mean errs less
(Lakshminarayanan, Pritzel and Blundell, "Simple and scalable predictive uncertainty estimation using deep ensembles",
2017). Joined they are one plain network, as wide as all of them, whose channels read only those of their own member:
all that explains a network explains this one, and its last map holds the maps of all.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lungcnn.model.network import LOGITS, build_network

_FIRST, _EMBEDDING, _DROPOUT = "conv1", "embedding", "dropout1"


def join(networks: Sequence[Any]) -> Any:
    """One `keras.Model` of networks as `build_network` makes them, all of one even width."""
    if len(networks) == 1:
        return networks[0]
    one = networks[0]
    whole = build_network(len(networks) * _width(one), one.get_layer(_DROPOUT).rate, one.get_layer(LOGITS).units)
    for layer in whole.layers:
        parts = [network.get_layer(layer.name).get_weights() for network in networks]
        layer.set_weights([_joined(layer.name, arrays) for arrays in zip(*parts, strict=True)])
    return whole


def members(network) -> list:
    """The networks that `join` made a network of; of any other, that one alone."""
    if [layer.name for layer in network.layers] != [layer.name for layer in build_network(2).layers]:
        return [network]
    width, dropout, classes = _width(network), network.get_layer(_DROPOUT).rate, network.get_layer(LOGITS).units
    counts = (count for count in range(width // 2, 1, -1) if width % (2 * count) == 0)
    count = next((count for count in counts if _falls_into(network, count)), 1)
    if count == 1:
        return [network]
    found = [build_network(width // count, dropout, classes) for _ in range(count)]
    for layer in network.layers:
        for number, one in enumerate(found):
            parts = [_part(layer.name, array, number, count) for array in layer.get_weights()]
            one.get_layer(layer.name).set_weights(parts)
    return found


def side_by_side(networks: Sequence[Any]) -> Any:
    """A `keras.Model` that gives the logits of two or more joined networks, and multiplies no zeros between them."""
    import keras

    images = keras.Input(networks[0].input.shape[1:])
    said = [keras.Model(one.input, one.get_layer(LOGITS).output)(images) for one in networks]
    return keras.Model(images, keras.layers.average(said))


def _width(network) -> int:
    return network.get_layer(_EMBEDDING).units // 4


def _joined(name: str, arrays: Sequence[np.ndarray]) -> np.ndarray:
    """The same weights of all members as the whole has them."""
    if name == LOGITS:
        return np.concatenate(arrays) / len(arrays) if arrays[0].ndim == 2 else np.mean(arrays, axis=0)
    if arrays[0].ndim == 1 or name == _FIRST:
        return np.concatenate(arrays, axis=-1)
    *places, taken, given = arrays[0].shape
    whole = np.zeros((*places, taken * len(arrays), given * len(arrays)), np.float32)
    for number, array in enumerate(arrays):
        whole[..., number * taken : (number + 1) * taken, number * given : (number + 1) * given] = array
    return whole


def _part(name: str, array: np.ndarray, number: int, count: int) -> np.ndarray:
    """What `_joined` had of one member."""
    if name == LOGITS:
        return np.split(array, count)[number] * count if array.ndim == 2 else array
    part = np.split(array, count, axis=-1)[number]
    return part if array.ndim == 1 or name == _FIRST else np.split(part, count, axis=-2)[number]


def _falls_into(network, count: int) -> bool:
    """Whether no channel reads one of another part, of so many."""
    for layer in network.layers:
        for array in layer.get_weights():
            if array.ndim > 1 and layer.name not in (_FIRST, LOGITS):
                parts = [_part(layer.name, array, number, count) for number in range(count)]
                if np.count_nonzero(array) > sum(map(np.count_nonzero, parts)):
                    return False
    return True
