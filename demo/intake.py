"""Uploads live in memory, never on disk: what Gradio gets is a ticket.

Gradio writes an upload under the visitor's own file name into a folder named after its content, readable by
anyone who has the address; two visitors with the same slice share the file, and whatever path a later request names is
read. Here the bytes wait in memory for the one event that takes them, by a ticket that only the uploader was told.
"""

import asyncio
import re
import secrets
import sys
import threading
import time
from collections.abc import Callable, Container
from dataclasses import dataclass, field

from . import texts
from .arrival import IDLE_SECONDS, Arrival
from .gone import GoneError
from .gradio_internals import forget_progress

MAX_FILE = 512 * 2**20  # a zip of a thin-slice chest CT: 700 slices of 512 x 512 in 16 bits are 350 MiB
MAX_TOTAL = 1024 * 2**20
MAX_FILES = 1000
MAX_TICKETS = 20_000
UNASKED = 120  # seconds that an upload may wait for a call that asks for it
EXPIRY = 900  # seconds that one may wait which was named, while its visitor has calls under way: the line may be long
FORMS = 2**20  # bytes of an upload that aren't its files
TOLD_SECONDS = 5  # in which who listens is told that it is over
_OVERHEAD = 1024  # bytes that each upload costs besides its own
TICKET = re.compile(r"upload-[0-9a-f]{32}")


@dataclass
class _Held:
    """What one visitor holds here: his tickets, the oldest first, and bytes, those on their way in among them."""

    tickets: dict[str, None] = field(default_factory=dict)
    size: int = 0


@dataclass
class Intake:
    """The uploads that wait: ticket to bytes. Where there is no room, the visitor who holds most makes way.

    Attributes:
        limit: bytes that may wait in all, those on their way in among them. most: uploads that may wait.
        unasked, expiry: seconds after which one that no call asks for, or that its call didn't take, is dropped.
    """

    limit: int = MAX_TOTAL
    most: int = MAX_TICKETS
    unasked: float = UNASKED
    expiry: float = EXPIRY
    clock: Callable[[], float] = time.monotonic
    _waiting: dict[str, tuple[float, bytes, str]] = field(default_factory=dict)
    _named: set[str] = field(default_factory=set)
    _arrivals: set[Arrival] = field(default_factory=set)
    _held: dict[str, _Held] = field(default_factory=dict)
    _total: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, visitor: str = "") -> Arrival:
        """An upload begins to come in."""
        self.drop_expired()
        arrival = Arrival(visitor, self.clock())
        with self._lock:
            self._arrivals.add(arrival)
        return arrival

    def arrive(self, arrival: Arrival, size: int) -> bool:
        """Count bytes of it; False where there is no room."""
        now = self.clock()
        with self._lock:
            if arrival.ousted:
                return False
            arrival.note(size, now)
            self._count(arrival.visitor, size)
            if self._total > self.limit:
                self._make_room(arrival, now)
            return self._total <= self.limit

    def end(self, arrival: Arrival) -> None:
        """It has arrived, or was given up."""
        with self._lock:
            self._drop(arrival)

    def put(self, data: bytes, visitor: str = "") -> str:
        """Keep `data`; returns the ticket for it."""
        ticket = "upload-" + secrets.token_hex(16)
        with self._lock:
            if len(self._waiting) >= self.most:
                most = max(self._held.values(), key=lambda held: len(held.tickets))
                self._forget(next(iter(most.tickets)))
            self._waiting[ticket] = self.clock(), data, visitor
            self._count(visitor, len(data) + _OVERHEAD)
            self._held[visitor].tickets[ticket] = None
        return ticket

    def claim(self, ticket: str) -> None:
        """A request names it: it may wait for as long as the line is."""
        with self._lock:
            if ticket in self._waiting:
                _, data, visitor = self._waiting[ticket]
                self._waiting[ticket] = self.clock(), data, visitor
                self._named.add(ticket)

    def take(self, ticket: str) -> bytes:
        """The bytes of an upload, once.

        Raises `GoneError` where it was taken before, has expired, or never was.
        """
        with self._lock:
            if ticket not in self._waiting:
                raise GoneError(texts.UPLOAD_GONE)
            return self._forget(ticket)

    def drop_expired(self, asking: Container[str] | None = None) -> None:
        """Forget what nobody came for.

        Args:
            asking: visitors with calls under way; the calls of all others were refused, called off, or are over. None:
                all may have some.
        """
        now = self.clock()
        with self._lock:
            for ticket, (since, _, visitor) in list(self._waiting.items()):
                awaited = ticket in self._named and (asking is None or visitor in asking)
                if now - since > (self.expiry if awaited else self.unasked):
                    self._forget(ticket)

    def _forget(self, ticket: str) -> bytes:
        _, data, visitor = self._waiting.pop(ticket)
        self._named.discard(ticket)
        del self._held[visitor].tickets[ticket]
        self._count(visitor, -len(data) - _OVERHEAD)
        return data

    def _drop(self, arrival: Arrival) -> None:
        if arrival in self._arrivals:
            self._arrivals.discard(arrival)
            self._count(arrival.visitor, -arrival.received)

    def _count(self, visitor: str, size: int) -> None:
        held = self._held.setdefault(visitor, _Held())
        held.size += size
        self._total += size
        if not held.size:
            del self._held[visitor]

    def _make_room(self, newest: Arrival, now: float) -> None:
        """Give up uploads that stand still, the largest first; then what those hold who hold more than this visitor."""
        others = sorted(self._arrivals - {newest}, key=lambda one: -one.received)
        for one in (one for one in others if one.in_the_way(now)):
            if self._total <= self.limit:
                return
            self._oust(one)
        while self._total > self.limit:
            visitor, held = max(self._held.items(), key=lambda pair: pair[1].size)
            if visitor == newest.visitor:
                return
            if held.tickets:
                self._forget(next(iter(held.tickets)))
            else:
                self._oust(next(one for one in others if one.visitor == visitor and not one.ousted))

    def _oust(self, arrival: Arrival) -> None:
        self._drop(arrival)
        arrival.ousted = True

    def __len__(self) -> int:
        return len(self._waiting)


