"""Serving: what passes the guard, uploads and results in memory, the worker process, faults and how each is told."""

import asyncio
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import ROOT
from demo_process import API, Demo, file_data

from demo import routes, texts
from demo.__main__ import _root_path, main
from demo.gradio_internals import drop_sessions
from demo.login import Tries
from demo.outgoing import Outgoing
from demo.rules import Rules, make_rules
from demo.scratch import LOCK, make_scratch, remove_stale
from demo.server import open_tunnel
from demo.visit import Shown, Visit

EXAMPLE = ROOT / "examples" / "arch-spiculated-mass.dcm"


# ---------------------------------------------------------------- the guard


@pytest.mark.parametrize(
    ("rules", "host", "trusted"),
    [
        (Rules(), "127.0.0.1:7860", True),
        (Rules(), "localhost", True),
        (Rules(), "[::1]:7860", True),
        (Rules(), "evil.example:7860", False),
        (Rules(), "10.0.0.5:7860", False),
        (Rules(), "127.0.0.1.evil.example", False),
        (Rules(), "", False),
        (make_rules("0.0.0.0"), "10.0.0.5:7860", True),  # noqa: S104
        (make_rules("0.0.0.0"), "evil.example", False),  # noqa: S104
        (make_rules("127.0.0.1", "https://ct.example/lung"), "ct.example", True),
        (make_rules("127.0.0.1", trusted=["CT.example"]), "ct.EXAMPLE:80", True),
        (Rules({"*.gradio.live"}), "abc.gradio.live", True),
        (Rules({"*.gradio.live"}), "gradio.live.evil.example", False),
    ],
)
def test_only_names_of_ours_are_answered(rules, host, trusted):
    assert rules.trusts(host) is trusted


def test_a_space_is_known_by_its_name_and_may_be_framed(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/lung")
    rules = make_rules("0.0.0.0")  # noqa: S104
    assert rules.trusts("someone-lung.hf.space")
    assert "frame-ancestors https://huggingface.co" in rules.headers("n")["content-security-policy"]
    assert "x-frame-options" not in rules.headers("n")
    assert Rules().headers("n")["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", path) for path in ("/", "/assets/x-1.js", "/config", "/config/", API + "call/explain/abc")),
        *(("POST", path) for path in ("/login", API + "queue/join", API + "call/explain", API + "upload")),
    ],
)
def test_paths_of_the_page_pass(method, path):
    assert routes.found(method, path)


async def wrong():
    return False


async def right():
    return True


def test_wrong_passwords_are_answered_later_and_later():
    now, slept = [0.0], []

    async def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    async def story():
        tries = Tries(lambda: now[0], sleep)
        for _ in range(8):
            assert await tries.attempt(wrong)
        await tries.attempt(right)
        now[0] += 10_000
        await tries.attempt(wrong)

    asyncio.run(story())
    assert slept == [0, 0, 0, 1, 2, 4, 8, 8, 0]


def test_a_right_password_gets_in_while_many_guess_and_guessers_are_slow():
    checked = []

    async def guess():
        checked.append(time.monotonic())
        return False

    async def slow():
        await asyncio.sleep(0.01)
        return True

    async def story():
        tries = Tries(sleep=lambda seconds: asyncio.sleep(seconds / 20))
        for _ in range(8):
            await tries.attempt(guess)
        guessing = [asyncio.ensure_future(tries.attempt(guess)) for _ in range(12)]
        await asyncio.sleep(0)
        start = time.monotonic()
        assert await tries.attempt(right)
        waited = time.monotonic() - start
        for one in guessing[:4]:
            one.cancel()  # who hangs up holds his place all the same
        await asyncio.gather(*guessing, return_exceptions=True)
        flood = await asyncio.gather(*(tries.attempt(slow) for _ in range(300)))
        return waited, flood

    waited, flood = asyncio.run(story())
    assert waited < 2 * 8 / 20
    assert sum(flood) == 208, "the line has an end"
    late = checked[8:]
    assert max(late) - min(late) >= 8 / 20, "eight at a time"


