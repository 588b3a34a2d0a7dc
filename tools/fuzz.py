"""Mutated files against the way from file to gate, alone and as a series: `python tools/fuzz.py --inputs 20000`.

Seeds are drawn and encoded here: DICOM in several transfer syntaxes, PNG, JPEG, TIFF, BMP, WebP and zip; others, as
scanners wrote them, come by `--seeds FILE ...`. Each input is a mutated seed; none may crash, raise anything but our
own errors, take 2 s of processor time, be read otherwise than by pydicom, or spoil the next good file.
"""

import argparse
import io
import json
import re
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from unittest import mock

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "reading")]

import cv2
from conftest import dicom_bytes
from cost import processes, seconds
from PIL import Image

from lungcnn.errors import LungCNNError
from lungcnn.gate.examine import admit
from lungcnn.phantoms.bundled import draw
from lungcnn.reading import dicom
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.loading import FileHere, iter_slices
from lungcnn.reading.plain_dicom import read_plain
from lungcnn.reading.series_reader import read_series
from lungcnn.windowing import to_grey

LONGEST = 2.0
FRAMES = 3
SIDE = 128
# Where structures begin: pixels, items, the members of a zip and its directory, JPEG's, JPEG 2000's and PNG's parts.
STRUCTURE = re.compile(
    rb"\xe0\x7f\x10\0|\xfe\xff[\0\x0d\xdd]\xe0|PK[\1\3\5][\2\4\6]|\xff[\xc0-\xcf\xd8\xda\xf7]|\xff\x4f\xff\x51|IHDR|IDAT"
)


def seeds() -> dict[str, bytes]:
    """Small valid files of each kind, the same each time."""
    import pydicom

    with mock.patch("pydicom.uid.generate_uid", return_value=pydicom.uid.UID("1.2.826.0.1.3680043.8.498.1")):
        return _seeds()


def _seeds() -> dict[str, bytes]:
    import pydicom

    hu = cv2.resize(draw("carina-normal").hu, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    grey, stored = to_grey(hu), np.round(hu + 1024).astype(np.uint16)
    found = {kind: cv2.imencode(f".{kind}", grey)[1].tobytes() for kind in ("png", "jpg", "tiff", "bmp", "webp")}
    found["png 16 bit"] = cv2.imencode(".png", stored)[1].tobytes()
    found["png colour"] = cv2.imencode(".png", cv2.applyColorMap(grey, cv2.COLORMAP_HOT))[1].tobytes()
    for name, syntax in {"explicit": "1.2.840.10008.1.2.1", "implicit": "1.2.840.10008.1.2"}.items():
        found[f"dicom {name}"] = dicom_bytes(stored, syntax)
        found[f"dicom {name} bare"] = dicom_bytes(stored, syntax, preamble=False)
    found["dicom deflated"] = dicom_bytes(stored, "1.2.840.10008.1.2.1.99")
    found["dicom frames"] = dicom_bytes(np.stack([stored] * 3))
    place = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "SeriesInstanceUID": "1.2"}
    stack = {f"{z}.dcm": dicom_bytes(stored, ImagePositionPatient=[0, 0, z], **place) for z in (0, 5, 10)}
    found["tiff pages"] = _pages([grey, 255 - grey])
    found["dicom functional groups"] = dicom_bytes(
        np.stack([stored] * 2), slope=None, spacing=None, SharedFunctionalGroupsSequence=[_group()]
    )
    for name, syntax, options in (
        ("rle", pydicom.uid.RLELossless, {}),
        ("jpeg 2000", pydicom.uid.JPEG2000Lossless, {"encoding_plugin": "pylibjpeg"}),
        ("jpeg-ls", pydicom.uid.JPEGLSLossless, {}),
    ):
        ds = pydicom.dcmread(io.BytesIO(dicom_bytes(stored)))
        ds.compress(syntax, generate_instance_uid=False, **options)
        stream = io.BytesIO()
        ds.save_as(stream)
        found[f"dicom {name}"] = stream.getvalue()
    found["zip"] = _zipped({"a.dcm": found["dicom explicit"], "b/c.png": found["png"]}, zipfile.ZIP_DEFLATED)
    # Stored, so that mutations reach the members.
    found["zip of a series"] = _zipped(stack, zipfile.ZIP_STORED)
    return found


def _group():
    """A functional group with what frames need to become HU, and the size of their pixels."""
    from pydicom import Dataset

    group, transform, measures = Dataset(), Dataset(), Dataset()
    transform.RescaleSlope, transform.RescaleIntercept, transform.RescaleType = 1, -1024, "HU"
    measures.PixelSpacing, measures.SliceThickness = [0.7, 0.7], 2
    group.PixelValueTransformationSequence, group.PixelMeasuresSequence = [transform], [measures]
    return group


def _pages(pages: list[np.ndarray]) -> bytes:
    stream = io.BytesIO()
    first, *others = [Image.fromarray(page) for page in pages]
    first.save(stream, "TIFF", save_all=True, append_images=others)
    return stream.getvalue()


