"""Makers of files that cost more than they weigh: the rows of the table "what a file may cost"."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import pydicom
from conftest import dicom_bytes
from PIL import Image

RAMP = (np.arange(64 * 64).reshape(64, 64) % 3000).astype(np.uint16)
HEAD = dicom_bytes(RAMP)[:132]
SYNTAX = struct.Struct("<HH2sHI")


def element(tag: tuple[int, int], vr: bytes, content: bytes) -> bytes:
    """With a length of 32 bits, which pydicom reads for the VRs that have it."""
    return SYNTAX.pack(*tag, vr, 0, len(content)) + content


def before_pixels(extra: bytes) -> bytes:
    """A good slice with elements put in front of its pixels."""
    raw = dicom_bytes(RAMP)
    place = raw.index(b"\xe0\x7f\x10\x00")
    return raw[:place] + extra + raw[place:]


def implicit_value(millions: float) -> bytes:
    """A WindowCenter of millions of numbers: implicit VR, in which lengths have 32 bits."""
    raw = dicom_bytes(RAMP, "1.2.840.10008.1.2")
    place = raw.index(b"\xe0\x7f\x10\x00")
    content = b"1\\" * int(millions * 1e6)
    return raw[:place] + struct.pack("<HHI", 0x0028, 0x1050, len(content)) + content + raw[place:]


def many_items(count: int) -> bytes:
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * count
    return before_pixels(element((0x5200, 0x9230), b"SQ", items))


def nested_value(millions: float) -> bytes:
    """A functional group whose SliceThickness has millions of values."""
    thickness = element((0x0018, 0x0050), b"UT", b"1\\" * int(millions * 1e6))
    measures = element((0x0028, 0x9110), b"SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(thickness)) + thickness)
    return before_pixels(
        element((0x5200, 0x9229), b"SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(measures)) + measures)
    )


def deflated(mebibytes: int) -> bytes:
    """A deflated DICOM file whose pixels unfold to so much."""
    raw = dicom_bytes(RAMP, "1.2.840.10008.1.2.1.99")
    start = 144 + struct.unpack_from("<I", raw, 140)[0]
    plain = zlib.decompress(raw[start:], -15)
    deflate = zlib.compressobj(9, wbits=-15)
    place = plain.index(b"\xe0\x7f\x10\x00")
    private = struct.pack("<HH2sHI", 0x0029, 0x1010, b"OB", 0, mebibytes << 20)
    blocks = [plain[:place], private, *[bytes(2**20)] * mebibytes, plain[place:]]
    return raw[:start] + b"".join(deflate.compress(block) for block in blocks) + deflate.flush()


def jpeg2000(rows: int, columns: int, components: int = 1, boxed: bool = False, in_header: bool = True) -> bytes:
    """A slice whose codestream claims that size and number of components, and so does the header if asked."""
    ds = pydicom.dcmread(io.BytesIO(dicom_bytes(RAMP)))
    ds.compress(pydicom.uid.JPEG2000Lossless, encoding_plugin="pylibjpeg")
    stream = next(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1))
    siz = struct.pack(">HIIIIIIII", 0, columns, rows, 0, 0, columns, rows, 0, 0)
    siz += struct.pack(">H", components) + b"\x0f\x01\x01" * components
    body = stream[4 + struct.unpack_from(">H", stream, 4)[0] :]
    stream = b"\xff\x4f\xff\x51" + struct.pack(">H", len(siz) + 2) + siz + body
    if boxed:
        header = struct.pack(">I4sIIHBBBB", 22, b"ihdr", rows, columns, components, 15, 7, 0, 0)
        header += struct.pack(">I4sBBBI", 15, b"colr", 1, 0, 0, 17)
        stream = (
            struct.pack(">I4sI", 12, b"jP  ", 0x0D0A870A)
            + struct.pack(">I4s4sI4s", 20, b"ftyp", b"jp2 ", 0, b"jp2 ")
            + struct.pack(">I4s", 8 + len(header), b"jp2h")
            + header
            + struct.pack(">I4s", 0, b"jp2c")
            + stream
        )
    if in_header:
        ds.Rows, ds.Columns = min(rows, 65535), min(columns, 65535)
    return _with_frame(ds, stream)


def decoy() -> bytes:
    """JPEG 2000 of 30,000 a side behind a box that holds the beginning of a small one."""
    raw = jpeg2000(30_000, 30_000, boxed=True, in_header=False)
    ds = pydicom.dcmread(io.BytesIO(raw))
    stream = next(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1))
    siz = struct.pack(">HHIIIIIIIIH3B", 41, 0, 64, 64, 0, 0, 64, 64, 0, 0, 1, 15, 1, 1)
    false = b"\xff\x4f\xff\x51" + siz
    return _with_frame(ds, stream[:32] + struct.pack(">I4s", 8 + len(false), b"free") + false + stream[32:])


def many_elements_in_items() -> bytes:
    """Two million elements in 40,000 items of a sequence of undefined length."""
    inside = b"".join(struct.pack("<HH2sH", 0x0009, 0x1000 + i, b"SH", 0) for i in range(50))
    items = (struct.pack("<HHI", 0xFFFE, 0xE000, len(inside)) + inside) * 40_000
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return before_pixels(SYNTAX.pack(0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + items + end)


def rle(megabytes: int, rows: int = 64) -> bytes:
    """Runs that stand for 64 times as much as they take."""
    ds = pydicom.dcmread(io.BytesIO(dicom_bytes(RAMP)))
    ds.compress(pydicom.uid.RLELossless)
    runs = b"\x81\x00" * (megabytes * 250_000)
    ds.Rows = ds.Columns = rows
    return _with_frame(ds, struct.pack("<16I", 2, 64, 64 + len(runs), *[0] * 13) + runs * 2)


def progressive(scans: int) -> bytes:
    """A JPEG of 2048 x 2048 that goes over its picture so often."""
    stream = io.BytesIO()
    Image.fromarray(np.zeros((2048, 2048), np.uint8)).save(stream, "JPEG", progressive=True)
    raw = stream.getvalue()
    last = raw.rindex(b"\xff\xda")
    return raw[:last] + raw[last:-2] * scans + raw[-2:]


def progressive_in_dicom(scans: int) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(dicom_bytes(RAMP)))
    ds.file_meta.TransferSyntaxUID = pydicom.uid.JPEGBaseline8Bit
    ds.Rows = ds.Columns = 2048
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit = 7
    return _with_frame(ds, progressive(scans))


def _with_frame(ds, frame: bytes) -> bytes:
    ds.PixelData = pydicom.encaps.encapsulate([frame])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    stream = io.BytesIO()
    ds.save_as(stream)
    return stream.getvalue()


def animated_png(side: int) -> bytes:
    """Claims that size; its pixels are missing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0))
        + chunk(b"acTL", struct.pack(">II", 2, 0))
        + chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, side, side, 0, 0, 1, 1, 0, 0))
        + chunk(b"IDAT", zlib.compress(bytes(100)))
        + chunk(b"IEND", b"")
    )