def test_guessers_by_the_hundred_stand_behind_who_comes_from_elsewhere():
    async def story():
        tries = Tries(sleep=lambda seconds: asyncio.sleep(0.05))
        guessing = [asyncio.ensure_future(tries.attempt(wrong, "guesser")) for _ in range(300)]
        await asyncio.sleep(0)
        assert await tries.attempt(right, "she")
        before = sum(one.done() for one in guessing)
        refused = 300 - sum(await asyncio.gather(*guessing))
        return before, refused

    before, refused = asyncio.run(story())
    assert before == refused, "a place is kept for her"
    assert refused == 300 - 208


def test_gradio_begins_as_many_events_as_may_be_under_way():
    """Else those of one visitor could stand before another's where nobody tells them apart."""
    from demo.server import launch_settings
    from demo.shares import Shares

    assert launch_settings(Rules(shares=Shares(line=300)))["max_threads"] == 300
    assert launch_settings()["max_threads"] >= Shares().line


# ---------------------------------------------------------------- results in memory


def test_results_are_kept_for_a_while_or_once():
    outgoing = Outgoing(limit=100)
    once, often = outgoing.give(b"overlay", "overlay.png", once=True), outgoing.give(b"report", "report.pdf")
    assert [outgoing.fetch(often) for _ in range(2)] == [b"report", b"report"]
    assert [outgoing.fetch(once) for _ in range(2)] == [b"overlay", None]
    assert outgoing.fetch("/etc/passwd") is None
    outgoing.give(b"x" * 98, "large.json")
    assert outgoing.fetch(often) is None, "beyond the limit the oldest go"
    outgoing.expiry = -1
    outgoing.drop_expired()
    assert (len(outgoing), outgoing._total) == (0, 0)


# ---------------------------------------------------------------- the private folder


def test_sessions_without_a_slice_are_forgotten(phantom_slice):
    from datetime import datetime, timedelta
    from types import SimpleNamespace

    import gradio as gr
    from gradio.state_holder import StateHolder

    with gr.Blocks() as page:
        state = gr.State(Visit())
    holder = StateHolder()
    holder.set_blocks(page)
    visit = Visit()
    visit.show(visit.begin(), Shown(phantom_slice))
    for name in ("shows", "opened", "recent"):
        holder[name][state._id] = visit
    for name in ("empties", "calls", "late", "waits"):
        holder[name][state._id] = Visit()
    page._queue.event_ids_to_events["event"] = SimpleNamespace(session_hash="waits")
    long_ago = datetime.now() - timedelta(seconds=61)
    holder.time_last_used |= dict.fromkeys(("shows", "opened", "empties", "calls", "waits"), long_ago)
    drop_sessions(page, 60, lambda visit: visit.empty, 90, lambda name: False)
    assert set(holder.session_data) == {"shows", "opened", "recent", "late", "waits"}
    drop_sessions(page, 10, lambda visit: visit.empty, 60, lambda name: name == "opened")
    assert set(holder.session_data) == set(holder.time_last_used) == {"opened", "recent", "late", "waits"}
    assert holder["empties"][state._id].empty  # it comes back


def test_folders_of_killed_demos_are_removed_and_those_of_living_ones_stay(tmp_path):
    code = "from demo.scratch import make_scratch; print(make_scratch(), flush=True); input()"
    owner = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    folder = Path(owner.stdout.readline().strip())
    assert folder.stat().st_mode & 0o777 == 0o700
    others = tmp_path / "lungcnn-demo-mine"
    others.mkdir()
    (tmp_path / "lungcnn-demo-1-link").symlink_to(others)
    assert remove_stale(tmp_path) == []
    owner.kill()
    owner.wait()
    owner.stdin.close()
    owner.stdout.close()
    assert remove_stale(tmp_path) == [folder]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lungcnn-demo-1-link", "lungcnn-demo-mine"]


def test_a_folder_is_only_stale_without_lock_when_it_is_old(tmp_path):
    fresh, old = tmp_path / "lungcnn-demo-1-a", tmp_path / "lungcnn-demo-2-b"
    for folder in (fresh, old):
        folder.mkdir()
    os.utime(old, (0, 0))
    assert remove_stale(tmp_path) == [old]
    (fresh / LOCK).touch()
    assert remove_stale(tmp_path) == [fresh]


# ---------------------------------------------------------------- the strip of examples


