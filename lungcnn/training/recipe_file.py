"""A recipe from a JSON file: a model's card, or the recipe that stands in one."""

import json
from dataclasses import fields, is_dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from lungcnn.errors import UsageError
from lungcnn.training.train import Recipe

_WHOLE = {"epochs", "batch", "width", "members"}
_POSITIVE = {*_WHOLE, "learning_rate"}
_SHARES = {
    "smoothing",
    "dropout",
    "flip",
    "insert",
    "transplant",
    "erase",
    "decoy",
    "dome",
    "restyle",
    "nodule",
    "benign_nodule",
    "disease",
    "inflamed",
    "insert_diseased",
}
_SWITCHES = {"half_precision", "inflammation"}


def read_recipe(path: Path) -> Recipe:
    """The recipe in a file; what it leaves out is as in `Recipe()`.

    Raises `UsageError` for a file that can't be read, a name that no recipe has, or a value that is out of range.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The recipe {path} could not be read: {error.strerror}.") from None
    except ValueError as error:
        raise UsageError(f"The recipe {path} is not JSON: {error}.") from None
    if isinstance(content, dict) and isinstance(content.get("training"), dict):
        content = content["training"].get("recipe")
        if isinstance(content, dict):
            content = {"members": 1, "inflamed": 0.0, **content}  # cards of before there were several don't tell
    if not isinstance(content, dict):
        raise UsageError(
            f'{path} holds no recipe. Give a model\'s card, or a file such as {{"epochs": 40, "width": 16}}.'
        )
    return _changed(Recipe(), content, path)


def _changed(recipe: Any, values: dict, path: Path) -> Any:
    """A recipe, or a part of one, with some of its values replaced."""
    accepted = [field.name for field in fields(recipe)]
    changes = {}
    for name, value in values.items():
        if name not in accepted:
            raise UsageError(
                f"The recipe {path} names '{name}', which there is none of. Accepted: {', '.join(accepted)}."
            )
        part = getattr(recipe, name)
        if is_dataclass(part):
            if not isinstance(value, dict):
                raise UsageError(f"In the recipe {path}, '{name}' is an object with values of its own, not {value!r}.")
            changes[name] = _changed(part, value, path)
        else:
            changes[name] = _checked(name, value, path)
    return replace(recipe, **changes)


def _checked(name: str, value: Any, path: Path) -> int | float | bool:
    if name in _SWITCHES and isinstance(value, bool):
        return value
    number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if number and name in _WHOLE and value == int(value) and value >= 1:
        return int(value)
    if name in _WHOLE:
        wanted = "a whole number of at least 1"
    elif name in _SWITCHES:
        wanted = "true or false"
    elif name in _POSITIVE:
        wanted = "a number above 0"
    else:
        wanted = "a share from 0 to 1" if name in _SHARES else "a number of at least 0"
    in_range = number and value >= 0 and (value > 0 or name not in _POSITIVE) and (value <= 1 or name not in _SHARES)
    if name in _WHOLE | _SWITCHES or not in_range:
        raise UsageError(f"In the recipe {path}, '{name}' is {value!r}; accepted is {wanted}.")
    return float(value)
