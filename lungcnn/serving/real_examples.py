"""Real example slices, fetched on request from The Cancer Imaging Archive into the user's cache; never bundled.

What is fetched is pinned: by SeriesInstanceUID and SOPInstanceUID, and by the sha256 of the file, or, since archives
rewrite headers, of the Hounsfield units and pixel spacing that `load_slice` reads from it.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lungcnn.errors import LungCNNError, OutputError, UnreadableFileError
from lungcnn.system import write_whole

ADDRESS = "https://services.cancerimagingarchive.net/nbia-api/services/v1/getSingleImage"
LICENCE = "CC BY 3.0"
CITATION = (
    "Armato SG III, McLennan G, Bidaut L, et al. Data From LIDC-IDRI [Data set]. The Cancer Imaging Archive, 2015. "
    "https://doi.org/10.7937/K9/TCIA.2015.LO9QL9SX"
)
NOTICE = f"""These slices are from LIDC-IDRI, case LIDC-IDRI-0001, at The Cancer Imaging Archive.
They are not part of lungcnn.

Licence: Creative Commons Attribution 3.0 Unported ({LICENCE}), https://creativecommons.org/licenses/by/3.0/
Cite: {CITATION}

For research and teaching only.
"""
TIMEOUT_S = (10, 60)
ATTEMPTS = 3
MAX_FILE = 4 * 2**20


class DownloadError(LungCNNError):
    """The real example slices could not be fetched, or what came is not what was pinned."""

    code = "download"


@dataclass(frozen=True)
class RealSlice:
    """A pinned slice of a public, licensed data set.

    Attributes:
        name: file stem in the cache. title, description: for a picker. series, instance: UIDs in the archive.
        sha256: of the file. picture_sha256: of HU (float32) and pixel spacing.
    """

    name: str
    title: str
    description: str
    series: str
    instance: str
    sha256: str
    picture_sha256: str

    @property
    def file(self) -> str:
        """The file's name in the cache."""
        return f"{self.name}.dcm"

    def matches(self, data: bytes) -> bool:
        """Whether these are the bytes that are pinned, or another file of the same picture."""
        if hashlib.sha256(data).hexdigest() == self.sha256:
            return True
        from lungcnn.reading.loading import load_slice

        try:
            ct_slice = load_slice(data)
        except LungCNNError:
            return False
        picture = ct_slice.hu.tobytes() + repr(ct_slice.spacing).encode()
        return hashlib.sha256(picture).hexdigest() == self.picture_sha256


_ROOT = "1.3.6.1.4.1.14519.5.2.1.6279.6001."
_SERIES = f"{_ROOT}179049373636438705059720603192"
REAL_SLICES = (
    RealSlice(
        "lidc-idri-0001-nodule",
        "Real slice with a nodule",
        f"Four radiologists outlined a nodule on it (LIDC-IDRI, {LICENCE}).",
        _SERIES,
        f"{_ROOT}297813206491522913194774892711",
        "08a2838b98f775a006fe48a19a4bc50981b55fde28d77d235532b47cdca4b6d3",
        "16438f9f932f8f247a9383dc561165affa94c2e8fd3695973c77964d551d839c",
    ),
    RealSlice(
        "lidc-idri-0001-middle",
        "Real slice, 45 mm below",
        f"The same patient away from the nodule (LIDC-IDRI, {LICENCE}).",
        _SERIES,
        f"{_ROOT}136260655709848406065969055669",
        "31b5aed5154b413b284ac09b41d2ba55fda98bb9515c76f25b905459e97de229",
        "04ee6cb93ff88f38b6b1fe163d41a9d7a5a8e3cd0408befacd5fa4440951412b",
    ),
    RealSlice(
        "lidc-idri-0001-low",
        "Real slice, 85 mm below",
        f"The same patient further down (LIDC-IDRI, {LICENCE}).",
        _SERIES,
        f"{_ROOT}115442980231714729764605769881",
        "66f098e0ba3abe3b7469318299fd548cd05f556ed3572f89a2b0f4dbbf111768",
        "d359a476df5a177b02a4ef22ace3d68ae041d975b4ebc63d9f933243d23dccb9",
    ),
)


def cache_folder() -> Path:
    """Where fetched slices lie: the user's cache, or the folder that LUNGCNN_CACHE names."""
    chosen = os.environ.get("LUNGCNN_CACHE")
    if chosen:
        return Path(chosen) / "examples"
    from platformdirs import user_cache_path

    return user_cache_path("lungcnn") / "examples"


def downloaded_examples() -> list[tuple[RealSlice, Path]]:
    """The slices that were fetched and are unchanged, in order, with their files; empty before a download."""
    folder = cache_folder()
    return [(one, folder / one.file) for one in REAL_SLICES if _is_there(one, folder / one.file)]


def download_examples(address: str = "", on_file: Callable[[], None] = lambda: None) -> list[Path]:
    """Fetch what isn't there yet into the cache, with the licence and citation beside it; returns the files.

    Args:
        address: of the archive's getSingleImage; "" for The Cancer Imaging Archive's. on_file: after each file.

    Raises `DownloadError` where the archive can't be reached or sends something else, and `OutputError` where the cache
    can't be written.
    """
    folder = cache_folder()
    files = []
    for one in REAL_SLICES:
        path = folder / one.file
        if not _is_there(one, path):
            _keep(path, _fetch(one, address or ADDRESS))
        files.append(path)
        on_file()
    _keep(folder / "LICENCE.txt", NOTICE.encode())
    return files


def _fetch(one: RealSlice, address: str) -> bytes:
    """The bytes of a slice, which match its pins.

    Not by pooch, which knows one sha256 a file and no limit on its size: archives rewrite headers, so there are two.
    """
    import requests

    query = {"SeriesInstanceUID": one.series, "SOPInstanceUID": one.instance}
    data = b""
    try:
        with _session().get(address, params=query, timeout=TIMEOUT_S, stream=True) as answer:
            if not answer.ok:
                raise DownloadError(
                    f"The Cancer Imaging Archive answered HTTP {answer.status_code}; try again later. The synthetic "
                    "examples need no download."
                )
            for chunk in answer.iter_content(2**16):
                data += chunk
                if len(data) > MAX_FILE:
                    break
    except requests.RequestException:
        raise DownloadError(
            "The Cancer Imaging Archive can't be reached from here: real slices need the internet, the synthetic "
            "examples don't."
        ) from None
    if not one.matches(data):
        raise DownloadError(
            f"What The Cancer Imaging Archive sent for {one.name} is not the slice that is pinned (its sha256 "
            "differs): it was not kept."
        )
    return data


def _session():
    """A `requests.Session` that asks a busy archive again."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    session = requests.Session()
    retry = Retry(ATTEMPTS - 1, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504), raise_on_status=False)
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return session


def _is_there(one: RealSlice, path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size <= MAX_FILE and one.matches(path.read_bytes())
    except (OSError, UnreadableFileError):
        return False


def _keep(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda draft: draft.write_bytes(data))
    except OSError as error:
        raise OutputError(f"The cache {path.parent} can't be written: {error.strerror}. Set LUNGCNN_CACHE.") from None
