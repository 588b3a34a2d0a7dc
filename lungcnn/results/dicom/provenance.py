"""What every result says of its maker, and an image of its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lungcnn import __version__
from lungcnn.results.dicom.source import Source
from lungcnn.results.slice_report import DISCLAIMER, ModelInfo

if TYPE_CHECKING:
    from pydicom import Dataset

MANUFACTURER = "lungcnn"
_LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")


def maker(model: ModelInfo) -> dict[str, Any]:
    """highdicom's arguments that say what made a result, with the model's sha256 (PS3.3 C.12.1.1)."""
    from highdicom import ContributingEquipment
    from pydicom.sr.codedict import codes

    equipment = ContributingEquipment(
        manufacturer=MANUFACTURER,
        purpose_of_reference=codes.DCM.ProcessingEquipment,
        manufacturer_model_name=model.name[:64],
        software_versions=[f"lungcnn {__version__}", model.sha256],
        contribution_description="Explainable classification of a chest-CT slice; software version 2 is the model's "
        "sha256. Research use only.",
    )
    return {
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": "lungcnn",
        "software_versions": __version__,
        "contributing_equipment": [equipment],
    }


def say_derived(made: Dataset, header: Dataset) -> None:
    """Write into a derived image its source's body part, and that lossy compression can't be undone."""
    made.BodyPartExamined = header.get("BodyPartExamined") or "CHEST"
    made.ImageComments = DISCLAIMER
    if header.get("LossyImageCompression") == "01":
        for keyword in _LOSSY:
            if keyword in header:
                made[keyword] = header[keyword]


def source_reference(source: Source) -> Dataset:
    """An item that refers to the source image, and to the frame where it has several."""
    from highdicom.sr import CodedConcept
    from pydicom import Dataset
    from pydicom.sr.codedict import codes

    item = Dataset()
    item.ReferencedSOPClassUID = source.header.SOPClassUID
    item.ReferencedSOPInstanceUID = source.header.SOPInstanceUID
    if source.ct_slice.frames > 1:
        item.ReferencedFrameNumber = source.ct_slice.frame + 1
    purpose = codes.DCM.SourceImageForImageProcessingOperation
    item.PurposeOfReferenceCodeSequence = [CodedConcept.from_code(purpose)]
    return item
