"""One compressed frame of a DICOM file, decoded by what its pixels need alone."""

import numpy as np

_PIXEL_TAGS = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)


def decode_alone(ds, codestream: bytes) -> np.ndarray:
    """Stored values `[rows, columns]` of one compressed frame of `ds`; decoders raise anything on damaged bytes.

    Some may abort: run it in `reader_process`.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.pixels.utils import pixel_array
    from pydicom.uid import JPEGExtended12Bit, JPEGLossless

    alone = Dataset()
    for keyword in _PIXEL_TAGS:
        setattr(alone, keyword, ds.get(keyword))
    alone.PixelData = encapsulate([codestream])
    alone["PixelData"].VR = "OB"
    alone.file_meta = FileMetaDataset()
    syntax = ds.file_meta.TransferSyntaxUID
    # pydicom doesn't let GDCM decode 12 bits, which can: GDCM goes by the codestream alone.
    extended = syntax == JPEGExtended12Bit and alone.BitsStored > 8
    alone.file_meta.TransferSyntaxUID = JPEGLossless if extended else syntax
    alone.set_original_encoding(is_implicit_vr=False, is_little_endian=True)
    return pixel_array(alone, index=0)
