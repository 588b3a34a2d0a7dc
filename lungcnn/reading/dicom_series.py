"""Frames of DICOM files become series: what is no slice set aside, the others in order, what is to be known told."""

import numpy as np

from lungcnn.errors import Reason
from lungcnn.reading.file_rules import no_slice_of_a_series
from lungcnn.reading.series import Gap, Series, SeriesSlice, SetAside, notes_of
from lungcnn.reading.slice_order import Frame, Stack, stack_up
from lungcnn.reading.source_file import SourceFile

SAME_NORMAL_DEGREES = 1.0
GAP = 1.5
MIXED, MIXED_MM = 0.1, 0.05


def frames_of(item: int, file: SourceFile) -> tuple[tuple, list[Frame]]:
    """What tells the file's series from others, and the frames that the file holds."""
    headers = file.headers()
    file.frames = headers.frames
    frames = [
        Frame(item, file, index, facts, headers.instance, headers.number, headers.acquisition)
        for index, facts in enumerate(headers.facts)
    ]
    return (headers.series, "" if headers.has_series_uid else file.folder), frames


def dicom_series(frames: list[Frame]) -> tuple[list[Series], list[SetAside]]:
    """The series of frames that were given as one; where none of them is a slice, what was set aside alone."""
    aside, kept = [], []
    for frame in frames:
        reason = no_slice_of_a_series(frame.facts)
        if reason:
            aside.append(frame.aside(reason.code, reason.message))
        else:
            kept.append(frame)
    if not kept:
        return [], aside
    kept, others = _one_orientation(kept)
    stacks, more = stack_up(kept)
    aside += others + more
    return [_series(stack, aside if index == 0 else []) for index, stack in enumerate(stacks)], []


def _one_orientation(frames: list[Frame]) -> tuple[list[Frame], list[SetAside]]:
    """The frames that share the commonest normal, or state none."""
    stated = [frame.facts.normal for frame in frames if frame.facts.normal is not None]
    if not stated:
        return frames, []
    different, counts = np.unique(np.round(stated, 3), axis=0, return_counts=True)
    commonest = different[counts.argmax()]
    kept, aside = [], []
    for frame in frames:
        normal = frame.facts.normal
        if normal is None or normal @ commonest >= np.cos(np.radians(SAME_NORMAL_DEGREES)):
            kept.append(frame)
        else:
            message = "The plane is tilted otherwise than most of its series."
            aside.append(frame.aside("other_orientation", message))
    return kept, aside


def _series(stack: Stack, aside: list[SetAside]) -> Series:
    places = stack.places or (None,) * len(stack.frames)
    slices = tuple(
        SeriesSlice(place, frame.frame, frame.file.name, frame.file)
        for place, frame in zip(places, stack.frames, strict=True)
    )
    spacing, gaps, notes = _spacing(np.diff(stack.places)) if stack.places else (None, (), [])
    notes = [*stack.notes, *notes_of(aside), *notes]
    thicknesses = {round(frame.facts.thickness, 2) for frame in stack.frames if frame.facts.thickness}
    if len(thicknesses) > 1:
        text = f"Slices are {min(thicknesses):g} to {max(thicknesses):g} mm thick: the thicknesses are mixed."
        notes.append(Reason("mixed_thickness", text))
    return Series(slices, "dicom", spacing, gaps, tuple(aside), tuple(notes))


def _spacing(steps: np.ndarray) -> tuple[float | None, tuple[Gap, ...], list[Reason]]:
    """The usual distance between neighbours, where it is longer, and what to say of that; `steps` are all of them."""
    usual = float(np.median(steps)) if len(steps) else 0.0
    if not usual:
        return None, (), []
    notes = []
    gaps = tuple(Gap(int(i), round(float(steps[i]), 3)) for i in np.flatnonzero(steps > GAP * usual))
    within = steps[steps <= GAP * usual]
    if np.ptp(within) > max(MIXED * usual, MIXED_MM):
        text = f"Slices lie {within.min():.2f} to {within.max():.2f} mm apart: the distances are mixed."
        notes.append(Reason("mixed_spacing", text))
    if gaps:
        missing = sum(round(gap.mm / usual) - 1 for gap in gaps)
        where = f"after slice {gaps[0].after + 1}" + (f" and in {len(gaps) - 1} other places" if gaps[1:] else "")
        text = f"Slices seem to be missing: a gap of {gaps[0].mm:.1f} mm {where}, about {missing} slices in all."
        notes.append(Reason("gap", text))
    return round(usual, 3), gaps, notes