def test_bundled_thumbnails_are_what_would_be_drawn():
    import cv2

    from demo.examples import THUMBNAILS, draw_thumbnail, find_examples

    examples = [example for example in find_examples() if not example.real]
    names = [example.path.with_suffix(".png").name for example in examples]
    assert sorted(names) == sorted(path.name for path in THUMBNAILS.iterdir()), "draw_thumbnail makes what is missing"
    for example in examples:
        drawn, bundled = (
            cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED).astype(int)
            for png in (draw_thumbnail(example.path), example.thumbnail)
        )
        assert np.abs(drawn - bundled).max() <= 1, example.title


# ---------------------------------------------------------------- the command line


@pytest.mark.parametrize(
    ("arguments", "env", "message"),
    [
        (["--share"], {}, "give --auth-file"),
        ([], {"GRADIO_SHARE": "true"}, "give --auth-file"),
        (["--share", "--auth", "a:b", "--dicom-results"], {}, "Leave one of them out"),
        (["--share", "--public"], {"LUNGCNN_DEMO_DICOM_RESULTS": "1"}, "Leave one of them out"),
        (["--dicom-results"], {"GRADIO_SHARE": "true"}, "Leave one of them out"),
        (["--dicom-results"], {"SPACE_ID": "someone/lung"}, "Leave one of them out"),
        (["--auth", "nobody"], {}, "USER:PASSWORD"),
        ([], {"LUNGCNN_DEMO_AUTH": ":secret"}, "USER:PASSWORD"),
        (["--auth-file", "nothing.txt"], {}, "can't be read"),
        ([], {"GRADIO_SERVER_PORT": "many"}, "GRADIO_SERVER_PORT"),
        (["--max-concurency", "3"], {}, "Did you mean"),
    ],
)
def test_wrong_usage_gets_help(arguments, env, message):
    result = CliRunner().invoke(main, arguments, env=env)
    assert result.exit_code == 2
    assert message in re.sub(r"[\s│]+", " ", result.output)
    assert "secret" not in result.output


def test_a_model_that_was_cut_short_is_told_before_anything_is_served(tmp_path):
    shipped = ROOT / "models" / "cancer_classification_model.keras"
    cut = tmp_path / shipped.name
    cut.write_bytes(shipped.read_bytes()[:-100])
    cut.with_suffix(".json").write_bytes(shipped.with_suffix(".json").read_bytes())
    result = CliRunner().invoke(main, ["--model", str(cut)])
    assert result.exit_code == 1
    assert "changed or cut short" in re.sub(r"\s+", " ", result.output)