def deep_colour_png() -> bytes:
    picture = np.zeros((4096, 4096, 4), np.uint16)
    picture[..., 3] = 30_000
    return cv2.imencode(".png", picture)[1].tobytes()


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def unfolding_member(mebibytes: int, beside: int = 0) -> bytes:
    """A zip of a good slice and a member that begins like one and unfolds to so much; `beside`: MiB of other bytes."""
    noise = np.random.default_rng(0).bytes(beside << 20)
    stream = io.BytesIO(zipped({"a.dcm": dicom_bytes(RAMP), "noise": noise}))
    with (
        zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("b.dcm", "w", force_zip64=True) as member,
    ):
        member.write(dicom_bytes(RAMP))
        for _ in range(mebibytes):
            member.write(bytes(2**20))
    return stream.getvalue()


def many_frames(files: int) -> bytes:
    """A zip of small files that each claim 10,000 frames."""
    one = dicom_bytes(RAMP[:32, :32], NumberOfFrames=10_000, ImagePositionPatient=[0, 0, 1])
    return zipped({f"{i}.dcm": one for i in range(files)})


def small_slices(count: int, apart: float = 1.0, side: int = 64) -> bytes:
    """A zip of so many slices, each a different picture, so far apart."""
    place = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "SeriesInstanceUID": "1.2"}
    grey = np.zeros((side, side), np.uint16)
    files = {}
    for i in range(count):
        grey[0, 0] = i
        files[f"{i}.dcm"] = dicom_bytes(grey, ImagePositionPatient=[0, 0, i * apart], **place)
    return zipped(files)


