"""Pictures: grey levels that stand for HU under the dataset's window."""

import io
import warnings

import numpy as np

from lungcnn.errors import Reason, UnreadableFileError, UnsupportedFileError
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.limits import MAX_PIXELS, check_frame
from lungcnn.windowing import DATASET, from_grey


class Picture:
    """A picture whose grey levels stand for HU under the dataset's window."""

    def __init__(self, data: bytes, kind: str):
        from PIL import Image

        self._data, self._kind = data, kind
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # our own limit below speaks instead of Pillow's
                with Image.open(io.BytesIO(data), formats=[kind.upper()]) as image:
                    self._width, self._height = image.size
                    self._mode = image.mode
                    self._several = _has_second_page(image)
        except Image.DecompressionBombError:
            raise _too_large() from None
        except Exception:  # noqa: BLE001 - Pillow's parsers raise anything on damaged bytes
            raise _damaged(kind) from None
        if self._width * self._height > MAX_PIXELS:
            raise _too_large()

    frames = 1

    def read(self, frame: int) -> CTSlice:
        check_frame(frame, self.frames)
        levels = self._decode()
        notes = [Reason("assumed_window", f"Grey levels were read as HU under the window {DATASET}, uncalibrated.")]
        if self._several:
            notes.append(Reason("several_pages", "The file holds several pages; the first was read."))
        grey, coloured = _to_single_channel(levels)
        if coloured:
            notes.append(Reason("colour", "The picture is in colour; its brightness was used."))
        return CTSlice(
            hu=from_grey(grey, _full_scale(grey, levels.dtype, notes)),
            kind=self._kind,
            coloured=coloured,
            warnings=tuple(notes),
        )

    def _decode(self) -> np.ndarray:
        import cv2

        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # our own errors speak
        data = without_notes(self._data) if self._kind == "png" else self._data
        try:
            levels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:
            levels = None
        if levels is None:
            raise _damaged(self._kind)
        if levels.dtype not in (np.uint8, np.uint16):
            raise UnsupportedFileError(
                f"The picture holds {levels.dtype} values; accepted are 8- and 16-bit unsigned grey levels."
            )
        return levels


def without_notes(png: bytes) -> bytes:
    """A PNG without its ancillary chunks (ISO/IEC 15948 5.4) but transparency: libpng's warnings repeat their text.

    Raises `UnreadableFileError` for a chunk that claims to go on beyond the file, for which OpenCV takes up to 4 GB.
    """
    kept, place = [png[:8]], 8
    while place + 12 <= len(png):
        length = int.from_bytes(png[place : place + 4])
        kind = png[place + 4 : place + 8]
        if place + 12 + length > len(png):
            raise _damaged("png")
        if kind[:1].isupper() or kind == b"tRNS":
            kept.append(png[place : place + 12 + length])
        place += 12 + length
    return b"".join(kept)


def _has_second_page(image) -> bool:
    """Not `n_frames`, which walks through all the pages that a TIFF claims."""
    try:
        image.seek(1)
    except EOFError:
        return False
    return True


def _too_large() -> UnsupportedFileError:
    return UnsupportedFileError(
        f"The picture claims more than {MAX_PIXELS >> 20} megapixels; a CT slice has up to about 4. Send one slice."
    )


def _damaged(kind: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"The file begins like {kind.upper()} but is damaged or cut short. Export the slice again."
    )


def _to_single_channel(levels: np.ndarray) -> tuple[np.ndarray, float]:
    """Reduce decoded levels (grey, BGR or BGRA) to one channel, and the share of pixels in colour.

    Transparent pixels become black.
    """
    if levels.ndim == 2:
        return levels, 0.0
    white, channels = np.iinfo(levels.dtype).max, levels.shape[2]
    colours = [levels[..., i] for i in range(3 if channels >= 3 else 1)]
    uneven = np.maximum.reduce(colours) - np.minimum.reduce(colours) > 0.04 * white
    coloured = float(uneven.mean())
    if coloured:
        blue, green, red = colours
        grey = blue * np.float32(0.114) + green * np.float32(0.587) + red * np.float32(0.299)  # ITU-R BT.601
    else:  # JPEG's chroma rounding makes grey pictures a level or two uneven: not colour
        grey = colours[min(1, len(colours) - 1)]
    if channels in (2, 4):
        grey = grey * (levels[..., -1] * np.float32(1 / white))
    return grey, coloured


def _full_scale(grey: np.ndarray, dtype: np.dtype, notes: list[Reason]) -> int:
    """White level of the picture: 12-bit data is often stored unscaled in 16-bit files."""
    if dtype == np.uint8:
        return 255
    if 255 < grey.max() <= 4095:
        notes.append(Reason("twelve_bits", "The 16-bit picture uses 12 bits; level 4095 was read as white."))
        return 4095
    return 65535
