"""Where the frames of a series lie along its normal, by whatever their files state, and which lie there twice."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lungcnn.errors import LungCNNError, Reason
from lungcnn.reading.acquisition import SliceFacts
from lungcnn.reading.series import SetAside
from lungcnn.reading.source_file import SourceFile

SAME_POSITION_MM = 0.01
# Phases of a moving heart or lung. Where more lie at one place, that says nothing.
MAX_AT_A_PLACE = 20
# So many frames are decoded to find copies; of the rest, those that are the same file.
MAX_DECODED = 2000
HEAD = np.array([0.0, 0.0, 1.0])
ASSUMED_AXIAL = Reason(
    "assumed_axial", "The files state no orientation: the slices were taken as axial, in the order of their heights."
)
BY_LOCATION = Reason(
    "slice_location",
    "The files state no usable positions: the slices are in the order of SliceLocation, from the feet to the head.",
)


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame of a DICOM file among those of its series, not decoded.

    Attributes:
        item: the file's place among those given.
        instance, number, acquisition: as in `Headers`.
    """

    item: int
    file: SourceFile
    frame: int
    facts: SliceFacts
    instance: bytes | None
    number: float
    acquisition: str

    def aside(self, code: str, message: str) -> SetAside:
        """It set aside, with the reason."""
        return SetAside(self.item, self.frame if self.file.frames > 1 else None, Reason(code, message), self.file.name)

    def pixels(self) -> bytes:
        """A digest of the decoded pixels; of nothing that any other has where they can't be decoded."""
        try:
            content = self.file.read(self.frame).hu.tobytes()
        except LungCNNError:
            content = repr((self.item, self.frame)).encode()
        return hashlib.sha256(content).digest()


@dataclass(frozen=True, eq=False)
class Stack:
    """Frames in order, from the feet to the head.

    Attributes:
        places: mm along the normal, None where they are unknown.
        notes: how the order was found, where that is worth saying.
    """

    frames: tuple[Frame, ...]
    places: tuple[float, ...] | None
    notes: tuple[Reason, ...] = ()


def stack_up(frames: list[Frame]) -> tuple[list[Stack], list[SetAside]]:
    """Stacks with one slice a place; frames are of one orientation, or state none."""
    frames, aside = _without_copies(frames, _positions(frames))
    placings = ((_positions(frames), _assumptions(frames)), (_locations(frames), (BY_LOCATION,)))
    for places, notes in placings:
        if np.isfinite(places).all() and not _doubled(places):
            return [_sorted(frames, places, notes)], aside
    for places, notes in placings:
        placed = np.isfinite(places)
        volumes = _volumes(frames, places) if placed.all() else []
        if volumes:
            return [_sorted([frames[i] for i in each], places[each], notes) for each in volumes], aside
        if _different(places[placed]) > 0.5 * len(frames):  # fewer say that these are no positions
            stack, others = _one_a_place(frames, places, notes)
            return [stack], aside + others
    return [_by_numbers(frames)], aside


def _positions(frames: list[Frame]) -> np.ndarray:
    """ImagePositionPatient along the common normal, in mm, NaN where a frame states none."""
    normal = next((frame.facts.normal for frame in frames if frame.facts.normal is not None), HEAD)
    return np.array([np.nan if frame.facts.position is None else normal @ frame.facts.position for frame in frames])


def _locations(frames: list[Frame]) -> np.ndarray:
    """SliceLocation in mm, turned to grow towards the head and counted from the same zero where positions tell."""
    places = np.array([np.nan if frame.facts.location is None else frame.facts.location for frame in frames])
    positions = _positions(frames)
    both = np.isfinite(places) & np.isfinite(positions)
    if _different(places[both]) > 1 and _different(positions[both]) > 1:
        sign = 1.0 if np.corrcoef(places[both], positions[both])[0, 1] > 0 else -1.0
        places = sign * places + np.median(positions[both] - sign * places[both])
    return places


def _assumptions(frames: list[Frame]) -> tuple[Reason, ...]:
    return () if any(frame.facts.orientation for frame in frames) else (ASSUMED_AXIAL,)


