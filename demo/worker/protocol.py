"""What page and worker say to each other over their pipe.

The page sends a `Call` with a random token, and perhaps a `Stop` of that token later. The worker answers a call with
`Begun`, any number of `Progress` and then one `Result` or `Failure`; once, unasked, it says `Loaded`, or `NotLoaded`
and ends; and `Beat` every now and then, for as long as it is able to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lungcnn import ModelCard


@dataclass(frozen=True)
class Call:
    """One of `server.Methods` by name."""

    token: str
    name: str
    args: tuple = ()
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stop:
    """Nobody waits for a call any more: it ends at its next progress, or doesn't begin."""

    token: str


@dataclass(frozen=True)
class Begun:
    """A call's turn has come."""

    token: str


@dataclass(frozen=True)
class Progress:
    """Something that a call tells on its way: the report of a slice."""

    token: str
    value: Any


@dataclass(frozen=True)
class Result:
    """What a call returned."""

    token: str
    value: Any


@dataclass(frozen=True)
class Failure:
    """What a call raised."""

    token: str
    error: Exception


@dataclass(frozen=True)
class Beat:
    """The worker is alive."""


@dataclass(frozen=True)
class Loaded:
    """The model is there."""

    card: ModelCard


@dataclass(frozen=True)
class NotLoaded:
    """Why it isn't."""

    error: Exception
