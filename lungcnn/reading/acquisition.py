"""What a DICOM file says of how a slice was made, free of anything that names a person or a place.

Free text may hold anything, so only values known from the standard and from makers' lists are kept: whatever else
a file says there is dropped.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lungcnn.reading.dicom_values import finite_numbers, texts

# Defined terms of ImageType that say what the picture is (PS3.3 C.8.2.1.1.1, C.8.15.2.1).
_IMAGE_TYPE = re.compile(
    r"ORIGINAL|DERIVED|PRIMARY|SECONDARY|AXIAL|LOCALIZER|SCOUT|VOLUME|CEREBRAL|ANGIO|(CSA )?MPR|CSA 3D|REFORMATTED|"
    r"PROJECTION|MAX_IP|MIN_IP|MIP|MINIP|AVERAGE|RESAMPLED|SCREEN SAVE|OTHER|NONE"
)
# Terms of BodyPartExamined (PS3.16 annex L) that are met on CT.
_BODY_PART = re.compile(
    r"CHEST|THORAX|LUNGS?|MEDIASTINUM|HEART|BREAST|RIB|STERNUM|TSPINE|CHESTABDOMEN|CHESTABDPELVIS|WHOLEBODY|BODY|"
    r"TRUNK|ABDOMEN|ABDOMENPELVIS|PELVIS|LIVER|KIDNEY|PANCREAS|SPLEEN|COLON|BLADDER|PROSTATE|HEAD|BRAIN|SKULL|HEADNECK|"
    r"NECK|ORBIT|SINUS|FACE|JAW|MAXILLA|LARYNX|[CLS]SPINE|SPINE|SHOULDER|ELBOW|WRIST|HAND|HIP|KNEE|ANKLE|FOOT|LEG|ARM|"
    r"EXTREMITY|FEMUR|HUMERUS"
)
# Kernels by the names of GE, Siemens, Toshiba/Canon and Philips.
_KERNEL = re.compile(
    r"STANDARD|STND|SOFT|DETAIL|LUNG|CHEST|BONE|BONEPLUS|EDGE|ULTRA|[BDHITUQ][a-z]?\d{2}[a-z]{0,2}|FC\d{2}|[A-E]|L|Y[A-D]",
    re.IGNORECASE,
)
# Defined terms of PatientPosition: head or feet first; on the back, the belly, the right or left side (C.7.3.1.1.2).
_PATIENT_POSITION = re.compile(r"(HF|FF)(S|P|DR|DL)")
# No scanner is larger: farther away lies what is no place, mm.
_FARTHEST = 1e5
_SOP_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.2": "CT Image",
    "1.2.840.10008.5.1.4.1.1.2.1": "Enhanced CT Image",
    "1.2.840.10008.5.1.4.1.1.2.2": "Legacy Converted Enhanced CT Image",
    "1.2.840.10008.5.1.4.1.1.7": "Secondary Capture Image",
    "1.2.840.10008.5.1.4.1.1.7.1": "Multi-frame Single Bit Secondary Capture Image",
    "1.2.840.10008.5.1.4.1.1.7.2": "Multi-frame Grayscale Byte Secondary Capture Image",
    "1.2.840.10008.5.1.4.1.1.7.3": "Multi-frame Grayscale Word Secondary Capture Image",
    "1.2.840.10008.5.1.4.1.1.7.4": "Multi-frame True Color Secondary Capture Image",
}


@dataclass(frozen=True)
class SliceFacts:
    """How a slice was made, as its DICOM file states it; None or empty where the file says nothing known.

    Attributes:
        orientation: ImageOrientationPatient, six direction cosines: along a row of pixels (to the right of the
            image), then along a column (downwards), towards the patient's left, back and head (PS3.3 C.7.6.2.1.1).
        position: ImagePositionPatient, mm: the centre of the first pixel, in the same directions.
        patient_position: how the patient lies, such as "HFS" for head first and supine.
        location: SliceLocation, mm, counted from anywhere.
        image_type: values of ImageType (or FrameType) such as "ORIGINAL", "AXIAL", "LOCALIZER".
        body_part: BodyPartExamined such as "CHEST".
        thickness: SliceThickness, mm.
        kernel: ConvolutionKernel such as "STANDARD" or "B60f".
        burned_in: BurnedInAnnotation: True for YES.
        sop_class: name of the SOP class such as "CT Image" or "Secondary Capture Image"; "" for any other.
    """

    orientation: tuple[float, ...] | None = None
    position: tuple[float, ...] | None = None
    patient_position: str | None = None
    location: float | None = None
    image_type: tuple[str, ...] = ()
    body_part: str | None = None
    thickness: float | None = None
    kernel: str | None = None
    burned_in: bool | None = None
    sop_class: str = ""

    @cached_property
    def normal(self) -> np.ndarray | None:
        """Unit normal of the plane towards the head (PS3.3 C.7.6.2.1.1), float `[3]`; None without an orientation."""
        if self.orientation is None:
            return None
        normal = np.cross(self.orientation[:3], self.orientation[3:])
        normal = normal / np.linalg.norm(normal)
        return -normal if normal[2] < 0 else normal


def read_facts(get: Callable) -> SliceFacts:
    """The facts of a frame; `get(keyword, sequence)` gives a value, looked for in that functional group first."""
    orientation = finite_numbers(get("ImageOrientationPatient", "PlaneOrientationSequence"))
    position = _places(get("ImagePositionPatient", "PlanePositionSequence"))
    thickness = _first(finite_numbers(get("SliceThickness", "PixelMeasuresSequence")))
    location = _first(_places(get("SliceLocation")))
    kinds = _upper(get("FrameType", "CTImageFrameTypeSequence")) or _upper(get("ImageType"))
    kernel = _first(texts(get("ConvolutionKernel", "CTReconstructionSequence"))) or ""
    return SliceFacts(
        orientation=orientation if len(orientation) == 6 and _orthonormal(orientation) else None,
        position=position if len(position) == 3 else None,
        patient_position=_first(term for term in _upper(get("PatientPosition")) if _PATIENT_POSITION.fullmatch(term)),
        location=location,
        image_type=tuple(kind for kind in kinds if _IMAGE_TYPE.fullmatch(kind)),
        body_part=_first(part for part in _upper(get("BodyPartExamined")) if _BODY_PART.fullmatch(part)),
        thickness=thickness if thickness and 0 < thickness < 1000 else None,
        kernel=kernel if _KERNEL.fullmatch(kernel) else None,
        burned_in={"YES": True, "NO": False}.get(_first(_upper(get("BurnedInAnnotation"))) or ""),
        sop_class=_SOP_CLASSES.get(_first(texts(get("SOPClassUID"))) or "", ""),
    )


def _places(value) -> tuple[float, ...]:
    places = finite_numbers(value)
    return places if all(abs(place) <= _FARTHEST for place in places) else ()


def _first(values: Iterable):
    return next(iter(values), None)


def _upper(value) -> list[str]:
    return [text.upper() for text in texts(value)]


def _orthonormal(cosines: tuple[float, ...]) -> bool:
    row, column = np.reshape(cosines, (2, 3))
    return bool(np.allclose([row @ row, column @ column, row @ column], [1, 1, 0], atol=0.01))
