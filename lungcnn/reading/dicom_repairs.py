"""What other readers forgive, forgiven: files that break the standard where their pixels are no less certain for it."""

import io
from collections.abc import Iterator
from itertools import chain

from lungcnn.errors import LungCNNError, Reason, UnreadableFileError
from lungcnn.reading.dicom_parsing import no_image, parse_dicom
from lungcnn.reading.dicom_values import term

ICON = b"\x88\x00\x00\x02"
PIXEL_DATA = b"\xe0\x7f\x10\x00"
SEQUENCE_DELIMITER = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
SIGN_ASSUMED = Reason(
    "sign_assumed", "The file states no PixelRepresentation; its values were read as signed only where they must be."
)
POLARITY_ASSUMED = Reason(
    "polarity_assumed", "The file states no known PhotometricInterpretation; low values were taken as dark."
)


def parse_image(data: bytes):
    """The Dataset of an image object with pixels; raises what `load_slice` does for any other."""
    damage: list[LungCNNError] = []
    for meant in chain([data], as_meant(data)):
        try:
            ds = parse_dicom(io.BytesIO(meant))
        except UnreadableFileError as error:
            damage.append(error)
            continue
        if "PixelData" in ds:
            break
        damage.append(no_image(ds))
    else:
        raise damage[0]
    if not ds.PixelData:
        raise UnreadableFileError("The DICOM object holds no pixels: its PixelData is empty. Export the slice again.")
    if not isinstance(ds.PixelData, bytes):
        raise UnreadableFileError(
            "The DICOM object's PixelData holds numbers or texts, not pixels. Export the slice again."
        )
    return ds


def as_meant(data: bytes) -> Iterator[bytes]:
    """A file that can't be read, or holds no pixels as it is, as its writer may have meant it."""
    if PIXEL_DATA in data:  # frames that nothing ends: pydicom drops them, and all before them
        yield data + SEQUENCE_DELIMITER
    icon = data.find(ICON)
    pixels = data.find(PIXEL_DATA, data.find(PIXEL_DATA, icon) + 4)
    if 0 < icon < pixels:  # an icon of another length than it states: what follows is not where it should be
        yield data[:icon] + data[pixels:]


def assume_missing(ds) -> list[Reason]:
    """Fill in required attributes that are missing and can be told from the pixels, and say so."""
    notes = []
    if ds.get("PixelRepresentation") not in (0, 1):
        ds.PixelRepresentation = 0
        notes.append(SIGN_ASSUMED)
    polarity = term(ds.get("PhotometricInterpretation"))
    if polarity not in ("MONOCHROME1", "MONOCHROME2"):
        polarity = "MONOCHROME2"
        notes.append(POLARITY_ASSUMED)
    ds.PhotometricInterpretation = polarity
    ds.SamplesPerPixel = 1
    return notes


def use_own_offsets(ds, frames: int) -> None:
    """Let frames be found by the fragments themselves, not by an offset table, where these leave no doubt."""
    from pydicom.encaps import encapsulate, generate_fragments

    try:
        fragments = list(generate_fragments(ds.PixelData))[1:]  # the first one is the table
        if frames == 1:
            fragments = [b"".join(fragments)]
        if len(fragments) != frames:
            return
        ds.PixelData = encapsulate(fragments, has_bot=False)
    except Exception:  # noqa: BLE001 - decoding will say that it is damaged
        return
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        ds.pop(keyword, None)
