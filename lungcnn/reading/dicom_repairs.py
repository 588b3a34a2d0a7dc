"""What other readers forgive, forgiven: files that break the standard where their pixels are no less certain for it."""

import io

from lungcnn.errors import Reason, UnreadableFileError, UnsupportedFileError
from lungcnn.reading.dicom_parsing import parse_dicom

PIXEL_DATA = b"\xe0\x7f\x10\x00"
SEQUENCE_DELIMITER = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
SIGN_ASSUMED = Reason(
    "sign_assumed", "The file states no PixelRepresentation; its values were read as signed only where they must be."
)
POLARITY_ASSUMED = Reason(
    "polarity_assumed", "The file states no PhotometricInterpretation; low values were taken as dark."
)


def parse_image(data: bytes):
    """The Dataset of an image object with pixels; raises what `load_slice` does for any other."""
    ds = parse_dicom(io.BytesIO(data))
    if "PixelData" not in ds and PIXEL_DATA in data:
        # Frames that nothing ends: pydicom drops them, and all before them.
        ds = parse_dicom(io.BytesIO(data + SEQUENCE_DELIMITER))
    if "PixelData" not in ds:
        raise UnsupportedFileError("The DICOM object holds no image. Send a CT image object.")
    if not ds.PixelData:
        raise UnreadableFileError("The DICOM object holds no pixels: its PixelData is empty. Export the slice again.")
    return ds


def assume_missing(ds) -> list[Reason]:
    """Fill in required attributes that are missing and can be told from the pixels, and say so."""
    notes = []
    if ds.get("PixelRepresentation") not in (0, 1):
        ds.PixelRepresentation = 0
        notes.append(SIGN_ASSUMED)
    if not ds.get("PhotometricInterpretation"):
        ds.PhotometricInterpretation = "MONOCHROME2"
        notes.append(POLARITY_ASSUMED)
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