def _without_copies(frames: list[Frame], places: np.ndarray) -> tuple[list[Frame], list[SetAside]]:
    """Each picture once: the same file often lies in an export twice. Only what may be a copy is decoded."""
    rounded = [round(place / SAME_POSITION_MM) if np.isfinite(place) else None for place in places]
    instances = Counter((frame.instance, frame.frame) for frame in frames)
    there = Counter(place for place in rounded if place is not None)
    seen: set[tuple] = set()
    kept, aside, decoded = [], [], 0
    for frame, place in zip(frames, rounded, strict=True):
        if (frame.instance and instances[frame.instance, frame.frame] > 1) or 1 < there[place] <= MAX_AT_A_PLACE:
            looks: set[tuple] = {(place, frame.file.digest, frame.frame)}
            if decoded < MAX_DECODED and looks.isdisjoint(seen):
                looks.add((place, frame.pixels()))
                decoded += 1
            if not looks.isdisjoint(seen):
                aside.append(frame.aside("duplicate", "The same picture was given twice; the first was taken."))
                continue
            seen |= looks
        kept.append(frame)
    return kept, aside


def _volumes(frames: list[Frame], places: np.ndarray) -> list[list[int]]:
    """Indices of several volumes over the same places (phases, reconstructions); empty where there are none such."""
    by_acquisition: dict[str, list[int]] = defaultdict(list)
    for index, frame in enumerate(frames):
        by_acquisition[frame.acquisition].append(index)
    acquisitions = sorted(by_acquisition.values(), key=len, reverse=True)
    if len(acquisitions) > 1 and not any(_doubled(places[each]) for each in acquisitions):
        return acquisitions
    at_place: dict[int, list[int]] = defaultdict(list)
    for index in sorted(range(len(frames)), key=lambda i: (frames[i].facts.kernel or "", *_given_order(frames[i]))):
        at_place[round(places[index] / SAME_POSITION_MM)].append(index)
    counts = {len(each) for each in at_place.values()}
    if len(at_place) > 1 and len(counts) == 1:
        return [list(volume) for volume in zip(*at_place.values(), strict=True)]
    return []


def _one_a_place(frames: list[Frame], places: np.ndarray, notes: Iterable[Reason]) -> tuple[Stack, list[SetAside]]:
    kept: list[int] = []
    aside = []
    for index in sorted(range(len(frames)), key=lambda i: (places[i], *_given_order(frames[i]))):
        if not np.isfinite(places[index]):
            message = "The file states no position, while others of its series do."
            aside.append(frames[index].aside("no_position", message))
        elif kept and abs(places[index] - places[kept[-1]]) < SAME_POSITION_MM:
            message = "Another slice at the same position (another phase or reconstruction?); the first was taken."
            aside.append(frames[index].aside("same_position", message))
        else:
            kept.append(index)
    return _sorted([frames[i] for i in kept], places[kept], notes), aside


def _sorted(frames: list[Frame], places: np.ndarray, notes: Iterable[Reason]) -> Stack:
    order = np.argsort(places, kind="stable")
    return Stack(tuple(frames[i] for i in order), tuple(round(float(places[i]), 3) for i in order), tuple(notes))


def _by_numbers(frames: list[Frame]) -> Stack:
    numbered = len({frame.number for frame in frames}) > len(frames) // 2
    one_file = len({frame.item for frame in frames}) == 1
    order = "their numbers" if numbered else "the file" if one_file else "their names"
    note = Reason("no_position", f"The files state no usable positions; slices are in the order of {order}.")
    return Stack(tuple(sorted(frames, key=_given_order)), None, (note,))


def _given_order(frame: Frame) -> tuple[float, int, int]:
    return frame.number, frame.item, frame.frame


def _doubled(places: np.ndarray) -> bool:
    return bool((np.diff(np.sort(places)) < SAME_POSITION_MM).any())


def _different(places: np.ndarray) -> int:
    """How many places there are."""
    return int((np.diff(np.sort(places)) >= SAME_POSITION_MM).sum()) + 1 if len(places) else 0