intake = Intake()
take = intake.take


async def receive(request, upload_dir, max_file_size, upload_id, force_move=True, upload_progress=None):
    """In the place of `gradio.route_utils.upload_fn`, and with its arguments and result (paths, none to copy)."""
    from starlette.exceptions import HTTPException
    from starlette.formparsers import MultiPartParser
    from starlette.requests import ClientDisconnect

    limit = min(max_file_size, MAX_FILE)
    too_large = HTTPException(413, texts.UPLOAD_TOO_LARGE.format(limit=int(limit) >> 20))
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise HTTPException(400, texts.UPLOAD_FORM)
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > limit + FORMS:  # before it is read
        raise too_large
    if upload_id and upload_progress:
        upload_progress.track(upload_id)

    class InMemory(MultiPartParser):
        spool_max_size = sys.maxsize

    visitor = request.client.host if request.client else ""
    arrival = intake.begin(visitor)

    async def measured():
        chunks = request.stream().__aiter__()
        while True:
            try:
                chunk = await asyncio.wait_for(anext(chunks), IDLE_SECONDS)
            except StopAsyncIteration:
                return
            except (TimeoutError, ClientDisconnect):
                raise HTTPException(408, texts.TOO_SLOW) from None
            if arrival.received + len(chunk) > limit + FORMS:
                raise too_large
            if not intake.arrive(arrival, len(chunk)):
                raise HTTPException(503, texts.UPLOADS_FULL)
            if arrival.is_slow(intake.clock()):
                raise HTTPException(408, texts.TOO_SLOW)
            yield chunk

    try:
        form = await InMemory(request.headers, measured(), max_files=MAX_FILES, max_fields=10).parse()
        try:
            contents = [await item.read() for item in form.getlist("files") if hasattr(item, "read")]
        finally:
            await form.close()
        if any(len(data) > limit for data in contents):
            raise too_large
        return [intake.put(data, visitor) for data in contents], [], []
    finally:
        intake.end(arrival)
        if upload_id and upload_progress:
            upload_progress.set_done(upload_id)
            asyncio.get_running_loop().call_later(TOLD_SECONDS, forget_progress, upload_id, True)
