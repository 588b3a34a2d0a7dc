"""Where a result is filed: the identity of the slice's own file, read to be copied and for nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lungcnn.errors import LungCNNError, UsageError
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.dicom_headers import parse_identity
from lungcnn.results.slice_report import ModelInfo, SliceReport

if TYPE_CHECKING:
    from pydicom import Dataset

_NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
# Of type 2: a result repeats them, empty where the source lacks them.
_REPEATED = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)


class NotDicomError(LungCNNError):
    """The result can't be written as DICOM: the slice is of a picture, or of a file whose header doesn't allow it."""

    code = "not_dicom"


@dataclass(frozen=True, eq=False)
class Judged:
    """A slice's report and the DICOM file that the slice came from (a path, or the file's bytes).

    Attributes:
        number: the slice's index in its series, or None for a slice by itself.
    """

    source: Path | bytes
    report: SliceReport
    number: int | None = None


class Place(NamedTuple):
    """Where a slice lies in its frame of reference (PS3.3 C.7.6.2); lengths in mm."""

    position: tuple[float, ...]
    orientation: tuple[float, ...]
    thickness: float
    spacing: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Source:
    """A judged slice with the header of its file: what its results are made of. `number` is as in `Judged`."""

    header: Dataset
    ct_slice: CTSlice
    report: SliceReport
    model: ModelInfo
    number: int | None = None

    @property
    def place(self) -> Place | None:
        """Where the slice lies in its frame of reference; None where the file doesn't say all of it."""
        facts, spacing = self.ct_slice.facts, self.ct_slice.spacing
        if not (facts and facts.position and facts.orientation and facts.thickness and spacing):
            return None
        if not self.header.get("FrameOfReferenceUID"):
            return None
        return Place(facts.position, facts.orientation, facts.thickness, spacing)


def read_source(judged: Judged) -> Source:
    """The header of a slice's file, with what a result must repeat of it.

    Raises `NotDicomError` for a picture and for a file that states no UIDs, `UnreadableFileError` for one that is gone.
    """
    report, ct_slice = judged.report, judged.report.require_slice()
    if ct_slice.kind != "dicom":
        raise NotDicomError(
            "DICOM results need a slice that was read from a DICOM file: a picture names no patient and no study."
        )
    if report.model is None:
        raise UsageError("The report names no model: make one with Pipeline.run.")
    header = parse_identity(judged.source)
    for keyword in _NEEDED:
        if not header.get(keyword):
            raise NotDicomError(f"The DICOM file states no {keyword}; a result could not be filed with its study.")
    for keyword in _REPEATED:
        if header.get(keyword) is None:
            setattr(header, keyword, "")
    _as_unicode(header)
    return Source(header, ct_slice, report, report.model, judged.number)


def _as_unicode(header: Dataset) -> None:
    """Keep texts that need several character sets as Unicode.

    Files may leave the first of them to the default (`\\ISO 2022 IR 87`, PS3.3 C.12.1.1.2), which highdicom doesn't
    take; nor does it know the Korean set.
    """
    stated = header.get("SpecificCharacterSet") or ""
    names = [stated] if isinstance(stated, str) else list(stated)
    if "ISO 2022 IR 58" in names:  # pydicom leaves escape sequences in what it decodes
        raise NotDicomError("The file's texts are in the character set ISO 2022 IR 58, which results can't repeat.")
    if any(name.startswith("ISO 2022") for name in names):
        header.decode()
        header.SpecificCharacterSet = "ISO_IR 192"
