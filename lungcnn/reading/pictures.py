"""Pictures: grey levels that stand for HU under the dataset's window."""

from functools import reduce

import numpy as np

from lungcnn.errors import Reason
from lungcnn.reading.ct_slice import CTSlice
from lungcnn.reading.limits import check_frame
from lungcnn.reading.picture_decoding import decode_picture
from lungcnn.reading.picture_layout import read_layout
from lungcnn.windowing import DATASET, LOWEST_HU, from_grey

# What DeepLesion's pictures (Yan 2018) add to HU.
MIDDLE = np.float32(32768)


class Picture:
    """A picture whose grey levels stand for HU under the dataset's window; each page of several is a frame."""

    def __init__(self, data: bytes, kind: str):
        self._data, self._kind = data, kind
        self._layout = read_layout(data, kind)
        self.frames = self._layout.frames

    def read(self, frame: int) -> CTSlice:
        check_frame(frame, self.frames)
        levels = decode_picture(self._data, self._kind, self._layout, frame)
        notes: list[Reason] = []
        dtype = levels.dtype
        grey, coloured = _to_single_channel(levels)
        del levels  # of the largest picture, 128 MB
        hu = _as_hu(grey, dtype, notes)
        if self.frames > 1:
            notes.append(Reason("one_of_many_frames", f"Frame {frame + 1} of {self.frames}."))
        if coloured:
            notes.append(Reason("colour", "The picture is in colour; its brightness was used."))
        if self._layout.orientation > 1:
            notes.append(Reason("exif_orientation", "The picture was turned as its EXIF orientation says."))
        return CTSlice(
            hu=hu,
            kind=self._kind,
            frame=frame,
            frames=self.frames,
            coloured=coloured,
            warnings=tuple(notes),
        )


def _to_single_channel(levels: np.ndarray) -> tuple[np.ndarray, float]:
    """Reduce decoded levels (grey, BGR or BGRA) to one channel, and the share of pixels in colour.

    Transparent pixels become black.
    """
    if levels.ndim == 2:
        return levels, 0.0
    white, channels = np.iinfo(levels.dtype).max, levels.shape[2]
    colours = [levels[..., i] for i in range(3 if channels >= 3 else 1)]
    # By `functools.reduce`: numpy's would stack them first.
    uneven = reduce(np.maximum, colours) - reduce(np.minimum, colours) > 0.04 * white
    coloured = float(uneven.mean())
    if coloured:
        blue, green, red = colours
        grey = blue * np.float32(0.114) + green * np.float32(0.587) + red * np.float32(0.299)  # ITU-R BT.601
    else:  # JPEG's chroma rounding makes grey pictures a level or two uneven: not colour
        grey = colours[min(1, len(colours) - 1)]
    # Writers that know no transparency leave 0 in all of it.
    if channels in (2, 4) and levels[..., -1].any():
        opacity = levels[..., -1] * np.float32(1 / white)
        opacity *= grey
        return opacity, coloured
    return grey, coloured


def _as_hu(grey: np.ndarray, dtype: np.dtype, notes: list[Reason]) -> np.ndarray:
    """Grey levels as HU: those that the file holds, or by the dataset's window, which is noted as assumed."""
    if dtype == np.uint16 and _counted_from_the_middle(grey):
        notes.append(
            Reason("offset_32768", "The picture holds HU counted from 32768, as DeepLesion's do, and was read so.")
        )
        return np.maximum(np.asarray(grey, np.float32) - MIDDLE, np.float32(LOWEST_HU))
    notes.append(Reason("assumed_window", f"Grey levels were read as HU under the window {DATASET}, uncalibrated."))
    white = 255 if dtype == np.uint8 else 65535
    if white > 255 and 255 < grey.max() <= 4095:  # 12-bit data is often stored unscaled in 16-bit files
        notes.append(Reason("twelve_bits", "The 16-bit picture uses 12 bits; level 4095 was read as white."))
        white = 4095
    return from_grey(grey, white)


def _counted_from_the_middle(grey: np.ndarray) -> bool:
    """Whether 16-bit levels are HU + 32768: from air to bone, and nothing beyond but padding with 0."""
    used = grey[grey > 0]
    if not used.size:
        return False
    low, high = float(used.min()) - MIDDLE, float(used.max()) - MIDDLE
    return bool(-4096 < low < -500 and 0 < high < 8192)
