"""What a file is that holds no slice read here, and what to do with it: told from its first bytes."""

import codecs
import unicodedata

# As far as the mark of a disc's image (ECMA-119 8.4.2), which lies farthest.
DESCRIBED_BYTES = 33 * 2**10
_UNPACK = ": unpack it, and give the folder"
_SLICES = ": export its slices as DICOM files"
_PICTURE = ": save it as PNG"
# Where the bytes lie, the bytes, and what they tell.
_MAGIC = (
    (0, b"%PDF", "a PDF document: export the picture in it as PNG"),
    (0, b"\xd0\xcf\x11\xe0", "an Office document: save the picture in it as PNG"),
    (0, b"{\\rtf", "a text document"),
    (0, b"PK\x03\x04", "a zip archive (or an Office document)"),
    (0, b"PK\x05\x06", "an empty zip archive"),
    (0, b"PK\x07\x08", f"a part of a zip archive in several parts{_UNPACK}"),
    (0, b"\x1f\x8b", f"a gzip archive (NIfTI volumes are often packed so){_UNPACK}"),
    (0, b"7z\xbc\xaf'\x1c", f"a 7-Zip archive{_UNPACK}"),
    (0, b"Rar!\x1a\x07", f"a RAR archive{_UNPACK}"),
    (257, b"ustar", f"a tar archive{_UNPACK}"),
    (0, b"BZh", f"a bzip2 archive{_UNPACK}"),
    (0, b"\xfd7zXZ", f"an xz archive{_UNPACK}"),
    (0, b"\x28\xb5\x2f\xfd", f"a Zstandard archive{_UNPACK}"),
    (0, b"MSCF", f"a cabinet archive{_UNPACK}"),
    (0x8001, b"CD001", "an image of a disc (ISO): open it, and give the folder"),
    (344, b"n+1\0", f"a NIfTI volume{_SLICES}"),
    (344, b"ni1\0", f"the header of a NIfTI volume{_SLICES}"),
    (4, b"n+2\0", f"a NIfTI volume{_SLICES}"),
    (0, b"NRRD", f"an NRRD volume{_SLICES}"),
    (0, b"ObjectType", f"a MetaImage volume{_SLICES}"),
    (0, b"\x93NUMPY", "a NumPy array: load it, and make a CTSlice of it"),
    (0, b"\x89HDF", f"an HDF5 file{_SLICES}"),
    (0, b"MATLAB", f"a MATLAB file{_SLICES}"),
    (0, b"GIF8", f"a GIF picture{_PICTURE}"),
    (0, b"\0\0\0\x0cjP  ", f"a JPEG 2000 picture{_PICTURE}"),
    (0, b"\xff\x4f\xff\x51", f"a JPEG 2000 picture{_PICTURE}"),
    (0, b"\0\0\0\x0cJXL ", f"a JPEG XL picture{_PICTURE}"),
    (0, b"\xff\x0a", f"a JPEG XL picture{_PICTURE}"),
    (0, b"8BPS", f"a Photoshop picture{_PICTURE}"),
    (8, b"AVI ", "a video: save the picture in it as PNG"),
    (8, b"WAVE", "a sound"),
    (0, b"MZ", "a program for Windows, or an archive that unpacks itself: open it there, and give the folder"),
    (0, b"\x7fELF", "a program"),
)
# Brands of the ISO base media format (ISO/IEC 14496-12): pictures of phones; any other is a video.
_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC", b"msf1": "HEIC", b"avif": "AVIF", b"avis": "AVIF"}
# How the first member of an Office document is called, and what OpenDocument's holds.
_OFFICE = (b"[Content_Types].xml", b"_rels/", b"docProps/")
_OPEN_DOCUMENT = b"mimetypeapplication/vnd.oasis"


def describe(data: bytes) -> str:
    """In words, for "This file is ...": what it is, and what to do with it."""
    if is_office(data):
        return "an Office document: save the picture in it as PNG"
    if data[4:8] == b"ftyp":
        picture = _BRANDS.get(data[8:12])
        return f"a picture in the form {picture}{_PICTURE}" if picture else "a video: save the picture in it as PNG"
    for place, magic, text in _MAGIC:
        if data.startswith(magic, place):
            return text
    return "a text file" if _is_text(data[:1024]) else "of a kind not known here"


def is_zip(head: bytes) -> bool:
    """Whether a file that begins so is a zip archive of anything but an Office document."""
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06")) and not is_office(head)


def is_office(data: bytes) -> bool:
    """Whether a file that begins so is a document of Word, Excel, PowerPoint or LibreOffice, which are zip archives."""
    if not data.startswith(b"PK\x03\x04"):
        return False
    return data.startswith(_OFFICE, 30) or data.startswith(_OPEN_DOCUMENT, 30)


def _is_text(head: bytes) -> bool:
    utf16 = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        # The last sign may be cut off.
        text = codecs.getincrementaldecoder("utf-16" if utf16 else "utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(sign in "\t\r\n\f" or unicodedata.category(sign) != "Cc" for sign in text)
