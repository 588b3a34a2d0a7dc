"""What the header of a CT image object says of its frames and of their series.

Identifiers tell series apart and are forgotten, but by `parse_identity`, for results that must be filed under the
patient.
"""

import hashlib
import io
from dataclasses import dataclass
from functools import partial

from lungcnn.errors import NotCTError, UnreadableFileError, UnsupportedFileError
from lungcnn.reading.acquisition import SliceFacts, read_facts
from lungcnn.reading.damage import told_as_damage
from lungcnn.reading.dicom_parsing import DAMAGED, TAGS, damage_told, import_pydicom, no_image, parse_dicom
from lungcnn.reading.dicom_repairs import as_meant
from lungcnn.reading.dicom_values import finite_number, positive_int, term
from lungcnn.reading.limits import (
    MAX_BYTES,
    MAX_FRAMES,
    MAX_HEADER,
    MAX_PIXELS,
    check_deflated,
    check_items,
    check_value,
    count_items,
)

PLACE_TAGS = [
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "PatientID",
    "PatientName",
    "SeriesNumber",
    "AcquisitionNumber",
    "InstanceNumber",
]
# Of those with more than two letters, what is met beside CT (PS3.3 C.7.3.1.1.1).
_MODALITIES = {
    "SEG",
    "REG",
    "RTIMAGE",
    "RTDOSE",
    "RTSTRUCT",
    "RTPLAN",
    "RTRECORD",
    "DOC",
    "M3D",
    "OPT",
    "IVUS",
    "CTPROTOCOL",
}
_COLOURS = {"PALETTE COLOR", "RGB", "HSV", "ARGB", "CMYK"}


@dataclass(frozen=True)
class Headers:
    """What places the frames of a DICOM file in a series.

    Attributes:
        series: a digest of what tells series apart; of all that is alike within a series where its UID is missing.
        has_series_uid: whether the file states a SeriesInstanceUID.
        instance: a digest of the SOPInstanceUID, None where there is none.
        number: InstanceNumber, infinite where there is none.
        acquisition: AcquisitionNumber.
        facts: of each frame.
    """

    series: bytes
    has_series_uid: bool
    instance: bytes | None
    number: float
    acquisition: str
    facts: tuple[SliceFacts, ...]

    @property
    def frames(self) -> int:
        """Number of frames in the file."""
        return len(self.facts)


def read_headers(path_or_bytes) -> Headers:
    """The headers of a DICOM file (a path or bytes), its pixels left unread. Raises as `load_slice`.

    What it costs is bounded by no more than the file's size: `SourceFile.headers` bounds it.
    """
    try:
        with io.BytesIO(path_or_bytes) if isinstance(path_or_bytes, bytes) else open(path_or_bytes, "rb") as stream:
            head = stream.read(MAX_HEADER)
            check_items(count_items(head))
            check_deflated(head)
            stream.seek(0)
            try:
                return _headers(stream)
            except UnreadableFileError as error:
                damage = error
                stream.seek(0)
                data = stream.read(MAX_BYTES)
    except OSError as error:
        raise UnreadableFileError(f"The file could not be opened: {error.strerror}.") from None
    for meant in as_meant(data):
        try:
            return _headers(io.BytesIO(meant))
        except UnreadableFileError:
            continue
    raise damage


def _headers(stream) -> Headers:
    with told_as_damage(DAMAGED):
        ds = parse_dicom(stream, TAGS + PLACE_TAGS, stop_before_pixels=True)
        facts = _facts(ds, check_ct(ds))
        number = finite_number(ds.get("InstanceNumber"))
        series, instance = (_text(ds, name) for name in ("SeriesInstanceUID", "SOPInstanceUID"))
        return Headers(
            series=_digest(*((series, _text(ds, "PatientID")) if series else _alike(ds, facts[0]))),
            has_series_uid=bool(series),
            instance=_digest(instance) if instance else None,
            number=float("inf") if number is None else number,
            acquisition=_text(ds, "AcquisitionNumber"),
            facts=facts,
        )


def _facts(ds, frames: int) -> tuple[SliceFacts, ...]:
    """Of each frame; those that no functional group tells apart share theirs."""
    own = min(frames, len(ds.get("PerFrameFunctionalGroupsSequence") or ()))
    told = [read_facts(partial(functional, ds, frame)) for frame in range(own)]
    return (*told, *([read_facts(partial(functional, ds, own))] * (frames - own)))


