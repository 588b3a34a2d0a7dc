"""What the tests share: phantoms, DICOM files made of them, an untrained model, and where the real data lies."""

import gzip
import io
import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).parent.parent


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the slow tests too, as CI does")


def pytest_collection_modifyitems(config, items):
    """The default run stays under 5 minutes."""
    if os.environ.get("CI") or config.getoption("--slow"):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: python -m pytest --slow runs it"))


def missing(what: str):
    """Skip a test that needs something this machine lacks; in CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"CI needs {what}")
    pytest.skip(f"needs {what}")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real slices."""
    folder = Path(os.environ.get("LUNGCNN_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "iq-oth-nccd").is_dir():
        missing("the real slices in ../shared/data (or LUNGCNN_DATA)")
    return folder


@pytest.fixture(scope="session")
def faults():
    """Bytes of an input that failed once, by its name in `../shared/faults`."""
    folder = ROOT.parent / "shared" / "faults"
    folder = folder if folder.is_dir() else Path(os.environ.get("LUNGCNN_DATA", folder)).parent / "faults"
    if not folder.is_dir():
        missing("the inputs that failed in ../shared/faults")

    def read(name: str) -> bytes:
        packed = folder / f"{name}.gz"
        return gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / name).read_bytes()

    return read


@pytest.fixture(scope="session")
def phantom():
    """A phantom with a lesion."""
    from lungcnn.phantoms.bundled import PHANTOMS, draw

    return draw(next(name for name in PHANTOMS if "mass" in name))


@pytest.fixture(scope="session")
def phantom_slice(phantom):
    """That phantom as a `CTSlice`."""
    from lungcnn.reading.ct_slice import CTSlice

    return CTSlice(hu=phantom.hu, spacing=phantom.spacing, calibrated=True)


@pytest.fixture(scope="session")
def untrained(tmp_path_factory):
    """Path of a saved network with random weights, and its card."""
    import keras

    from lungcnn.model.calibration import Calibration
    from lungcnn.model.card import save_model
    from lungcnn.model.network import build_network

    keras.utils.set_random_seed(7)
    folder = tmp_path_factory.mktemp("untrained")
    calibration = Calibration(temperature=1.5, set_thresholds=(0.9, 0.95, 0.8), coverage=0.9)
    crops = np.random.default_rng(7).random((2, 128, 128), np.float32)
    return save_model(build_network(), folder, {"calibration": calibration}, crops)


@pytest.fixture(scope="session")
def pipeline(untrained):
    """A pipeline around the untrained network: right shapes and rules, no skill."""
    from lungcnn.pipeline import Pipeline

    return Pipeline.load(untrained)


@pytest.fixture(scope="session")
def shipped():
    """The pipeline with the model in `models/`."""
    from lungcnn.pipeline import Pipeline

    return Pipeline.load(ROOT / "models" / "cancer_classification_model.keras")


def dicom_bytes(
    stored: np.ndarray,
    syntax: str = "1.2.840.10008.1.2.1",
    preamble: bool = True,
    photometric: str = "MONOCHROME2",
    bits: int = 16,
    slope=1,
    intercept=-1024,
    spacing=(0.7, 0.7),
    **elements,
) -> bytes:
    """A small CT object with the given stored values `[rows, columns]` or `[frames, rows, columns]`; None omits."""
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    ds.Modality, ds.PatientName, ds.PatientID = "CT", "MARKER^NAME", "MARKER-ID"
    ds.Rows, ds.Columns = stored.shape[-2:]
    if stored.ndim == 3:
        ds.NumberOfFrames = len(stored)
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, photometric
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, bits, bits - 1
    ds.PixelRepresentation = int(stored.dtype.kind == "i")
    if spacing is not None:
        ds.PixelSpacing = [str(value) for value in spacing]
    if slope is not None:
        ds.RescaleSlope, ds.RescaleIntercept = slope, intercept
    for name, value in elements.items():
        setattr(ds, name, value)
    big = meta.TransferSyntaxUID == "1.2.840.10008.1.2.2"
    ds.PixelData = stored.astype(stored.dtype.newbyteorder(">" if big else "<")).tobytes()
    ds["PixelData"].VR = "OW"
    ds.file_meta = meta
    stream = io.BytesIO()
    if preamble:
        pydicom.dcmwrite(stream, ds, enforce_file_format=True)
        return stream.getvalue()
    del ds.file_meta
    implicit, little = syntax == "1.2.840.10008.1.2", not big
    pydicom.dcmwrite(stream, ds, implicit_vr=implicit, little_endian=little, enforce_file_format=False)
    return stream.getvalue()


@pytest.fixture(scope="session")
def miniature(tmp_path_factory) -> Path:
    """A small dataset of phantoms in the layout of the real one, with `cases.csv` in it."""
    from miniature import write_miniature

    return write_miniature(tmp_path_factory.mktemp("miniature")).parent


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """A running demo for all tests that leave it as they found it."""
    from demo_process import Demo

    with Demo(tmp_path_factory.mktemp("served") / "home", "--log-level", "debug") as demo:
        yield demo
