"""Connections that ask for nothing make way for those that do, so that none can hold the demo by being slow.

uvicorn waits for ever for the rest of a request that has begun, and for a reader that doesn't read.
"""

import asyncio
import contextlib
import os
import socket

from uvicorn.protocols.http.h11_impl import H11Protocol

from .fair import making_way

HEAD_SECONDS = 10  # for the head of a request to come
READ_SECONDS, SLOWEST_READER = 60, 4096  # after which a reader who took fewer bytes a second has stopped to read
MOST_UNREAD = 192 * 2**20  # bytes that all readers together may have before them
MOST, SPARE_FILES = 1000, 128
_ROOM = 8  # connections that are taken beyond the limit, to be told that it is reached
_silent: dict["Connection", asyncio.TimerHandle] = {}  # those of which no whole request has come, the oldest first
_behind: set["Connection"] = set()  # those whose readers have bytes before them


class Connection(H11Protocol):
    """uvicorn's protocol, with an end to its patience."""

    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        self._look()
        if self.limit_concurrency and len(self.connections) > self.limit_concurrency - _ROOM:
            next(iter(_silent)).give_up()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._asks()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait_for_reader(self.transport.get_write_buffer_size())
        _behind.add(self)
        _keep_unread_small()

    def resume_writing(self) -> None:
        super().resume_writing()
        _behind.discard(self)
        if self._unread:
            self._unread.cancel()
            self._unread = None

    def _wait_for_reader(self, unread: int) -> None:
        def look() -> None:
            still = self.transport.get_write_buffer_size()
            if unread - still < SLOWEST_READER * READ_SECONDS:
                self.give_up()
            else:
                self._wait_for_reader(still)

        self._unread = self.loop.call_later(READ_SECONDS, look)

    def give_up(self) -> None:
        """Close it, whatever was on its way; it doesn't count from now on."""
        self._asks()
        self.connections.discard(self)
        _behind.discard(self)
        self.transport.abort()

    @property
    def visitor(self) -> str:
        """The address that it comes from."""
        return self.client[0] if self.client else ""

    def _look(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._asks()
        elif self not in _silent and not self.transport.is_closing():
            _silent[self] = self.loop.call_later(HEAD_SECONDS, self.give_up)

    def _asks(self) -> None:
        timer = _silent.pop(self, None)
        if timer:
            timer.cancel()


def _keep_unread_small() -> None:
    """Slow readers make way where too much waits for them all."""
    waiting = {one: (one.visitor, one.transport.get_write_buffer_size()) for one in _behind}
    for slow in making_way(waiting, MOST_UNREAD):
        slow.give_up()


class Knocks:
    """How many connections are taken before the event loop does anything else; asyncio has one number for that and for
    how many may wait.

    More at once than files are spare, and it would stop taking any for a second, before those that make way have gone.
    """

    at_once, waiting = SPARE_FILES // 4, 2048

    def let_wait(self, sockets) -> None:
        """Let so many wait to be taken."""
        for one in sockets:
            with socket.socket(fileno=os.dup(one.fileno())) as listening:
                listening.listen(self.waiting)


def most_connections() -> int:
    """How many there may be: as many as files may be open, less what else needs some."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < MOST + SPARE_FILES:
            soft = MOST + SPARE_FILES if hard == resource.RLIM_INFINITY else min(MOST + SPARE_FILES, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return max(_ROOM + 1, min(MOST, soft - SPARE_FILES))
    return MOST
