"""Uploads live in memory, never on disk: what Gradio gets is a small file that holds a ticket.

Gradio writes an upload under the visitor's own file name into a folder named after its content, readable by
anyone who has the address; two visitors with the same slice share the file. Here the bytes wait in memory for the
one event that takes them, and the file under a neutral name holds only the ticket for them.
"""

import secrets
import shutil
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from demo import texts
from lungcnn import UnreadableFileError

MAX_FILE = 512 * 2**20  # a zip of a thin-slice chest CT: 700 slices of 512 x 512 in 16 bits are 350 MiB
MAX_TOTAL = 1024 * 2**20
MAX_FILES = 1000
EXPIRY = 600  # seconds that an upload may wait for its event
NAME = "upload"
_TICKET = b"lungcnn-upload-"


@dataclass
class Intake:
    """The uploads that wait: ticket to bytes.

    Attributes:
        limit: bytes that may wait in all. expiry: seconds after which one that nobody took is dropped.
    """

    limit: int = MAX_TOTAL
    expiry: float = EXPIRY
    _waiting: dict[bytes, tuple[float, bytes, Path]] = field(default_factory=dict)
    _arriving: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arrive(self, size: int) -> bool:
        """Count bytes on their way in (negative: arrived or given up); False where no more may come."""
        self.drop_expired()
        with self._lock:
            self._arriving += size
            return self._arriving + sum(len(data) for _, data, _ in self._waiting.values()) <= self.limit

    def put(self, data: bytes, folder: Path) -> Path:
        """Keep `data`; returns the path of a file in `folder` that stands for it. Raises `OSError` (disk full)."""
        ticket = _TICKET + secrets.token_hex(16).encode()
        path = folder / secrets.token_hex(16) / NAME
        path.parent.mkdir(parents=True)
        try:
            path.write_bytes(ticket)
        except OSError:
            shutil.rmtree(path.parent, ignore_errors=True)
            raise
        with self._lock:
            self._waiting[ticket] = time.monotonic(), data, path
        return path

    def take(self, path: Path | str) -> bytes:
        """The bytes of an upload, once; its file is deleted. A file that holds no ticket is read and deleted.

        Raises `UnreadableFileError` where the upload was taken before, has expired, or can't be opened.
        """
        path = Path(path)
        try:
            with path.open("rb") as stream:
                ticket = stream.read(64)
                if not ticket.startswith(_TICKET):
                    return ticket + stream.read()
            with self._lock:
                _, data, _ = self._waiting.pop(ticket)
            return data
        except (OSError, KeyError):
            raise UnreadableFileError(texts.UPLOAD_GONE) from None
        finally:
            _remove(path)

    def drop_expired(self) -> None:
        """Forget what nobody came for."""
        now = time.monotonic()
        with self._lock:
            old = [ticket for ticket, (since, _, _) in self._waiting.items() if now - since > self.expiry]
            gone = [self._waiting.pop(ticket)[2] for ticket in old]
        for path in gone:
            _remove(path)

    def __len__(self) -> int:
        return len(self._waiting)


intake = Intake()
take = intake.take


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
        if path.name == NAME:
            path.parent.rmdir()
    except OSError:
        pass


async def receive(request, upload_dir, max_file_size, upload_id, force_move=True, upload_progress=None):
    """In the place of `gradio.route_utils.upload_fn`, and with its arguments and result (paths, none to copy)."""
    from starlette.exceptions import HTTPException
    from starlette.formparsers import MultiPartParser

    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise HTTPException(400, texts.UPLOAD_FORM)
    if upload_id and upload_progress:
        upload_progress.track(upload_id)

    class InMemory(MultiPartParser):
        spool_max_size = sys.maxsize

    received = 0

    async def measured():
        nonlocal received
        async for chunk in request.stream():
            received += len(chunk)
            if not intake.arrive(len(chunk)):
                raise HTTPException(503, texts.UPLOADS_FULL)
            yield chunk

    try:
        form = await InMemory(request.headers, measured(), max_files=MAX_FILES, max_fields=10).parse()
        try:
            contents = [await item.read() for item in form.getlist("files") if hasattr(item, "read")]
        finally:
            await form.close()
        limit = min(max_file_size, MAX_FILE)
        if any(len(data) > limit for data in contents):
            raise HTTPException(413, texts.UPLOAD_TOO_LARGE.format(limit=int(limit) >> 20))
        paths = [intake.put(data, Path(upload_dir)) for data in contents]
    except OSError:
        raise HTTPException(507, texts.DISK_FULL) from None
    finally:
        intake.arrive(-received)
        if upload_id and upload_progress:
            upload_progress.set_done(upload_id)
    return paths, [], []
