"""Frames of DICOM files become series: sorted along the normal of their planes, what is no axial slice set aside."""

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from lungcnn.errors import LungCNNError, Reason
from lungcnn.reading.acquisition import SliceFacts
from lungcnn.reading.series import Gap, Series, SeriesSlice, SetAside
from lungcnn.reading.series_files import SourceFile

# A normal farther from the body's long axis is a reformat, for the gate too; gantries tilt by up to 30 degrees.
MAX_TILT_DEGREES = 30.0
SAME_NORMAL_DEGREES = 1.0
SAME_POSITION_MM = 0.01
GAP = 1.5
MIXED = 0.1
_LOCALIZER = {"LOCALIZER", "SCOUT"}
# Planes made from a volume: of another thickness than the rest, or projections through it (PS3.3 C.8.15.2.1).
_REFORMAT = {
    "REFORMATTED", "MPR", "CSA MPR", "CSA 3D", "PROJECTION", "MAX_IP", "MIN_IP", "MIP", "MINIP", "SCREEN SAVE",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Frame:
    item: int
    file: SourceFile
    frame: int
    facts: SliceFacts
    instance: str
    number: float
    acquisition: str

    def aside(self, code: str, message: str) -> SetAside:
        frame = self.frame if self.file.frames > 1 else None
        return SetAside(self.item, frame, Reason(code, message), self.file.name)


def frames_of(item: int, file: SourceFile) -> tuple[str, list[_Frame]]:
    headers = file.headers()
    file.frames = headers.frames
    frames = [
        _Frame(item, file, index, facts, headers.instance, headers.number, headers.acquisition)
        for index, facts in enumerate(headers.facts)
    ]
    return headers.series, frames


def dicom_series(frames: list[_Frame]) -> tuple[list[Series], list[SetAside]]:
    """The series of frames under one SeriesInstanceUID; what was set aside alone where none is left."""
    aside, kept = [], []
    for frame in frames:
        reason = _no_axial_slice(frame.facts)
        if reason:
            aside.append(frame.aside(reason.code, reason.message))
        else:
            kept.append(frame)
    kept, others = _one_of_each(kept)
    aside += others
    placed = [frame for frame in kept if frame.facts.orientation and frame.facts.position]
    unplaced = [frame for frame in kept if not (frame.facts.orientation and frame.facts.position)]
    if placed and unplaced:
        aside += [
            frame.aside("no_position", "The file states no position, while others of its series do.")
            for frame in unplaced
        ]
        unplaced = []
    if unplaced:
        return [_unplaced_series(unplaced, aside)], []
    if not placed:
        return [], aside
    placed, others = _one_orientation(placed)
    aside += others
    stacks, others = _stacks(placed)
    aside += others
    found = [_sorted_series(stack, aside if index == 0 else []) for index, stack in enumerate(stacks)]
    return found, []


def _no_axial_slice(facts: SliceFacts) -> Reason | None:
    kinds = set(facts.image_type)
    if kinds & _LOCALIZER:
        return Reason("localizer", "A localizer (scout view) is not an axial slice.")
    if kinds & _REFORMAT:
        return Reason("reformat", "A plane or projection computed from a volume is not one of its slices.")
    if facts.orientation:
        tilt = np.degrees(np.arccos(np.clip(abs(_normal(facts)[2]), 0, 1)))
        if tilt > MAX_TILT_DEGREES:
            return Reason(
                "not_axial", f"The plane is tilted by {tilt:.0f} degrees from axial; accepted are axial slices."
            )
    return None


def _normal(facts: SliceFacts) -> np.ndarray:
    """Unit normal of the plane towards the head (PS3.3 C.7.6.2.1.1), float `[3]`."""
    row, column = np.reshape(facts.orientation, (2, 3))
    normal = np.cross(row, column)
    normal /= np.linalg.norm(normal)
    return -normal if normal[2] < 0 else normal


def _one_of_each(frames: list[_Frame]) -> tuple[list[_Frame], list[SetAside]]:
    """Each instance once: the same file often lies in an export twice."""
    seen, kept, aside = set(), [], []
    for frame in frames:
        key = (frame.instance, frame.frame)
        if frame.instance and key in seen:
            aside.append(frame.aside("duplicate", "The same instance was given twice; the first was taken."))
        else:
            seen.add(key)
            kept.append(frame)
    return kept, aside


def _one_orientation(frames: list[_Frame]) -> tuple[list[_Frame], list[SetAside]]:
    """The frames that share the commonest normal."""
    normals = np.array([_normal(frame.facts) for frame in frames])
    near = normals @ normals.T >= np.cos(np.radians(SAME_NORMAL_DEGREES)) if len(frames) < 2000 else None
    if near is None:
        near = (normals @ np.median(normals, axis=0)[:, None] >= np.cos(np.radians(SAME_NORMAL_DEGREES))).T
    most = near[near.sum(axis=1).argmax()]
    aside = [
        frame.aside("other_orientation", "The plane is tilted otherwise than most of its series.")
        for frame, same in zip(frames, most, strict=True)
        if not same
    ]
    return [frame for frame, same in zip(frames, most, strict=True) if same], aside


def _places(frames: list[_Frame]) -> np.ndarray:
    normal = _normal(frames[0].facts)
    return np.array([normal @ np.array(frame.facts.position) for frame in frames])


def _stacks(frames: list[_Frame]) -> tuple[list[list[_Frame]], list[SetAside]]:
    """Stacks with one slice a position: by acquisition where a series holds several, else what is doubled goes."""
    if _doubled(frames):
        by_acquisition = defaultdict(list)
        for frame in frames:
            by_acquisition[frame.acquisition].append(frame)
        if len(by_acquisition) > 1 and not any(_doubled(stack) for stack in by_acquisition.values()):
            return sorted(by_acquisition.values(), key=len, reverse=True), []
    places = _places(frames)
    order = sorted(range(len(frames)), key=lambda i: (places[i], frames[i].number, frames[i].item, frames[i].frame))
    kept, aside, last = [], [], None
    for index in order:
        if last is not None and abs(places[index] - places[last]) < SAME_POSITION_MM:
            if _content(frames[index]) == _content(frames[last]):
                message = "The same picture at the same position; the first was taken."
                aside.append(frames[index].aside("duplicate", message))
            else:
                message = "Another slice at the same position (another phase or reconstruction?); the first was taken."
                aside.append(frames[index].aside("same_position", message))
            continue
        kept.append(frames[index])
        last = index
    return [kept], aside


def _doubled(frames: list[_Frame]) -> bool:
    return bool((np.diff(np.sort(_places(frames))) < SAME_POSITION_MM).any())


def _content(frame: _Frame) -> bytes:
    """A digest of the decoded pixels, or of nothing in particular where they can't be decoded."""
    try:
        return hashlib.sha256(frame.file.read(frame.frame).hu.tobytes()).digest()
    except LungCNNError:
        return repr((frame.item, frame.frame)).encode()


def _sorted_series(frames: list[_Frame], aside: list[SetAside]) -> Series:
    places = _places(frames)
    order = np.argsort(places, kind="stable")
    places = places[order]
    slices = tuple(
        SeriesSlice(round(float(places[rank]), 3), frames[index].frame, frames[index].file.name, frames[index].file)
        for rank, index in enumerate(order)
    )
    steps = np.diff(places)
    usual = float(np.median(steps)) if len(steps) else None
    gaps, notes = (), aside_notes(aside)
    if usual:
        gaps = tuple(Gap(int(i), round(float(steps[i]), 3)) for i in np.flatnonzero(steps > GAP * usual))
        within = steps[steps <= GAP * usual]
        if np.ptp(within) > MIXED * usual and np.ptp(within) > 0.05:
            text = f"Slices lie {within.min():.2f} to {within.max():.2f} mm apart: the distances are mixed."
            notes.append(Reason("mixed_spacing", text))
        if gaps:
            missing = sum(round(gap.mm / usual) - 1 for gap in gaps)
            where = f"after slice {gaps[0].after + 1}" + (f" and in {len(gaps) - 1} other places" if gaps[1:] else "")
            text = f"Slices seem to be missing: a gap of {gaps[0].mm:.1f} mm {where}, about {missing} slices in all."
            notes.append(Reason("gap", text))
    thicknesses = {round(frame.facts.thickness, 2) for frame in frames if frame.facts.thickness}
    if len(thicknesses) > 1:
        text = f"Slices are {min(thicknesses):g} to {max(thicknesses):g} mm thick: the thicknesses are mixed."
        notes.append(Reason("mixed_thickness", text))
    return Series(slices, "dicom", usual and round(usual, 3), gaps, tuple(aside), tuple(notes))


def _unplaced_series(frames: list[_Frame], aside: list[SetAside]) -> Series:
    frames = sorted(frames, key=lambda frame: (frame.number, frame.item, frame.frame))
    slices = tuple(SeriesSlice(None, frame.frame, frame.file.name, frame.file) for frame in frames)
    note = Reason("no_position", "The files state no positions; slices are in the order of their numbers.")
    return Series(slices, "dicom", set_aside=tuple(aside), notes=(note, *aside_notes(aside)))


def aside_notes(aside: list[SetAside]) -> list[Reason]:
    """One sentence for each kind of thing set aside."""
    words = {
        "localizer": "{} localizer image(s) were set aside.",
        "reformat": "{} reformatted image(s) were set aside.",
        "not_axial": "{} image(s) in other than axial planes were set aside.",
        "duplicate": "{} duplicate(s) were dropped.",
        "other_orientation": "{} image(s) tilted otherwise than the rest were set aside.",
        "same_position": "{} image(s) at positions that were taken already were set aside.",
        "no_position": "{} image(s) without a position were set aside.",
    }
    counts = Counter(item.reason.code for item in aside)
    return [Reason(code, words[code].format(count)) for code, count in counts.items()]
