"""Slow and silent connections: they end, make way, and fill no log."""

import contextlib
import logging
import select
import socket
import sys
import threading
import time

import httpx
import pytest
import uvicorn

from demo import connections
from demo.connections import Connection, Knocks, most_connections
from demo.private_logs import _NotTooOften

MOST = 30


async def app(scope, receive, send):
    """Answers with as many bytes as its path says."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x" * int(scope["path"][1:])})


@pytest.fixture
def port(monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.8)
    monkeypatch.setattr(connections, "READ_SECONDS", 0.8)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, http=Connection, limit_concurrency=MOST, log_level="critical", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(5)


def open_one(port, said: bytes):
    one = socket.create_connection(("127.0.0.1", port))
    one.sendall(said)
    return one


def ended(ones) -> list[bool]:
    """Which of them the other side has closed."""
    found = []
    for one in ones:
        readable = select.select([one], [], [], 0)[0]
        try:
            found.append(bool(readable) and one.recv(1, socket.MSG_PEEK) == b"")
        except ConnectionError:
            found.append(True)
    return found


def test_half_sent_requests_make_way_and_end(port):
    half = [open_one(port, b"GET /1 HTTP/1.1\r\nHost: x\r\n") for _ in range(2 * MOST)]
    assert httpx.get(f"http://127.0.0.1:{port}/1", trust_env=False).text == "x"
    assert sum(ended(half)) >= MOST
    assert not all(ended(half))
    for _ in range(15):  # a byte now and then doesn't help
        for one, over in zip(half, ended(half), strict=True):
            if not over:
                one.sendall(b"x")
        time.sleep(0.1)
        if all(ended(half)):
            break
    assert all(ended(half))
    for one in half:
        one.close()


def test_a_second_request_that_is_half_sent_ends_too_and_one_at_work_is_left_alone(port):
    one = open_one(port, b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /1 HT")
    with httpx.Client(trust_env=False) as http:
        for _ in range(4):
            assert http.get(f"http://127.0.0.1:{port}/2").text == "xx"
            time.sleep(0.3)
    one.settimeout(2)
    while one.recv(2**16):
        pass
    one.close()


def test_a_reader_that_does_not_read_is_left(port):
    one = open_one(port, b"GET /50000000 HTTP/1.1\r\nHost: x\r\n\r\n")
    for behind in (True, False):  # first it has bytes before it, then it is given up
        while bool(connections._behind) is not behind:
            time.sleep(0.01)
    one.settimeout(2)
    got = 0
    with contextlib.suppress(ConnectionError):
        while part := one.recv(2**20):
            got += len(part)
    assert got < 50_000_000
    one.close()


def test_a_slow_reader_gets_all(port):
    one = open_one(port, b"GET /50000000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    one.settimeout(2)
    got, start = 0, time.monotonic()
    while part := one.recv(2**20):
        got += len(part)
        if time.monotonic() - start < 2:
            time.sleep(0.1)
    assert time.monotonic() - start > 2, "longer than a reader has who doesn't read"
    assert got > 50_000_000
    one.close()


def test_of_slow_readers_those_make_way_who_have_most_before_them(port, monkeypatch):
    monkeypatch.setattr(connections, "READ_SECONDS", 60)
    monkeypatch.setattr(connections, "MOST_UNREAD", 100_000_000)
    ask = b"GET /30000000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    hers = socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.2", 0))
    hers.sendall(ask)
    select.select([hers], [], [])
    many = [open_one(port, ask) for _ in range(8)]
    for one in many:
        select.select([one], [], [])
    assert sum(size_read(one) > 30_000_000 for one in many) in (1, 2, 3)
    assert size_read(hers) > 30_000_000, "who has little before her isn't in the way"
    assert not connections._behind


def size_read(one) -> int:
    """Bytes that still come."""
    got = 0
    with contextlib.suppress(ConnectionError), one:
        while part := one.recv(2**20):
            got += len(part)
    return got


def test_many_may_wait_and_few_are_taken_at_once():
    """As the system says of a socket that listens (`tcpi_sacked` of Linux's TCP_INFO)."""
    with socket.create_server(("127.0.0.1", 0), backlog=Knocks.at_once) as listening:

        def may_wait() -> int:
            return int.from_bytes(listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[28:32], sys.byteorder)

        before = may_wait()
        Knocks().let_wait([listening])
        assert before == Knocks.at_once < connections.SPARE_FILES
        assert may_wait() > 500


def test_there_are_fewer_connections_than_files():
    import resource

    assert 0 < most_connections() <= resource.getrlimit(resource.RLIMIT_NOFILE)[0] - connections.SPARE_FILES


def test_the_same_line_is_logged_a_few_times_a_minute():
    now = [0.0]
    often = _NotTooOften(most=3, clock=lambda: now[0])

    def lines(count, line):
        records = [
            logging.LogRecord("uvicorn", logging.WARNING, "x.py", line, "said", None, None) for _ in range(count)
        ]
        return [record.getMessage() for record in records if often.filter(record)]

    assert lines(1000, 1) == ["said", "said", "said (said no more for a minute)"]
    assert lines(1, 2) == ["said"]
    now[0] = 60
    assert lines(1, 1) == ["said"]
