"""Files become series: grouped, sorted along the normal of their planes, what is no axial slice set aside.

Only headers are read here; a slice is decoded when it is asked for, so that a series of hundreds costs no memory.
Series are told apart by SeriesInstanceUID and instances by SOPInstanceUID; neither is kept.
"""

import hashlib
import io
import os
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock

import numpy as np

from lungcnn.errors import LungCNNError, Reason, UnreadableFileError, UnsupportedFileError
from lungcnn.facts import SliceFacts
from lungcnn.loading import MAX_BYTES, CTSlice, open_source, read_headers, sniff

MAX_MEMBERS = 10_000
MAX_UNPACKED = 4 * 2**30
# CT slices shrink to a half or a third, empty ones to a fiftieth; a bomb to a thousandth.
MAX_RATIO, RATIO_FROM = 100, 64 * 2**20
# A normal farther from the body's long axis is a reformat, for the gate too; gantries tilt by up to 30 degrees.
MAX_TILT_DEGREES = 30.0
SAME_NORMAL_DEGREES = 1.0
SAME_POSITION_MM = 0.01
GAP = 1.5
MIXED = 0.1
_HEAD_BYTES = 512
_LOCALIZER = {"LOCALIZER", "SCOUT"}
# Planes made from a volume: of another thickness than the rest, or projections through it (PS3.3 C.8.15.2.1).
_REFORMAT = {
    "REFORMATTED", "MPR", "CSA MPR", "CSA 3D", "PROJECTION", "MAX_IP", "MIN_IP", "MIP", "MINIP", "SCREEN SAVE",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class SeriesSlice:
    """One slice of a series, not decoded yet.

    Attributes:
        position: mm along the series' normal, growing towards the head; None where the file states none.
        frame: its index in its file.
        name: the file as it was given (a path or a name in an archive), which may name a patient: not for display.
    """

    position: float | None
    frame: int
    name: str = field(repr=False)
    _file: "_File" = field(repr=False)

    def read(self) -> CTSlice:
        """Decode it. Raises as `load_slice`."""
        return self._file.read(self.frame)

    def content(self) -> bytes | Path:
        """Its file, for those who must copy identity from it (DICOM results): bytes, or a path."""
        return self._file.content()


@dataclass(frozen=True)
class SetAside:
    """A file or frame that is no slice of a series, and why. `item` counts the files as given, from 0."""

    item: int
    frame: int | None
    reason: Reason
    name: str = field(repr=False, default="")


@dataclass(frozen=True)
class Gap:
    """A distance between two slices that is longer than usual: after which slice, and how long in mm."""

    after: int
    mm: float


@dataclass(frozen=True, eq=False)
class Series:
    """Slices of one series in order, from the feet to the head.

    Attributes:
        slices: sorted by position along the normal; pictures and files without positions in order of name.
        kind: "dicom" or "picture".
        spacing_mm: the usual distance between neighbours, None where positions are unknown.
        gaps: where slices seem to be missing.
        set_aside: localizers, reformats, duplicates and the like of this series.
        notes: what a reader of the result should know of the series: gaps, mixed distances, dropped duplicates.
    """

    slices: tuple[SeriesSlice, ...]
    kind: str
    spacing_mm: float | None = None
    gaps: tuple[Gap, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    notes: tuple[Reason, ...] = ()

    def __len__(self) -> int:
        return len(self.slices)

    @property
    def positions(self) -> tuple[float | None, ...]:
        """Of each slice, mm along the normal."""
        return tuple(item.position for item in self.slices)


@dataclass(frozen=True, eq=False)
class Reading:
    """What was found: series, the longest first, and what belongs to none with the reason."""

    series: tuple[Series, ...]
    set_aside: tuple[SetAside, ...] = ()


def read_series(source) -> Reading:
    """Find the series in what a user has.

    Args:
        source: a path of a folder (searched through), zip archive or file; the bytes of a zip archive or file; a
            mapping of names to any of these; or an iterable of them or of binary files.

    Raises:
        UnreadableFileError: a path that doesn't exist, or a damaged archive.
        UnsupportedFileError: an archive of too many or too large members; nothing given.
    """
    files = list(_collect(source))
    if not files:
        raise UnsupportedFileError("No files were given. Accepted are a folder, files, or a zip archive of CT slices.")
    aside: list[SetAside] = []
    dicom, pictures = defaultdict(list), defaultdict(list)
    for item, file in enumerate(files):
        try:
            kind = file.kind()
            if kind == "dicom":
                key, frames = _frames(item, file)
                dicom[key] += frames
            else:
                pictures[os.path.dirname(file.name)].append((item, file))
        except LungCNNError as error:
            aside.append(SetAside(item, None, Reason(error.code, str(error)), file.name))
    series = []
    for frames in dicom.values():
        found, others = _dicom_series(frames)
        series += found
        aside += others
    for members in pictures.values():
        series.append(_picture_series(members))
    series.sort(key=lambda one: -len(one))
    return Reading(tuple(series), tuple(aside))


# ---------------------------------------------------------------- what was given


class _File:
    """One file: a path, bytes, or a member of an archive."""

    def __init__(self, name: str, source):
        self.name, self._source = name, source
        self._lock = Lock()

    def content(self):
        """Bytes, or a path."""
        if isinstance(self._source, _Member):
            return self._source.read()
        return self._source

    def head(self) -> bytes:
        if isinstance(self._source, _Member):
            return self._source.read(_HEAD_BYTES)
        if isinstance(self._source, Path):
            try:
                with self._source.open("rb") as stream:
                    return stream.read(_HEAD_BYTES)
            except FileNotFoundError:
                raise UnreadableFileError("There is no such file. Check the path.") from None
            except OSError as error:
                raise UnreadableFileError(f"The file could not be opened: {error.strerror}.") from None
        return self._source[:_HEAD_BYTES]

    def kind(self) -> str:
        head = self.head()
        kind = sniff(head)
        if kind is None:
            if head.startswith(b"PK\x03\x04"):
                raise UnsupportedFileError(
                    "An archive inside what was given is not opened. Send its files, or it alone."
                )
            open_source(head)  # says what it is instead
        return kind

    def headers(self):
        content = self.content()
        return read_headers(content)

    @cached_property
    def _opened(self):
        return open_source(self.content())

    def read(self, frame: int) -> CTSlice:
        if self.frames == 1:
            return open_source(self.content()).read(frame)
        with self._lock:  # many frames share one object: parsed once
            opened = self._opened
        return opened.read(frame)

    frames = 1


class _Member:
    """A member of a zip archive, unpacked in memory when it is read; nothing is written to disk."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo):
        self._archive, self._info = archive, info

    def read(self, count: int = -1) -> bytes:
        if self._info.flag_bits & 1:
            raise UnreadableFileError("The file in the archive is encrypted. Send the archive without a password.")
        try:
            # Python reads no more than the size that the archive states, which was checked.
            with self._archive.open(self._info) as stream:
                return stream.read(count)
        except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError, RuntimeError):
            raise UnreadableFileError("The file in the archive is damaged or packed in an unusual way.") from None
        except Exception as error:  # noqa: BLE001 - zlib, lzma and bz2 raise errors of their own
            raise UnreadableFileError(f"The file in the archive is damaged ({type(error).__name__}).") from None


def _collect(source) -> Iterable[_File]:
    if isinstance(source, Mapping):
        for name, content in sorted(source.items(), key=lambda pair: natural(str(pair[0]))):
            yield from _collect_one(str(name), content)
    elif isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if path.is_dir():
            inside = [file for file in path.rglob("*") if file.is_file() and file.name not in _IGNORED]
            for file in sorted(inside, key=lambda file: natural(str(file))):
                yield _File(str(file), file)
        else:
            yield from _collect_one(str(path), path)
    elif isinstance(source, (bytes, bytearray, memoryview)) or hasattr(source, "read"):
        yield from _collect_one("", source)
    elif isinstance(source, Iterable):
        given = list(source)
        for index, content in enumerate(given):
            named = isinstance(content, (str, os.PathLike))
            yield from _collect_one(str(content) if named else str(index), content)
    else:
        raise UnsupportedFileError(
            f"read_series takes a path, bytes, a mapping of names to bytes, or several of them; received "
            f"{type(source).__name__}."
        )


_IGNORED = {"DICOMDIR", "Thumbs.db", ".DS_Store"}


def _collect_one(name: str, content) -> Iterable[_File]:
    if hasattr(content, "read"):
        content = content.read()
    if isinstance(content, (bytearray, memoryview)):
        content = bytes(content)
    if isinstance(content, bytes):
        if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            yield from _members(io.BytesIO(content))
        else:
            yield _File(name, content)
        return
    path = Path(content)
    if path.is_dir():
        yield from _collect(path)
        return
    file = _File(name, path)
    if file.head().startswith((b"PK\x03\x04", b"PK\x05\x06")):
        yield from _members(path)
    else:
        yield file


def _members(archive) -> Iterable[_File]:
    try:
        opened = zipfile.ZipFile(archive)
        infos = [info for info in opened.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise UnreadableFileError("The zip archive is damaged or cut short. Pack it again.") from None
    if len(infos) > MAX_MEMBERS:
        raise UnsupportedFileError(f"The archive holds {len(infos)} files; accepted are up to {MAX_MEMBERS}.")
    total = sum(info.file_size for info in infos)
    if total > MAX_UNPACKED:
        raise UnsupportedFileError(
            f"The archive unpacks to {total >> 20} MiB; accepted are up to {MAX_UNPACKED >> 20} MiB."
        )
    if total > max(RATIO_FROM, MAX_RATIO * sum(info.compress_size for info in infos)):
        raise UnsupportedFileError(
            f"The archive unpacks to more than {MAX_RATIO} times its size, as no CT series does. Pack the slices again."
        )
    if len({info.header_offset for info in infos}) < len(infos):
        raise UnsupportedFileError("Files in the archive overlap. Pack the slices again.")
    if any(info.file_size > MAX_BYTES for info in infos):
        raise UnsupportedFileError(f"A file in the archive unpacks to more than {MAX_BYTES >> 20} MiB.")
    for info in sorted(infos, key=lambda info: natural(info.filename)):
        # Names are labels only: nothing is written, so none can climb out of a folder.
        base = info.filename.replace("\\", "/").rsplit("/", 1)[-1]
        if base in _IGNORED or base.startswith("._") or info.filename.startswith("__MACOSX/"):
            continue
        yield _File(info.filename, _Member(opened, info))


def natural(name: str) -> list:
    """A sort key that puts slice2 before slice10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part.casefold()) for part in re.split(r"(\d+)", name)]


