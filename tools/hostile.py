"""Clients who mean no good, for `tools/load.py --hostile`: each does one thing for as long as it is let.

Whatever they send, the demo is to answer with a sentence or to close the connection; `Said` counts what it said. They
have a process of their own (`python tools/hostile.py URL`, until its input ends), so that what they take to make their
files is not taken for what the demo takes to answer.
"""

import asyncio
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlparse

import httpx

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "reading")]

from hostile_files import decoy, jpeg2000, progressive, small_slices
from hostile_uploads import bomb, mutated, picture

EXAMPLE = ROOT / "examples" / "carina-normal.dcm"
API = "/gradio_api/"
LONGEST = 90  # seconds after which a request of ours counts as never answered


@dataclass
class Said:
    """What hostile clients were answered, by what they did.

    Attributes:
        wrong: answers that should not be: errors of the server, or what should have been refused.
    """

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def client(url: str, number: int, net: int = 2) -> httpx.AsyncClient:
    """A client who comes from an address of his own on this machine."""
    transport = httpx.AsyncHTTPTransport(local_address=f"127.0.{net}.{number % 250 + 1}")
    return httpx.AsyncClient(base_url=url, timeout=LONGEST, transport=transport)


# ---------------------------------------------------------------- what they do


async def half_sent(url: str, said: Said) -> None:
    """Requests whose heads never end, hundreds at a time."""
    where = urlparse(url)
    while True:
        opened = []
        for _ in range(200):
            try:
                _, writer = await asyncio.open_connection(where.hostname, where.port, local_addr=("127.0.2.1", 0))
                writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
                opened.append(writer)
            except OSError:
                said.counts["half-sent: not taken"] += 1
        await asyncio.sleep(3)
        said.counts["half-sent: opened"] += len(opened)
        for writer in opened:
            writer.transport.abort()