def _zipped(files: dict[str, bytes], method: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)  # without the time of day
    return stream.getvalue()


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """A copy with bytes changed, cut out, doubled, or numbers set to extremes; headers and structures most often."""
    raw = bytearray(content)
    structures = [found.start() for found in STRUCTURE.finditer(content)]
    for _ in range(int(rng.integers(1, 8))):
        start, reach = [(0, len(raw)), (0, 700), (int(rng.choice(structures or [0])), 48)][int(rng.integers(0, 3))]
        place = start + int(rng.integers(0, max(1, min(reach, len(raw) - start))))
        match int(rng.integers(0, 7)):
            case 0:
                raw[place : place + 1] = rng.bytes(1)
            case 1:
                raw[place : place + 4] = rng.bytes(4)
            case 2:
                raw[place : place + 4] = rng.choice([b"\xff\xff\xff\xff", bytes(4), b"\xff\xff\xff\x7f", b"\x01\0\0\0"])
            case 3:
                del raw[place : place + int(rng.integers(1, 64))]
            case 4:
                raw[place:place] = raw[place : place + int(rng.integers(1, 64))]
            case 5:
                raw[place:place] = rng.bytes(int(rng.integers(1, 32)))
            case 6:
                del raw[max(place, 16) :]
    return bytes(raw)


def feed(content: bytes) -> str:
    """Read a file alone and as a series, and put its first frames to the gate; raises what escapes.

    Returns "admitted" or an error's code.
    """
    as_series = _outcome(lambda: _from_series(content))
    if read_plain(content) is not None:
        _is_read_as_by_pydicom(content)
    return as_series if content[:2] == b"PK" else _outcome(lambda: iter_slices(content))


def _is_read_as_by_pydicom(content: bytes) -> None:
    """Raises `AssertionError` where what is read without pydicom isn't what it finds; it may refuse the file."""
    plainly = _told(content)
    with mock.patch.object(dicom, "read_plain", return_value=None):
        by_pydicom = _told(content)
    if plainly != by_pydicom and isinstance(by_pydicom, list):
        raise AssertionError(f"pydicom finds otherwise: {by_pydicom} instead of {plainly}"[:400])


def _told(content: bytes) -> list | str:
    """Pixels and all that is said of them, of the first frames; or the error."""
    try:
        source = FileHere(content)
        return [source.frames, *map(_facts, (source.read(frame) for frame in range(min(FRAMES, source.frames))))]
    except LungCNNError as error:
        return str(error)


def _facts(one: CTSlice) -> tuple:
    return one.spacing, one.calibrated, one.window, one.warnings, one.facts, one.hu.shape, one.hu.tobytes()


def _from_series(content: bytes) -> Iterator[CTSlice]:
    for series in read_series(content).series:
        for one in series.slices[:FRAMES]:
            yield one.read()


def _outcome(slices: Callable[[], Iterator[CTSlice]]) -> str:
    try:
        for ct_slice in islice(slices(), FRAMES):
            admit(ct_slice)
    except LungCNNError as error:
        _is_a_sentence(str(error))
        if "was not expected" in str(error) or "could not be read: damaged" in str(error):
            raise AssertionError("caught by the last net only; its log says where") from error
        return error.code
    return "admitted"


def _is_a_sentence(text: str) -> None:
    if not text.endswith(".") or "MARKER" in text or "Traceback" in text:
        raise AssertionError(f"not a sentence for people: {text!r}")


def run(inputs: int, seed: int = 0, on_input=lambda: None, more=()) -> tuple[Counter, list[str], float]:
    """Counts by code, what went wrong, and the longest processor time of an input; `more`: paths of further seeds."""
    rng = np.random.default_rng(seed)
    good = seeds() | {path.name: path.read_bytes() for path in more}
    names, counts, wrong, longest = sorted(good), Counter(), [], 0.0
    expected = {name: feed(content) for name, content in good.items()}
    for number in range(inputs):
        name = names[number % len(names)]
        content = mutate(good[name], rng)
        start, at_work = seconds(), processes()
        try:
            counts[feed(content)] += 1
        except Exception as error:  # noqa: BLE001 - what escapes is what is looked for
            wrong.append(f"{name}, input {number}: {type(error).__name__}: {error}")
        # Where another process was started, the system's limits ended the last one.
        taken = seconds() - start if processes() == at_work else 0.0
        longest = max(longest, taken)
        if taken > LONGEST:
            wrong.append(f"{name}, input {number}: {taken:.1f} s")
        if number % 50 == 0 and feed(good[name]) != expected[name]:
            wrong.append(f"{name} after input {number}: the next good file is read otherwise")
        on_input()
    return counts, wrong, longest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=20_000, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=Path, nargs="*", default=[], help="files whose real headers are mutated, too")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    from tqdm import tqdm

    with tqdm(total=options.inputs, unit="input", disable=None) as bar:
        counts, wrong, longest = run(options.inputs, options.seed, lambda: bar.update(1), options.seeds)
    print(f"{options.inputs} inputs: {dict(counts)}; longest {longest:.2f} s; {len(wrong)} went wrong")
    print("\n".join(wrong[:50]))
    if options.json:
        figures = {"inputs": options.inputs, "wrong": len(wrong), "longest_s": round(longest, 2), "codes": dict(counts)}
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