# ---------------------------------------------------------------- DICOM


@dataclass(frozen=True, eq=False)
class _Frame:
    item: int
    file: _File
    frame: int
    facts: SliceFacts
    instance: str
    number: float
    acquisition: str

    def aside(self, code: str, message: str) -> SetAside:
        frame = self.frame if self.file.frames > 1 else None
        return SetAside(self.item, frame, Reason(code, message), self.file.name)


def _frames(item: int, file: _File) -> tuple[str, list[_Frame]]:
    headers = file.headers()
    file.frames = headers.frames
    frames = [
        _Frame(item, file, index, facts, headers.instance, headers.number, headers.acquisition)
        for index, facts in enumerate(headers.facts)
    ]
    return headers.series, frames


def _dicom_series(frames: list[_Frame]) -> tuple[list[Series], list[SetAside]]:
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
    gaps, notes = (), _notes(aside)
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
    return Series(slices, "dicom", set_aside=tuple(aside), notes=(note, *_notes(aside)))


def _notes(aside: list[SetAside]) -> list[Reason]:
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


# ---------------------------------------------------------------- pictures


def _picture_series(members: list[tuple[int, _File]]) -> Series:
    """Pictures in the order given, which is that of their names: names are all there is."""
    seen, slices, aside = set(), [], []
    for item, file in members:
        content = file.content()
        data = content.read_bytes() if isinstance(content, Path) else content
        digest = hashlib.sha256(data).digest()
        if digest in seen:
            reason = Reason("duplicate", "The same picture was given twice; the first was taken.")
            aside.append(SetAside(item, None, reason, file.name))
            continue
        seen.add(digest)
        slices.append(SeriesSlice(None, 0, file.name, file))
    notes = _notes(aside)
    if len(slices) > 1:
        notes.insert(
            0, Reason("order_of_names", "Pictures state no positions; slices are in the order of their names.")
        )
    return Series(tuple(slices), "picture", set_aside=tuple(aside), notes=tuple(notes))