async def stalled_uploads(url: str, said: Said) -> None:
    """Uploads that stand still after some megabytes."""
    where = urlparse(url)
    head = (
        f"POST {API}upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        "Content-Length: 400000000\r\n\r\n--x\r\n"
        'Content-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    ).encode()
    writers = []
    for number in range(36):
        _, writer = await asyncio.open_connection(where.hostname, where.port, local_addr=(f"127.0.2.{number + 2}", 0))
        writer.write(head + bytes(8 * 2**20))
        writers.append(writer)
        said.counts["stalled uploads"] += 1
    await asyncio.sleep(10)
    for writer in writers:
        writer.transport.abort()


async def bad_files(url: str, said: Said) -> None:
    """Damaged and lying files through the API."""
    rng, example = random.Random(7), EXAMPLE.read_bytes()
    async with client(url, 60) as http:
        while True:
            for kind, content in (("mutated", mutated(example, rng)), ("text", b"no slice"), ("bomb", bomb())):
                await _explain(http, said, kind, content)


async def large_pictures(url: str, said: Said) -> None:
    """Small files of many pixels, each asked about and never read."""
    async with client(url, 61) as http:
        while True:
            ticket = await _upload(http, picture(4096))
            if ticket:
                answer = await http.post(API + "call/explain", json={"data": [_file(ticket), "", ""]})
                said.counts[f"unread results: {answer.status_code}"] += 1
            await asyncio.sleep(0.1)


async def paths(url: str, said: Said) -> None:
    """Files of the machine, addresses, routes and names that nobody should reach."""
    asked = [
        *((API + "file=" + path) for path in ("/etc/passwd", url + "/x.html", "/proc/self/environ")),
        *(API + path for path in ("proxy=http://127.0.0.1/", "deep_link", "heartbeat/" + "x" * 2000, "queue/status")),
        *("/monitoring", "/?deep%5flink=x", API + "upload_progress?upload_id=" + "x" * 60_000),
    ]
    async with client(url, 62) as http:
        while True:
            answers = [await http.get(path) for path in asked]
            named = ("/etc/passwd", "/tmp/x/.lock", "http://127.0.0.1/")  # noqa: S108
            calls = [*(json.dumps({"data": [_file(path), "", ""]}) for path in named), "[" * 100_000]
            answers += [await http.post(API + "call/explain", content=call) for call in calls]
            for answer in answers:
                said.counts[f"paths: {answer.status_code}"] += 1
                if not 400 <= answer.status_code < 500:
                    said.wrong.append(f"{answer.request.url!s:.80}: {answer.status_code}")
            await asyncio.sleep(0.2)


async def many_files(url: str, said: Said) -> None:
    """Thousands of one-byte files that nobody asks for."""
    async with client(url, 63) as http:
        while True:
            files = [("files", ("x", b"x")) for _ in range(900)]
            answer = await http.post(API + "upload", files=files)
            said.counts[f"many files: {answer.status_code}"] += 1
            if answer.status_code >= 500 and answer.status_code != 503:
                said.wrong.append(f"many files: {answer.status_code}")


async def costly_files(url: str, said: Said) -> None:
    """Files that take as long as files may, and those that the system's limits end."""
    made = {"JPEG 2000": jpeg2000(4096, 4096, boxed=True), "90 scans": progressive(90), "decoy": decoy()}
    async with client(url, 64) as http:
        while True:
            for kind, content in made.items():
                await _explain(http, said, kind, content)


async def held_series(url: str, said: Said) -> None:
    """Series, each in a session of its own, that their visitor doesn't look at, nor read what is said of them."""
    content = small_slices(200, side=64)
    async with client(url, 65) as http:
        config = (await http.get("/config")).json()
        upload = next(
            one["id"] for one in config["dependencies"] if one["targets"][0][1] == "upload" and len(one["inputs"]) > 1
        )
        while True:
            ticket = await _upload(http, content)
            data = [None, [_file(ticket)] if ticket else [], "", "grad-cam"]
            call = {"data": data, "fn_index": upload, "session_hash": os.urandom(6).hex()}
            answer = await http.post(API + "queue/join", json=call)
            said.counts[f"series: {answer.status_code}"] += 1
            await asyncio.sleep(1)


async def called_off(url: str, said: Said) -> None:
    """Calls that are cancelled as soon as they are made."""
    example = EXAMPLE.read_bytes()
    async with client(url, 66) as http:
        config = (await http.get("/config")).json()
        explain = next(one["id"] for one in config["dependencies"] if one["api_name"] == "explain")
        while True:
            ticket, session = await _upload(http, example), os.urandom(6).hex()
            call = {"data": [_file(ticket or "upload-" + 32 * "0"), "", ""], "fn_index": explain}
            answer = await http.post(API + "queue/join", json=call | {"session_hash": session})
            said.counts[f"called off: {answer.status_code}"] += 1
            if answer.status_code == 200:
                await asyncio.sleep(0.05)
                about = {"session_hash": session, "fn_index": explain, "event_id": answer.json()["event_id"]}
                await http.post(API + "cancel", json=about)
            else:
                await asyncio.sleep(0.5)


CLIENTS: list[Callable[[str, Said], Coroutine]] = [
    half_sent,
    stalled_uploads,
    bad_files,
    large_pictures,
    paths,
    many_files,
    costly_files,
    held_series,
    called_off,
]


async def attack(url: str, said: Said) -> None:
    """All of them at once, without end; one that is thrown out comes back."""

    async def again(one) -> None:
        while True:
            try:
                await one(url, said)
            except (httpx.HTTPError, OSError) as error:
                said.counts[f"{one.__name__}: {type(error).__name__}"] += 1
                await asyncio.sleep(0.5)

    await asyncio.gather(*map(again, CLIENTS))


@dataclass
class Elsewhere:
    """An attack under way in another process."""

    process: asyncio.subprocess.Process

    async def end(self) -> tuple[dict[str, int], list[str]]:
        """End it; `counts` and `wrong` of its `Said`."""
        told, _ = await self.process.communicate(b"")
        counts, wrong = json.loads(told)
        return counts, wrong


async def elsewhere(url: str) -> Elsewhere:
    """Begin an attack."""
    pipe = asyncio.subprocess.PIPE
    return Elsewhere(await asyncio.create_subprocess_exec(sys.executable, __file__, url, stdin=pipe, stdout=pipe))


async def _until_input_ends(url: str) -> Said:
    said = Said()
    at_work = asyncio.ensure_future(attack(url, said))
    await asyncio.wait(
        [at_work, asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))], return_when="FIRST_COMPLETED"
    )
    at_work.cancel()
    return said


# ---------------------------------------------------------------- how they send it


async def _explain(http: httpx.AsyncClient, said: Said, kind: str, content: bytes) -> None:
    ticket = await _upload(http, content)
    if ticket is None:
        said.counts[f"{kind}: no room"] += 1
        await asyncio.sleep(0.5)
        return
    answer = await http.post(API + "call/explain", json={"data": [_file(ticket), "", ""]})
    if answer.status_code != 200:
        said.counts[f"{kind}: {answer.status_code}"] += 1
        await asyncio.sleep(0.5)
        return
    text = (await http.get(f"{API}call/explain/{answer.json()['event_id']}")).text
    outcome = "a sentence" if '"error": "' in text or '"status": "' in text else "nothing"
    said.counts[f"{kind}: {outcome}"] += 1
    if outcome == "nothing":
        said.wrong.append(f"{kind}: {text[-200:]}")


async def _upload(http: httpx.AsyncClient, content: bytes) -> str | None:
    answer = await http.post(API + "upload", files={"files": ("slice", content)})
    return answer.json()[0] if answer.status_code == 200 else None


def _file(path: str) -> dict:
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def open_files(pid: int) -> int:
    """Of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


if __name__ == "__main__":
    os.nice(5)  # they would have machines of their own
    found = asyncio.run(_until_input_ends(sys.argv[1]))
    print(json.dumps([dict(sorted(found.counts.items())), sorted(set(found.wrong))]))
