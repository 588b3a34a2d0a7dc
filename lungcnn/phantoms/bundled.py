"""Synthetic slices in HU, the thorax with known lesions: the bundled examples, and ground truth for tests.

They are drawn by software from a seed; no patient and no dataset went into them.
"""

import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from lungcnn.errors import UsageError
from lungcnn.phantoms.abdomen import draw_abdomen
from lungcnn.phantoms.canvas import SPACING
from lungcnn.phantoms.lesion import Lesion
from lungcnn.phantoms.levels import LEVELS
from lungcnn.phantoms.thorax import draw_thorax
from lungcnn.windowing import to_grey

NOTICE = "Synthetic phantom, not a patient"
AS_PNG = ("carina-normal", "arch-spiculated-mass")


@dataclass(frozen=True)
class PhantomSpec:
    """How to draw a phantom: the level (or "abdomen"), a seed, a lesion or None, and the size (1.0: an adult)."""

    title: str
    description: str
    level: str
    seed: int
    lesion: Lesion | None = None
    size: float = 1.0


@dataclass(frozen=True, eq=False)
class Phantom:
    """A drawn phantom.

    Attributes:
        name: file stem. title, description: for a picker.
        hu: float32 `[512, 512]`, whole HU, read-only.
        lesion_mask, lung_mask, body_mask: bool `[512, 512]`; the lungs include vessels and the lesion in them.
        spacing: `(row, column)` mm.
    """

    name: str
    title: str
    description: str
    hu: np.ndarray
    lesion_mask: np.ndarray
    lung_mask: np.ndarray
    body_mask: np.ndarray
    spacing: tuple[float, float] = (SPACING, SPACING)


# From apex to base. The patient's right is on the image's left, as radiologists look at it.
PHANTOMS = {
    "apex-normal": PhantomSpec("Normal lungs, apices", "Both lung apices, without a lesion.", "apex", 11),
    "arch-spiculated-mass": PhantomSpec(
        "Spiculated mass, right upper lobe",
        "A spiculated mass of 30 mm in the right lung at the level of the aortic arch.",
        "arch",
        12,
        Lesion("spiculated", -68, -6, 30),
    ),
    "carina-normal": PhantomSpec("Normal lungs, carina", "Both lungs at the carina, without a lesion.", "carina", 13),
    "hilum-calcified-nodule": PhantomSpec(
        "Calcified nodule, left lung",
        "A round nodule of 10 mm with a calcified centre in the left lung at the level of the hila.",
        "hilum",
        14,
        Lesion("calcified", 84, -26, 10),
    ),
    "heart-smooth-nodule": PhantomSpec(
        "Smooth nodule, right lung",
        "A smooth, solid nodule of 12 mm in the right lung at the level of the heart.",
        "heart",
        15,
        Lesion("smooth", -88, 24, 12),
    ),
    "heart-chest-wall-mass": PhantomSpec(
        "Mass at the chest wall, left",
        "A mass of 45 mm with broad contact to the left chest wall at the level of the heart.",
        "heart",
        16,
        Lesion("chest-wall", 80, 30, 45),
    ),
    "base-normal": PhantomSpec(
        "Normal lungs, bases", "Lung bases around liver and heart, without a lesion.", "base", 17
    ),
}
# What the gate refuses, so that visitors see how that looks.
STRANGERS = {
    "abdomen-refused": PhantomSpec(
        "Abdomen (is refused)", "The upper abdomen without lungs: a slice that is refused.", "abdomen", 18
    ),
}
BUNDLED = PHANTOMS | STRANGERS


