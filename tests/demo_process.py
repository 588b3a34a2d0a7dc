"""The running demo as a test meets it: started with a temporary folder and home of its own, spoken to over HTTP."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent
API = "/gradio_api/"


class Demo:
    """`python -m demo ARGUMENTS`, or another `command`, in a process of its own; a context manager.

    Attributes:
        url: where it is served. folder: its temporary folder and home. process: of `subprocess`.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        env: dict | None = None,
        command=(sys.executable, "-m", "demo"),
        cwd: Path = ROOT,
    ):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.log = folder.parent / f"{folder.name}.log"
        self.before = set(folder.rglob("*"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        places = {name: str(folder) for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME")}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(port), *arguments],
                cwd=cwd,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | places | {"LUNGCNN_MODEL": "", "PYTHONDONTWRITEBYTECODE": "1"} | (env or {}),
            )
        self.url = f"http://127.0.0.1:{port}"
        self.said = self.process.stdout.readline()
        if self.url not in self.said:
            self.process.kill()
            raise RuntimeError(f"the demo did not start: {self.said} {self.log.read_text()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, number=signal.SIGTERM) -> int:
        """End it with a signal; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(10)

    def client(self, address: str = "127.0.0.1") -> "Visitor":
        """A visitor who comes from an address of this machine (127.x.y.z)."""
        return Visitor(self.url, address)

    def worker(self) -> int:
        """Process id of the worker."""
        return worker_of(self.process.pid)

    def scratch(self) -> Path:
        """The private folder."""
        (found,) = self.folder.glob("lungcnn-demo-*")
        return found


def worker_of(pid: int) -> int:
    """The child of a demo's process that runs the model."""
    for one in family(pid)[1:]:
        with contextlib.suppress(OSError):
            if b"demo.worker" in Path(f"/proc/{one}/cmdline").read_bytes():
                return one
    raise LookupError("no worker")


def family(pid: int) -> list[int]:
    """A process and all that it started, and these."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, ValueError):  # it has ended since
                parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


class Visitor:
    """What a browser or `gradio_client` sends, and every byte that came back.

    Attributes:
        received: `(address, headers and body)` of every answer.
    """

    def __init__(self, url: str, address: str = "127.0.0.1"):
        transport = httpx.HTTPTransport(local_address=address)
        self.http = httpx.Client(base_url=url, timeout=300, trust_env=False, transport=transport)
        self.session = uuid.uuid4().hex
        self.received: list[tuple[str, bytes]] = []

    def send(self, method: str, path: str, **options) -> httpx.Response:
        answer = self.http.request(method, path, **options)
        self.received.append((path, repr(answer.headers.raw).encode() + answer.content))
        return answer

    def get(self, path: str, **options):
        return self.send("GET", path, **options)

    def post(self, path: str, **options):
        return self.send("POST", path, **options)

    def upload(self, data: bytes, name: str = "slice.dcm") -> str:
        """Upload a file; returns its path on the server."""
        answer = self.post(API + "upload", files={"files": (name, data)})
        answer.raise_for_status()
        return answer.json()[0]

    def explain(self, data: bytes, name: str = "slice.dcm", class_name: str = "", method: str = "grad-cam"):
        """The public endpoint: `(record, overlay as PNG)`, or the error's text."""
        return self.call("explain", [file_data(self.upload(data, name), name), class_name, method])

    def call(self, name: str, values: list):
        """Call a public endpoint by name."""
        answer = self.post(f"{API}call/{name}", json={"data": values})
        answer.raise_for_status()
        said = self.get(f"{API}call/{name}/{answer.json()['event_id']}").text
        kind, data = re.findall(r"event: (\w+)\ndata: (.*)\n", said)[-1]
        if kind != "complete":
            return kind, data
        record, overlay = json.loads(data)
        return record, overlay and self.get(f"{API}file={overlay['path']}").content

    def press(self, function: int, values: list) -> dict:
        """Run one of the page's own events, as the browser does; returns its last message."""
        body = {"data": values, "fn_index": function, "session_hash": self.session, "event_data": None}
        answer = self.post(API + "queue/join", json=body)
        answer.raise_for_status()
        said = self.get(API + "queue/data", params={"session_hash": self.session}).text
        messages = [json.loads(line.removeprefix("data: ")) for line in said.splitlines() if line.startswith("data: ")]
        return next(m for m in reversed(messages) if m["msg"] == "process_completed")


def file_data(path: str, name: str) -> dict:
    """An uploaded file as an argument of a call."""
    return {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}
