"""How long one waits in a fresh process: for a first answer, for the demo's page, and for its first result.

The yardsticks are what no version without onnxruntime could do without (importing TensorFlow, opening the model in
Keras), and as little as a page of Gradio can be.
"""

import contextlib
import http.client
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from lungcnn.errors import LungCNNError
from lungcnn.shipped import shipped_file

ROOT = Path(__file__).parents[2]
PATIENCE = 300  # seconds
# As little as a page of Gradio can be, served the same way; and what no first result can do without.
BARE = """
import sys
import gradio as gr
with gr.Blocks() as page:
    gr.Markdown("Hello")
page.launch(server_port=int(sys.argv[1]), quiet=True, ssr_mode=False, prevent_thread_lock=True)
page.block_thread()
"""
# Where there is /proc, by it: `getrusage` also counts what the parent held when it forked.
MEASURED = """
import pathlib, re, resource
status = pathlib.Path("/proc/self/status")
peak = re.search(r"VmHWM:\\s+(\\d+)", status.read_text()) if status.exists() else None
print((int(peak[1]) if peak else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024, flush=True)
"""
KERAS = """
import sys
from lungcnn import default_model_path, open_keras
open_keras(sys.argv[1] or default_model_path())
"""
ANSWER = """
import sys
from lungcnn import Pipeline, encode_png, load_slice, render_overlay
encode_png(render_overlay(Pipeline.load(sys.argv[1] or None).run(load_slice(sys.argv[2]))))
"""


def measure_cold_starts(
    rounds: int, model: Path | None = None, on_step: Callable[[], None] = lambda: None
) -> dict[str, dict]:
    """Start each program afresh, in turn, `rounds` times after one that warms the disk's cache.

    Returns:
        `ratios`, medians over medians. `first_answer_over_tensorflow`: from the start of Python to the overlay of a
        slice, over that of importing TensorFlow and opening the model in Keras; `memory_over_tensorflow`: largest
        resident memory of the same two; `first_result_over_import`: to the demo's first result over importing
        TensorFlow and opening the model; `page_over_bare_gradio`: to the first page over that of a bare Gradio Blocks
        page. `spread`: the lowest and the highest of that last ratio, round by round. `seconds`: `first_answer_s`, and
        `result_after_page_s` from the demo's page to its first result.

    Raises `LungCNNError` where a program doesn't start.
    """
    example = shipped_file("examples/arch-spiculated-mass.dcm")
    found: dict[str, list[float]] = {}
    for turn in range(rounds + 1):
        measured = {"bare": _time_page([sys.executable, "-c", BARE])}
        measured["keras"], measured["keras_mib"] = _time_program(KERAS, str(model or ""))
        measured["answer"], measured["answer_mib"] = _time_program(ANSWER, str(model or ""), str(example))
        measured["page"], measured["result"] = _time_demo(model, example.read_bytes())
        for name, value in measured.items() if turn else ():
            found.setdefault(name, []).append(value)
        on_step()
    medians = {name: statistics.median(values) for name, values in found.items()}
    pages = [page / bare for page, bare in zip(found["page"], found["bare"], strict=True)]
    after = [result - page for page, result in zip(found["page"], found["result"], strict=True)]
    ratios = {
        "first_answer_over_tensorflow": medians["answer"] / medians["keras"],
        "memory_over_tensorflow": medians["answer_mib"] / medians["keras_mib"],
        "first_result_over_import": medians["result"] / medians["keras"],
        "page_over_bare_gradio": medians["page"] / medians["bare"],
    }
    return {
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
        "spread": {"page_over_bare_gradio": [round(min(pages), 2), round(max(pages), 2)]},
        "seconds": {
            "first_answer_s": round(medians["answer"], 2),
            "result_after_page_s": round(statistics.median(after), 2),
        },
    }


def _time_page(command: list[str]) -> float:
    port = _free_port()
    with _started([*command, str(port)]) as (start, _):
        _await_page(port)
        return time.perf_counter() - start


def _demo() -> str:
    """The demo's package: beside this one in a checkout, or installed under a name of its own."""
    return "demo" if (Path(__file__).parents[2] / "demo").is_dir() else "lungcnn_demo"


def _time_program(code: str, *arguments: str) -> tuple[float, float]:
    """Seconds from the start of Python to the program's end, and its largest resident memory in MiB."""
    command = [sys.executable, "-c", code + MEASURED, *arguments]
    with _started(command, stdout=subprocess.PIPE) as (start, process):
        said = process.stdout.readline()
        seconds = time.perf_counter() - start
    try:
        return seconds, float(said)
    except ValueError:
        raise LungCNNError("TensorFlow or the model could not be loaded.") from None


def _time_demo(model: Path | None, content: bytes) -> tuple[float, float]:
    port = _free_port()
    command = [sys.executable, "-m", _demo(), "--port", str(port), *(["--model", str(model)] if model else [])]
    with _started(command) as (start, _):
        _await_page(port)
        page = time.perf_counter() - start
        _explain(port, content)
        return page, time.perf_counter() - start


@contextlib.contextmanager
def _started(command, stdout=subprocess.DEVNULL):
    """A program in a process of its own, ended afterwards; gives the time of its start, and it."""
    settings = {"GRADIO_ANALYTICS_ENABLED": "False", "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    settings["PYTHONDONTWRITEBYTECODE"] = ""  # our modules are compiled once, as those of the yardsticks were
    start = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - our own programs
        command, cwd=ROOT, stdout=stdout, stderr=subprocess.DEVNULL, env=os.environ | settings
    )
    try:
        yield start, process
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout:
            process.stdout.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _ask(port: int, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, {"content-type": kind} if body else {})
        answer = connection.getresponse()
        found = answer.read()
        if answer.status != 200:
            raise LungCNNError(f"The demo answered {answer.status} to {path}.")
        return found
    finally:
        connection.close()


def _await_page(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            _ask(port, "GET", "/")
            return
        time.sleep(0.01)
    raise LungCNNError(f"No page was served within {PATIENCE} seconds.")


def _explain(port: int, content: bytes) -> None:
    mark = uuid.uuid4().hex
    head = f'--{mark}\r\nContent-Disposition: form-data; name="files"; filename="slice"\r\n\r\n'.encode()
    body = head + content + f"\r\n--{mark}--\r\n".encode()
    (path,) = json.loads(_ask(port, "POST", "/gradio_api/upload", body, f"multipart/form-data; boundary={mark}"))
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    call = json.dumps({"data": [file, "", "grad-cam"]}).encode()
    event = json.loads(_ask(port, "POST", "/gradio_api/call/explain", call))["event_id"]
    said = _ask(port, "GET", f"/gradio_api/call/explain/{event}").decode()
    if not re.search(r'event: complete\ndata: \[\{.*"status": ?"ok"', said):
        raise LungCNNError("The demo gave no result for a bundled slice.")