# What is made in well under a second, and what takes longer or is large.
SMALL: dict[str, Callable[[], bytes]] = {
    "a number of a million values": lambda: implicit_value(1),
    "a number of 5 million values": lambda: implicit_value(5),
    "2 million values in a functional group": lambda: nested_value(2),
    "500,000 items": lambda: many_items(500_000),
    "deflated, unfolds to 1 GB": lambda: deflated(1000),
    "JPEG 2000, 20,000 a side": lambda: jpeg2000(20_000, 20_000, boxed=True),
    "JPEG 2000, 20,000 a side, header of 64": lambda: jpeg2000(20_000, 20_000, boxed=True, in_header=False),
    "JPEG 2000, 60,000 a side": lambda: jpeg2000(60_000, 60_000, boxed=True, in_header=False),
    "JPEG 2000, 4096 a side": lambda: jpeg2000(4096, 4096, boxed=True),
    "JPEG 2000, 16 components of 4096": lambda: jpeg2000(4096, 4096, 16),
    "JPEG 2000, 16,384 components": lambda: jpeg2000(64, 64, 16_384),
    "RLE of 5 MB": lambda: rle(5),
    "RLE of 5 MB for 4096 a side": lambda: rle(5, 4096),
    "progressive JPEG of 5,000 scans": lambda: progressive(5_000),
    "progressive JPEG of 5,000 scans in DICOM": lambda: progressive_in_dicom(5_000),
    "progressive JPEG of 90 scans": lambda: progressive(90),
    "animated PNG, 13,000 a side": lambda: animated_png(13_000),
    "PNG of 4096 a side, 64 bits": deep_colour_png,
    "zip of 3 files of 10,000 frames": lambda: many_frames(3),
    "zip of 100 files of 10,000 frames": lambda: many_frames(100),
    "zip member that unfolds to 1 GB": lambda: unfolding_member(1000),
    "zip member that unfolds to 500 MB beside 6 MB": lambda: unfolding_member(500, 6),
    "zip whose member has 5,000 digits": lambda: zipped({"1" * 5000: dicom_bytes(RAMP), "2": dicom_bytes(RAMP)}),
}
# What passes every check: only the system's limits end it.
UNKNOWN: dict[str, Callable[[], bytes]] = {
    "JPEG 2000 behind a decoy": decoy,
    "2 million elements in items": many_elements_in_items,
}
LARGE: dict[str, Callable[[], bytes]] = {
    "a number of 30 million values": lambda: implicit_value(30),
    "4 million items": lambda: many_items(4_000_000),
    "deflated, unfolds to 3 GB": lambda: deflated(3000),
    "zip member that unfolds to 3 GB": lambda: unfolding_member(3000),
    "RLE of 60 MB": lambda: rle(60, 4096),
    "progressive JPEG of 50,000 scans": lambda: progressive(50_000),
    "progressive JPEG of 50,000 scans in DICOM": lambda: progressive_in_dicom(50_000),
    "zip of 10,000 small slices": lambda: small_slices(10_000, side=32),
    "zip of 5,000 slices at one position": lambda: small_slices(5_000, 0.0),
}