def draw(spec_or_name: PhantomSpec | str, seed: int | None = None) -> Phantom:
    """Draw a phantom; the same spec and seed give the same pixels.

    Args:
        spec_or_name: a spec of your own, or a name from `BUNDLED`. seed: in place of the spec's.

    Raises:
        UsageError: an unknown name or level.
    """
    if isinstance(spec_or_name, str):
        if spec_or_name not in BUNDLED:
            raise UsageError(f"There is no phantom '{spec_or_name}'. There are: {', '.join(BUNDLED)}.")
        name, spec = spec_or_name, BUNDLED[spec_or_name]
    else:
        name, spec = "phantom", spec_or_name
    rng = np.random.default_rng(spec.seed if seed is None else seed)
    if spec.level == "abdomen":
        drawing = draw_abdomen(rng, spec.size)
    elif spec.level in LEVELS:
        drawing = draw_thorax(LEVELS[spec.level], spec.lesion, rng, spec.size)
    else:
        raise UsageError(f"There is no level '{spec.level}'. There are: {', '.join([*LEVELS, 'abdomen'])}.")
    drawing.hu.setflags(write=False)
    return Phantom(name, spec.title, spec.description, drawing.hu, drawing.lesion, drawing.lungs, drawing.body)


@lru_cache
def bundled_phantom(name: str) -> Phantom:
    """One of `BUNDLED`, kept once drawn; raises `UsageError` for another name."""
    return draw(name)


def to_dicom(phantom: Phantom) -> bytes:
    """The phantom as a CT Image (PS3.3 A.3) in Explicit VR Little Endian; its header says that it is synthetic."""
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    def uid(what):
        number = int(hashlib.sha256(f"lungcnn phantom {what} {phantom.name}".encode()).hexdigest()[:31], 16)
        return f"2.25.{number}"

    ds = Dataset()
    ds.ImageType = ["DERIVED", "PRIMARY", "AXIAL"]
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, uid("instance")
    ds.StudyDate = ds.StudyTime = ds.AccessionNumber = ds.ReferringPhysicianName = ds.StudyID = ""
    ds.Modality, ds.Manufacturer = "CT", "lungcnn (synthetic)"
    ds.StudyDescription = ds.SeriesDescription = NOTICE
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "SYNTHETIC^PHANTOM", "PHANTOM", "", ""
    ds.PatientIdentityRemoved, ds.DeidentificationMethod = "YES", "Drawn by software; there is no patient"
    ds.ImageComments = f"{NOTICE}. {phantom.description}"
    ds.BodyPartExamined = "CHEST" if phantom.lung_mask.any() else "ABDOMEN"
    ds.PatientPosition, ds.BurnedInAnnotation = "HFS", "NO"
    ds.SliceThickness, ds.KVP, ds.ConvolutionKernel = "5", "120", "STANDARD"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid("study"), uid("series")
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = uid("frame of reference"), ""
    ds.SeriesNumber, ds.InstanceNumber, ds.AcquisitionNumber = 1, 1, 1
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    half = -(phantom.hu.shape[0] - 1) / 2 * phantom.spacing[0]
    ds.ImagePositionPatient = [f"{half:.3f}", f"{half:.3f}", "0"]
    ds.PixelSpacing = [str(value) for value in phantom.spacing]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = phantom.hu.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"
    ds.WindowCenter, ds.WindowWidth = "-600", "1500"
    ds.PixelData = (phantom.hu + 1024).astype("<i2").tobytes()
    ds["PixelData"].VR = "OW"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.ImplementationVersionName = "LUNGCNN"
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, ds, enforce_file_format=True)
    return stream.getvalue()


def to_png(phantom: Phantom) -> bytes:
    """The phantom as an 8-bit grey PNG under the dataset's window, marked as synthetic in a text chunk."""
    from PIL import Image, PngImagePlugin

    notice = PngImagePlugin.PngInfo()
    notice.add_text("Description", f"{NOTICE}. {phantom.description}")
    stream = io.BytesIO()
    Image.fromarray(to_grey(phantom.hu)).save(stream, "PNG", pnginfo=notice)
    return stream.getvalue()


def write_examples(out: Path) -> list[Path]:
    """Write every phantom as `<name>.dcm`, and those of `AS_PNG` also as PNG, byte for byte the same each time.

    Raises `UsageError` where the folder can't be written.
    """
    out = Path(out)
    written = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in BUNDLED:
            phantom = draw(name)
            files = {".dcm": to_dicom(phantom)} | ({".png": to_png(phantom)} if name in AS_PNG else {})
            for suffix, content in files.items():
                written.append(out / f"{name}{suffix}")
                written[-1].write_bytes(content)
    except OSError as error:
        raise UsageError(f"The examples could not be written to {out}: {error.strerror}.") from None
    return written
