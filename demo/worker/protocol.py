"""What page and worker say to each other over their pipe.

The page sends a `Call`, and perhaps a `Stop` of that number later. The worker answers a call with any number of
`Progress` and then one `Result` or `Failure`; once, unasked, it says `Loaded`, or `NotLoaded` and ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lungcnn import ModelCard


@dataclass(frozen=True)
class Call:
    """One of `server.Methods` by name."""

    number: int
    name: str
    args: tuple = ()
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stop:
    """Nobody waits for a call any more: it ends at its next progress, or doesn't begin."""

    number: int


@dataclass(frozen=True)
class Progress:
    """Something that a call tells on its way: the report of a slice."""

    number: int
    value: Any


@dataclass(frozen=True)
class Result:
    """What a call returned."""

    number: int
    value: Any


@dataclass(frozen=True)
class Failure:
    """What a call raised."""

    number: int
    error: Exception


@dataclass(frozen=True)
class Loaded:
    """The model is there."""

    card: ModelCard


@dataclass(frozen=True)
class NotLoaded:
    """Why it isn't, and won't be."""

    error: Exception