def test_a_temporary_folder_that_cannot_be_written_is_told(monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 1
    assert "The temporary folder can't be written (Permission denied)" in result.output


def test_a_disk_that_is_full_from_the_start_is_told(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )
    assert done.returncode == 1
    assert "The temporary folder can't be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_network_no_public_link(monkeypatch):
    def offline(*_):
        raise RuntimeError("Could not get share link from Gradio API Server.")

    class Page:
        server_name, server_port, share_token, share_server_address = "127.0.0.1", 1, "t", None

    monkeypatch.setattr("gradio.networking.setup_tunnel", offline)
    assert open_tunnel(Page, Rules()) is None
    monkeypatch.setattr("gradio.networking.setup_tunnel", lambda *_: "http://abc.gradio.live")
    rules = Rules()
    assert open_tunnel(Page, rules) == "https://abc.gradio.live"
    assert rules.trusts("abc.gradio.live")


# ---------------------------------------------------------------- the running demo


def test_every_answer_carries_the_headers_and_scripts_their_nonce(served):
    visitor = served.client()
    page = visitor.get("/")
    (nonce,) = re.findall(r"script-src 'self' 'nonce-([\w-]+)'", page.headers["content-security-policy"])
    assert re.findall(r"<script(?! nonce=)", page.text) == []
    assert page.text.count(f"<script nonce={nonce}") >= 3
    assert nonce not in visitor.get("/").text
    for path in ("/", "/config", "/assets/nothing.js", "/nothing", API + "info"):
        headers = visitor.get(path).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_what_the_page_does_not_need_is_shut(served):
    visitor = served.client()
    for path in ("/monitoring", API + "deep_link", API + "dev/reload", "/?deep_link=abc", "/?deep%5flink=abc", "/docs"):
        assert visitor.get(path).status_code == 404, path
    for host in ("evil.example", "[", "[::1"):
        assert visitor.get("/", headers={"Host": host}).status_code == 421
    public = visitor.get(API + "info").json()
    assert (list(public["named_endpoints"]), public["unnamed_endpoints"]) == (["/explain"], {})


def test_uploads_cannot_be_read_back_and_are_used_once(served):
    visitor = served.client()
    content = EXAMPLE.read_bytes()
    path = visitor.upload(content, "DOE^JOHN.dcm")
    assert "DOE" not in path
    assert visitor.get(f"{API}file={path}").status_code == 404
    assert [file.name for file in served.scratch().rglob("*") if file.is_file()] == [LOCK]
    record, overlay = visitor.call("explain", [file_data(path, "x"), "", ""])
    assert record["status"] == "ok"
    assert overlay.startswith(b"\x89PNG")
    kind, _ = visitor.call("explain", [file_data(path, "x"), "", ""])
    assert kind == "error"


def test_two_visitors_with_the_same_slice_do_not_take_it_from_each_other(served):
    content = EXAMPLE.read_bytes()
    visitors = [served.client() for _ in range(4)]
    paths = [visitor.upload(content) for visitor in visitors]
    assert len(set(paths)) == 4
    records = [v.call("explain", [file_data(p, "x"), "", ""])[0] for v, p in zip(visitors, paths, strict=True)]
    assert [record["status"] for record in records] == ["ok"] * 4
    assert records[1:] == records[:-1]


def test_an_upload_that_is_too_large_is_told(tmp_path):
    from starlette.datastructures import Headers
    from starlette.exceptions import HTTPException

    from demo.intake import MAX_FILE, receive

    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'

    class Request:
        client = None
        headers = Headers({"content-type": "multipart/form-data; boundary=x"})

        async def stream(self):
            yield head + b"0" * (2**20 + 1) + b"\r\n--x--\r\n"

    class Stated(Request):
        headers = Headers({"content-type": "multipart/form-data; boundary=x", "content-length": str(3 * 2**20)})

        async def stream(self):
            raise AssertionError("it was read")
            yield b""

    for request in (Request, Stated):
        with pytest.raises(HTTPException) as told:
            asyncio.run(receive(request(), str(tmp_path), 2**20, None))
        assert (told.value.status_code, told.value.detail) == (413, texts.UPLOAD_TOO_LARGE.format(limit=1))
    assert MAX_FILE > 700 * 512 * 512 * 2, "a thin-slice chest CT fits, unpacked even"


def test_limits_are_told(served):
    visitor = served.client()
    body = visitor.post(API + "queue/join", content=b"[" + b" " * 2**20 + b"]")
    assert (body.status_code, body.json()) == (413, {"detail": texts.BODY_TOO_LARGE}), "as Gradio's page reads it"
    for link in ("https://example.org/x.dcm", " HTTP://10.0.0.1/"):
        answer = visitor.post(API + "call/explain", json={"data": [{"path": link, "meta": {}}, "", ""]})
        assert (answer.status_code, answer.text) == (400, texts.NO_LINKS)
    assert visitor.post(API + "upload", content=b"x").status_code == 400


def test_a_full_disk_is_of_no_account(served):
    visitor, pid = served.client(), served.process.pid
    # The kernel refuses this process every write to a file, as it would on a full disk.
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        record, overlay = visitor.explain(EXAMPLE.read_bytes())
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    assert record["status"] == "ok"
    assert overlay.startswith(b"\x89PNG")
    assert "Traceback" not in served.log.read_text()


def test_a_worker_that_dies_in_the_middle_is_started_again_and_the_work_done_again(served):
    visitor = served.client()
    assert visitor.explain(EXAMPLE.read_bytes())[0]["status"] == "ok"
    first = served.worker()
    os.kill(first, signal.SIGSTOP)  # so that the slice is surely in the middle
    answers = []
    asking = threading.Thread(target=lambda: answers.append(visitor.explain(EXAMPLE.read_bytes())))
    asking.start()
    time.sleep(1)
    os.kill(first, signal.SIGKILL)
    asking.join(200)
    assert answers[0][0]["status"] == "ok"
    assert served.worker() != first


def test_a_second_demo_on_the_same_port_is_told(served, tmp_path):
    port = served.url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "demo", "--port", port]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"TMPDIR": str(tmp_path)}
    )
    assert done.returncode == 1
    assert f"port {port}: the address is taken" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "taken"), [("/", ""), ("lung/", "/lung"), ("/lung", "/lung"), ("https://ct.example/lung/", None)]
)
def test_a_root_path_may_be_written_in_any_way(given, taken):
    assert _root_path(given) == (given.rstrip("/") if taken is None else taken)


