"""The files in a zip archive, unpacked in memory one by one; nothing is written to disk.

The limits leave room for a chest CT of thin slices: 700 of 512 x 512 in 16 bits are 350 MiB.
"""

import zipfile
from collections.abc import Iterator

from natsort import natsorted, ns

from lungcnn.errors import UnreadableFileError, UnsupportedFileError
from lungcnn.reading.folders import is_beside
from lungcnn.reading.limits import MAX_BYTES
from lungcnn.reading.source_file import SourceFile

MAX_MEMBERS = 10_000
MAX_UNPACKED = 4 * 2**30
# CT slices shrink to a half or a third, empty ones to a fiftieth; a bomb to a thousandth.
MAX_RATIO, RATIO_FROM = 100, 64 * 2**20
_INSTEAD = "Send its series one at a time, or unpack it and give the folder."


def zip_members(archive) -> Iterator[SourceFile]:
    """The files in an archive (a path or a binary stream), in the natural order of their names.

    Raises `UnreadableFileError` for a damaged one, `UnsupportedFileError` for one beyond the limits.
    """
    try:
        opened = _Archive(archive)
        members = [(_name(info), info) for info in opened.infolist()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise UnreadableFileError("The zip archive is damaged or cut short. Pack it again.") from None
    members = [(name, info) for name, info in members if not name.endswith("/")]
    _check([info for _, info in members])
    for name, info in natsorted(members, key=lambda pair: pair[0], alg=ns.IGNORECASE):
        # Names are labels only: nothing is written, so none can climb out of a folder.
        base = name.rsplit("/", 1)[-1]
        if not is_beside(base) and not name.startswith("__MACOSX/"):
            yield SourceFile(name, _Member(opened, info))


def _name(info: zipfile.ZipInfo) -> str:
    """Some packers on Windows part folders by backslashes, against the format's rules (APPNOTE 4.4.17.1)."""
    return info.filename.replace("\\", "/")


def _is_bomb(unpacked: int, packed: int) -> bool:
    return unpacked > max(RATIO_FROM, MAX_RATIO * packed)


def _check(infos: list[zipfile.ZipInfo]) -> None:
    if len(infos) > MAX_MEMBERS:
        raise UnsupportedFileError(
            f"The archive holds {len(infos)} files; accepted are up to {MAX_MEMBERS}. {_INSTEAD}"
        )
    total = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    if total > MAX_UNPACKED:
        raise UnsupportedFileError(
            f"The archive unpacks to {total >> 20} MiB; accepted are up to {MAX_UNPACKED >> 20} MiB. {_INSTEAD}"
        )
    if _is_bomb(total, packed) or any(_is_bomb(info.file_size, info.compress_size) for info in infos):
        raise UnsupportedFileError(
            f"The archive unpacks to more than {MAX_RATIO} times its size, as no CT series does. Pack the slices again."
        )
    if len({info.header_offset for info in infos}) < len(infos):
        raise UnsupportedFileError("Files in the archive overlap. Pack the slices again.")
    if any(info.file_size > MAX_BYTES for info in infos):
        raise UnsupportedFileError(
            f"A file in the archive unpacks to more than the {MAX_BYTES >> 20} MiB that are accepted. {_INSTEAD}"
        )


class _Archive(zipfile.ZipFile):
    """An archive that can go to another process, where it is opened again."""

    def __reduce__(self):
        return _Archive, (self.filename or self.fp,)


class _Member:
    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo):
        self._archive, self._info = archive, info

    def read(self, count: int = -1) -> bytes:
        if self._info.flag_bits & 1:
            raise UnreadableFileError("The file in the archive is encrypted. Send the archive without a password.")
        try:
            # Python reads no more than the size that the archive states, which was checked.
            with self._archive.open(self._info) as stream:
                return stream.read(count)
        except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError, RuntimeError):
            raise UnreadableFileError("The file in the archive is damaged or packed in an unusual way.") from None
        except Exception as error:  # noqa: BLE001 - zlib, lzma and bz2 raise errors of their own
            raise UnreadableFileError(f"The file in the archive is damaged ({type(error).__name__}).") from None