def _alike(ds, facts: SliceFacts) -> list:
    """What the slices of a series have in common, for files that state no SeriesInstanceUID."""
    names = ("StudyInstanceUID", "PatientID", "PatientName", "FrameOfReferenceUID", "SeriesNumber", "Rows", "Columns")
    orientation = [round(cosine, 1) + 0.0 for cosine in facts.orientation or ()]
    return [*(_text(ds, name) for name in names), facts.kernel, orientation]


def _text(ds, keyword: str) -> str:
    return str(ds.get(keyword, "") or "").strip()


def _digest(*values) -> bytes:
    return hashlib.sha256(repr(values).encode()).digest()


def parse_identity(path_or_bytes):
    """Every element of a DICOM file's header but private ones, patient and study included, as a pydicom Dataset.

    For results that must be filed under the patient they are of, and for nothing else. Raises as `load_slice`.
    """
    pydicom = import_pydicom()
    stream = io.BytesIO(path_or_bytes) if isinstance(path_or_bytes, bytes) else path_or_bytes
    try:
        ds = pydicom.dcmread(stream, force=True, stop_before_pixels=True)
        ds.remove_private_tags()
        return ds
    except Exception:  # noqa: BLE001 - pydicom raises anything on damaged bytes
        raise UnreadableFileError("The DICOM header could not be read again; was the file moved?") from None


def check_ct(ds) -> int:
    """The number of frames of an object that is a CT image; raises what `load_slice` does for any other."""
    modality = term(ds.get("Modality"))
    if not any(keyword in ds for keyword in ("Rows", "Columns", "NumberOfFrames")):
        raise no_image(ds)
    if modality != "CT":
        # Two letters (PS3.3 C.7.3.1.1.1: MR, US, PT ...) name no person; anything longer may, in a wrong place.
        known = modality in _MODALITIES or (modality.isalpha() and len(modality) == 2)
        shown = modality if known else "not one that is known" if modality else "not stated"
        raise NotCTError(f"The DICOM object's modality is {shown}; accepted is CT.")
    rows, columns = (positive_int(ds, name) for name in ("Rows", "Columns"))
    frames = ds.NumberOfFrames = positive_int(ds, "NumberOfFrames", 1) if ds.get("NumberOfFrames") else 1
    if rows * columns > MAX_PIXELS or frames > MAX_FRAMES:
        raise UnsupportedFileError(
            f"The DICOM object claims {frames} frames of {rows} x {columns} pixels; "
            f"accepted are up to {MAX_PIXELS >> 20} megapixels a frame and {MAX_FRAMES} frames."
        )
    colours = term(ds.get("PhotometricInterpretation"))
    if positive_int(ds, "SamplesPerPixel", 1) != 1 or colours in _COLOURS or colours.startswith("YBR_"):
        raise UnsupportedFileError(
            "The DICOM image is in colour; accepted are CT images with one sample a pixel, of grey levels."
        )
    if ds.get("ModalityLUTSequence") and ds.get("RescaleSlope") is None:
        raise UnsupportedFileError(
            "The DICOM object states its values by a table (Modality LUT). Accepted are CT images with rescale slope "
            "and intercept. Export the slice again."
        )
    return frames


@damage_told()
def functional(ds, frame: int, keyword: str, sequence: str = ""):
    """An attribute of the frame: own functional group, shared one, or the top level (PS3.3 C.7.6.16).

    Groups are parsed when they are asked for: raises `UnreadableFileError` for a damaged one.
    """
    per_frame, shared = ds.get("PerFrameFunctionalGroupsSequence"), ds.get("SharedFunctionalGroupsSequence")
    groups = []
    if per_frame and frame < len(per_frame):
        groups.append(per_frame[frame])
    if shared:
        groups.append(shared[0])
    for group in groups if sequence else []:
        macro = group.get(sequence)
        if macro and keyword in macro[0]:
            element = macro[0].get_item(keyword)
            if element.is_raw:
                check_value(element.tag, element.VR, len(element.value or b""))
            return macro[0].get(keyword)
    return ds.get(keyword)