@pytest.mark.slow
def test_it_starts_as_a_file_too_as_on_hugging_face_spaces(tmp_path):
    space = {"SPACE_ID": "someone/lung"}
    with Demo(tmp_path / "home", command=(sys.executable, "demo/app.py"), env=space) as demo:
        page = demo.client().get("/", headers={"Host": "someone-lung.hf.space"})
        assert page.status_code == 200
        assert "frame-ancestors https://huggingface.co" in page.headers["content-security-policy"]
        assert demo.client().get("/", headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.slow
def test_login_and_sharing_without_a_network(tmp_path):
    users = tmp_path / "users"
    users.write_text("reader:c0rrect horse\n\nother:battery\n")
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    nowhere |= {"no_proxy": "127.0.0.1,localhost", "NO_PROXY": "127.0.0.1,localhost"}
    with Demo(tmp_path / "home", "--share", "--auth-file", str(users), env=nowhere) as demo:
        assert demo.process.stdout.readline().strip() == texts.NO_PUBLIC_LINK
        visitor = demo.client()
        for path in ("/config", API + "info", API + "queue/data?session_hash=x"):
            assert visitor.get(path).status_code == 401, path
        assert visitor.post(API + "upload", files={"files": ("x", b"x")}).status_code == 401
        page = visitor.get("/").text
        assert "auth_required" in page
        assert "/explain" not in page
        assert "malignant" not in page
        start = time.monotonic()
        for _ in range(4):
            wrong = visitor.post("/login", data={"username": "reader", "password": "wrong"})
            assert wrong.status_code == 400
        assert time.monotonic() - start >= 1
        assert visitor.post("/login", data={"username": "reader", "password": "c0rrect horse"}).status_code == 200
        assert "De-identified images only" in visitor.get("/config").text
        record, overlay = visitor.explain(EXAMPLE.read_bytes())
        assert record["status"] == "ok"
        assert overlay.startswith(b"\x89PNG")
        for pid in (demo.process.pid, demo.worker()):
            assert b"c0rrect" not in Path(f"/proc/{pid}/cmdline").read_bytes()
        assert b"c0rrect" not in b"".join(content for _, content in visitor.received)
        assert demo.log.read_text() == ""


def test_work_stands_in_line_and_leaves_it_when_it_is_superseded():
    from demo.line import Line

    def work(name):
        done.append(name)
        yield {"outcome": name}

    def long(turn):
        while not turn.over:
            time.sleep(0.01)
            yield {"outcome": "at work"}

    async def one(line, turn, steps):
        return [step["outcome"] async for step in line.work(turn, steps)]

    async def story():
        line, first, second, third = Line(1), Visit(), Visit(), Visit()
        turn = first.begin()
        running = asyncio.create_task(one(line, turn, long(turn)))
        await asyncio.sleep(0.1)
        gone = second.begin()
        leaving = asyncio.create_task(one(line, gone, work("superseded")))
        staying = asyncio.create_task(one(line, third.begin(), work("done")))
        await asyncio.sleep(0.3)
        second.begin()
        told = await leaving
        first.begin()
        return told, await staying, await running

    done: list[str] = []
    left, stayed, _ = asyncio.run(story())
    assert all("Ahead of you in the line: 0" in word for word in left)
    assert "Ahead of you in the line: 1" in stayed[0]
    assert stayed[-1] == "done"
    assert done == ["done"]


def test_the_example_of_the_api_runs(served, monkeypatch, capsys):
    found = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "serving.md").read_text(encoding="utf-8"), re.DOTALL)
    (code,) = [block for block in found if "gradio_client" in block]
    assert "http://127.0.0.1:7860" in code
    monkeypatch.chdir(ROOT)
    exec(compile(code.replace("http://127.0.0.1:7860", served.url), "serving.md", "exec"), {})  # noqa: S102
    said = capsys.readouterr().out
    assert "malignant" in said
    assert ".png" in said


def test_scratch_is_named_to_gradio(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "")
    scratch = make_scratch()
    assert os.environ["GRADIO_TEMP_DIR"] == str(scratch)
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
