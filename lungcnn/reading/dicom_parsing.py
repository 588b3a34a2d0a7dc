"""pydicom, quiet, on only those attributes of a CT image object that are listed in `TAGS`.

So nothing that names a patient is ever held in memory as a value.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from lungcnn.errors import LungCNNError, UnreadableFileError, UnsupportedFileError
from lungcnn.reading.limits import ElementCounter

TAGS = [
    "SOPClassUID",
    "ImageType",
    "Modality",
    "BodyPartExamined",
    "PatientPosition",
    "BurnedInAnnotation",
    "ConvolutionKernel",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "SliceLocation",
    "SliceThickness",
    "PixelSpacing",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "ModalityLUTSequence",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "WindowCenter",
    "WindowWidth",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "FloatPixelData",
    "DoubleFloatPixelData",
    "PixelData",
]
_MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
DAMAGED = "The file begins like DICOM but is damaged or cut short. Export the slice again."


@cache
def import_pydicom():
    """pydicom, kept from repeating header values, which may name a patient, in warnings and logs."""
    import pydicom

    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module="pydicom")
    return pydicom


@cache
def _numbers(keywords: tuple[str, ...]) -> dict[int, None]:
    """The tags of attributes, in their order."""
    from pydicom.tag import Tag

    return dict.fromkeys(Tag(keyword) for keyword in keywords)


@contextmanager
def damage_told() -> Iterator[None]:
    """Raise `UnreadableFileError` for whatever pydicom raises on damaged bytes: anything."""
    try:
        yield
    except LungCNNError:
        raise
    except Exception:  # noqa: BLE001
        raise UnreadableFileError(DAMAGED) from None


def parse_dicom(stream, tags: list[str] = TAGS, stop_before_pixels: bool = False):
    """The attributes in `tags` of a DICOM stream, as a Dataset. Raises as `load_slice`."""
    import_pydicom()
    from pydicom.filereader import read_partial
    from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    with damage_told():
        kept = _numbers(tuple(tags))
        counter = ElementCounter(kept, stop_before_pixels)
        ds = read_partial(stream, counter, force=True, specific_tags=list(kept))
        if "TransferSyntaxUID" not in ds.file_meta:
            implicit, little = ds.original_encoding
            explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
            ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
        if not isinstance(ds.file_meta.TransferSyntaxUID, UID):
            raise UnreadableFileError("The DICOM file's transfer syntax isn't one: damaged. Export the slice again.")
        for element in ds:  # parse every value now: damage shows here, not halfway through a batch
            element.value  # noqa: B018
        return ds


def no_image(ds) -> UnsupportedFileError:
    """The error for a data set without the pixels of an image."""
    if _is_index(ds):
        return UnsupportedFileError("This is a DICOMDIR, the index of a disc. Give the folder that it lies in.")
    if "FloatPixelData" in ds or "DoubleFloatPixelData" in ds:
        return UnsupportedFileError(
            "The DICOM object's pixels are floating-point numbers, as of a parametric map. Send a CT image object."
        )
    return UnsupportedFileError("The DICOM object holds no image. Send a CT image object.")


def _is_index(ds) -> bool:
    try:
        return ds.file_meta.MediaStorageSOPClassUID == _MEDIA_DIRECTORY
    except Exception:  # noqa: BLE001 - missing, or damaged: pydicom raises anything
        return False
