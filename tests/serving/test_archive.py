"""Archives: the same rows as one slice at a time gives, whatever the form or engine, and after a kill at any moment."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import ROOT, dicom_bytes

from lungcnn.classes import CLASSES
from lungcnn.cli import main
from lungcnn.errors import LungCNNError, UnreadableFileError, UsageError
from lungcnn.gate.prepared import Prepared
from lungcnn.model.card import card_path, load_card
from lungcnn.phantoms.bundled import draw
from lungcnn.reading.uids import stated_uids
from lungcnn.results.slice_report import ModelInfo, SliceReport, failed
from lungcnn.serving.archive import local, score
from lungcnn.serving.archive.decoding import decoded
from lungcnn.serving.archive.listing import list_files, read_file
from lungcnn.serving.archive.processes import in_processes
from lungcnn.serving.archive.score import ENGINES, score_archive
from lungcnn.serving.archive.table import Parts, columns, read_table, row


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Good files, an object of two frames, and ugly ones."""
    folder = tmp_path_factory.mktemp("archive")
    (folder / "a" / ".hidden").mkdir(parents=True)
    for name in ("carina-normal.dcm", "arch-spiculated-mass.dcm", "carina-normal.png"):
        (folder / "a" / name).write_bytes((ROOT / "examples" / name).read_bytes())
    stored = (draw("carina-normal").hu + 1024).astype(np.int16)
    (folder / 'b, "two" frames.dcm').write_bytes(dicom_bytes(np.stack([stored, np.zeros_like(stored)])))
    (folder / "damaged.dcm").write_bytes((folder / "a" / "carina-normal.dcm").read_bytes()[:5000])
    (folder / "empty").write_bytes(b"")
    (folder / "archive.zip").write_bytes(b"PK\x03\x04 and so on")
    (folder / "notes.txt").write_text("beside the slices")
    (folder / "a" / ".hidden" / "x.dcm").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def expected(folder, untrained) -> list[dict]:
    """The rows, made one slice at a time."""
    from lungcnn.pipeline import Pipeline

    pipeline = Pipeline.load(untrained)
    return [
        row(name, report, stated_uids(read_file(name)) if report.status != "error" else (None, None))
        for name in list_files(str(folder))
        for report in pipeline.run_file(name, checks=False)
    ]


def rows_of(out: Path) -> list[dict]:
    return read_table(out).to_pylist()


def assert_same(found: list[dict], expected: list[dict]):
    assert [list(one) for one in found] == [list(columns())] * len(found)
    for one, other in zip(found, expected, strict=True):
        for name in columns():
            same = pytest.approx(other[name], abs=2e-5) if name.startswith("probability") else other[name]
            assert one[name] == same, (name, one["file"])


def test_what_is_listed(folder, tmp_path, monkeypatch):
    names = [Path(name).name for name in list_files(str(folder))]
    assert names == [
        "arch-spiculated-mass.dcm", "carina-normal.dcm", "carina-normal.png", "archive.zip", 'b, "two" frames.dcm',
        "damaged.dcm", "empty",
    ]  # fmt: skip
    assert [Path(name).name for name in list_files(f"{folder}/*/*.dcm")] == names[:2]
    listed = tmp_path / "some.txt"
    listed.write_text(f"# two of them\n{folder}/b\n\n  s3://bucket/a \n{folder}/b\n")
    assert list_files(str(listed)) == sorted([f"{folder}/b", "s3://bucket/a"])
    monkeypatch.chdir(folder)
    assert list_files("a")[0] == "a/arch-spiculated-mass.dcm"
    assert list_files(str(folder / "empty")) == [str(folder / "empty")]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("/nowhere", "There is nothing at /nowhere"),
        ("nothing-*.dcm", "holds no files"),
        ("nostore://bucket", "can't be listed: Protocol not known: nostore"),
    ],
)
def test_what_can_not_be_listed(source, message):
    with pytest.raises(UsageError, match=message):
        list_files(source)


def test_an_object_store_is_listed_and_read_by_its_uri(monkeypatch, folder):
    import fsspec

    store = fsspec.filesystem("memory")
    store.pipe({"/bucket/one/a.dcm": b"A", "/bucket/one/b.dcm": b"B", "/bucket/one/readme.md": b"C"})
    names = list_files("memory://bucket/one")
    assert [read_file(name) for name in names] == [b"A", b"B"]
    assert names[0].startswith("memory://")
    with pytest.raises(UnreadableFileError, match="no such file"):
        read_file("memory://bucket/two")

    # Where fsspec lacks a store's package, pyarrow's own file systems take over.
    def lacking(uri, **_):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", lacking)
    listed = list_files(f"file://{folder}/a")
    assert [Path(name).name for name in listed] == [
        "arch-spiculated-mass.dcm",
        "carina-normal.dcm",
        "carina-normal.png",
    ]
    assert read_file(f"file://{folder}/a/carina-normal.png")[:4] == b"\x89PNG"
    with pytest.raises(UsageError, match="Install s3fs"):
        list_files("nostore://bucket/x")


def test_the_local_engine_gives_the_rows_of_one_slice_at_a_time(folder, expected, untrained, tmp_path):
    out, started, ticks = tmp_path / "out" / "rows.parquet", [], []
    scored = score_archive(str(folder), out, untrained, workers=2, on_start=lambda *n: started.append(n),
                           on_file=lambda: ticks.append(1))  # fmt: skip
    assert_same(rows_of(out), expected)
    assert (scored.files, scored.before, scored.rows) == (7, 0, {"ok": 4, "refused": 1, "error": 3})
    assert (started, len(ticks)) == ([(7, 0)], 7)
    assert [path.name for path in out.parent.iterdir()] == ["rows.parquet"], "nothing is left lying about"
    by_name = {Path(one["file"]).name: one for one in rows_of(out)}
    assert (by_name["damaged.dcm"]["reasons"], by_name["archive.zip"]["reasons"]) == ("unreadable", "unsupported")
    assert by_name["empty"]["message"].startswith("The file is empty")
    assert by_name["empty"]["prediction"] is by_name["empty"]["probability_malignant"] is None
    # Once more: nothing to do, and the table stays as it is.
    before = out.read_bytes()
    assert score_archive(str(folder), out, untrained).before == 7
    assert out.read_bytes() == before


# ---------------------------------------------------------------- resuming, with an engine that needs no model


SHA = "f" * 64


def fake_rows(name: str) -> list[dict]:
    frames = 3 if name.endswith("5.dcm") else 1
    error = UnreadableFileError('It said "no", twice.')
    return [row(name, failed(error, index=frame, model=ModelInfo("model", SHA))) for frame in range(frames)]


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """Forty files, parts of eight, and an engine that makes their rows from nothing."""
    for index in range(40):
        (tmp_path / "files").mkdir(exist_ok=True)
        (tmp_path / "files" / f"{index:02d}.dcm").write_bytes(b"x")
    monkeypatch.setattr(score, "PART_FILES", 8)
    monkeypatch.setitem(ENGINES, "local", lambda files, *_: map(fake_rows, files))
    card = type("Card", (), {"sha256": SHA, "classes": CLASSES})
    monkeypatch.setattr("lungcnn.model.card.load_card", lambda path: card)
    return str(tmp_path / "files")


class KilledError(BaseException):
    pass


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
def test_a_kill_at_any_moment_loses_and_doubles_nothing(fake, tmp_path, monkeypatch, form):
    """The run is stopped before and after every step that changes a file, one step later each time."""
    expected = [one for name in list_files(fake) for one in fake_rows(name)]
    steps = {"replace": Path.replace, "unlink": Path.unlink}
    counter = {"left": 0}

    def guarded(name):
        def step(path, *args, **kwargs):
            if path.name == ".lock":
                return steps[name](path, *args, **kwargs)
            for moment in ("before", "after"):
                counter["left"] -= 1
                if counter["left"] == 0:
                    raise KilledError(name, moment)
                if moment == "before":
                    result = steps[name](path, *args, **kwargs)
            return result

        return step

    for name in steps:
        monkeypatch.setattr(Path, name, guarded(name))
    killed = 0
    for moment in range(1, 200):
        out = tmp_path / f"{moment}.{form}"
        counter["left"] = moment
        try:
            score_archive(fake, out)
        except KilledError:
            killed += 1
            counter["left"] = 0
            score_archive(fake, out)
        else:
            break
        assert rows_of(out) == expected, moment
        assert not out.with_name(f"{out.name}.parts").exists()
    assert killed >= 20
    assert rows_of(out) == expected


def test_new_files_are_added_and_another_model_is_refused(fake, tmp_path, monkeypatch):
    out = tmp_path / "rows.csv"
    score_archive(fake, out)
    (Path(fake) / "99.dcm").write_bytes(b"x")
    scored = score_archive(fake, out)
    assert (scored.files, scored.before, sum(scored.rows.values())) == (41, 40, 49)
    monkeypatch.setattr(
        "lungcnn.model.card.load_card", lambda path: type("Card", (), {"sha256": "e" * 64, "classes": CLASSES})
    )
    with pytest.raises(UsageError, match=r"rows of another model \(ffffffffffff\)"):
        score_archive(fake, out)
    assert len(rows_of(out)) == 49


def test_errors_are_tried_again_on_request(fake, tmp_path, monkeypatch):
    """What an earlier run couldn't read is read now: its old rows go, all others stay as they are."""
    out, readable = tmp_path / "rows.jsonl", {"07.dcm", "15.dcm"}
    score_archive(fake, out)
    tried = []

    def rows(name):
        tried.append(Path(name).name)
        error = None if Path(name).name in readable else UnreadableFileError("Still not.")
        model = ModelInfo("model", SHA)
        return [row(name, failed(error, model=model) if error else SliceReport("ok", model=model))]

    monkeypatch.setitem(ENGINES, "local", lambda files, *_: map(rows, files))
    assert (score_archive(fake, out).before, tried) == (40, [])
    scored = score_archive(fake, out, retry_errors=True)
    assert (scored.before, len(tried)) == (0, 40)
    by_name = {Path(one["file"]).name: one for one in rows_of(out)}
    assert len(by_name) == len(rows_of(out)) == 40, "the three frames of an older row are gone"
    assert {name for name, one in by_name.items() if one["status"] == "ok"} == readable
    tried.clear()
    assert score_archive(fake, out, retry_errors=True).before == 2
    assert len(tried) == 38


def test_names_of_all_kinds_are_listed_read_and_resumed(tmp_path, untrained):
    content = (ROOT / "examples" / "carina-normal.dcm").read_bytes()
    source = tmp_path / "in"
    source.mkdir()
    for name in (b"caf\xe9.dcm", b"b::2.dcm", b"zip::x.dcm", "ä 山.dcm".encode()):
        (source / os.fsdecode(name)).write_bytes(content)
    os.mkfifo(source / "pipe")
    for form in ("parquet", "csv", "jsonl"):
        out = tmp_path / f"rows.{form}"
        scored = score_archive(str(source), out, untrained, workers=1)
        assert scored.rows == {"ok": 4, "error": 1}
        assert {Path(one["file"]).name for one in rows_of(out)} == {
            "caf\\xe9.dcm", "b::2.dcm", "zip::x.dcm", "ä 山.dcm", "pipe",
        }  # fmt: skip
        assert score_archive(str(source), out, untrained).before == 5
    listed = tmp_path / "list.txt"
    listed.write_bytes(os.fsencode(source) + b"/caf\xe9.dcm\n" + os.fsencode(source) + b"/b::2.dcm\n")
    assert score_archive(str(listed), tmp_path / "listed.csv", untrained, workers=1).rows == {"ok": 2}


def test_progress_in_a_log_is_plain_lines(fake, tmp_path, monkeypatch):
    from lungcnn.cli import progress

    monkeypatch.setattr(progress, "EVERY_S", 0)
    result = CliRunner().invoke(main, ["batch", fake, "--out", str(tmp_path / "rows.csv")])
    assert result.exit_code == 0, result.output
    lines = result.stderr.splitlines()
    assert [line.split(",")[0] for line in lines[1:41]] == [f"scoring: {done} of 40 files" for done in range(1, 41)]
    quiet = CliRunner().invoke(main, ["batch", fake, "--out", str(tmp_path / "quiet.csv"), "--quiet"])
    assert quiet.stderr == ""


def test_one_run_at_a_time(fake, tmp_path):
    out = tmp_path / "rows.csv"
    with Parts(out), pytest.raises(UsageError, match="Another run is writing"):
        score_archive(fake, out)
    score_archive(fake, out)
    assert len(rows_of(out)) == 48


def test_a_file_that_is_no_table_is_not_overwritten(fake, tmp_path):
    out = tmp_path / "thesis.csv"
    out.write_text("chapter one\nit was a dark night\n")
    with pytest.raises(UsageError, match="is not a table that this command wrote"):
        score_archive(fake, out)
    assert out.read_text().startswith("chapter one")
    with pytest.raises(UsageError, match=r"Accepted: .parquet \(Parquet\), .csv"):
        score_archive(fake, tmp_path / "rows.xlsx")


def work_of_a_bad_decoder(name: str) -> list[Prepared]:
    if name == "bad":
        os.kill(os.getpid(), signal.SIGSEGV)
    return [Prepared(np.zeros((128, 128), np.float32))]


def test_a_decoder_that_crashes_costs_its_own_file_only():
    names = ["1", "2", "bad", "3", "4"]
    found = dict(decoded(names, 2, work_of_a_bad_decoder))
    assert set(found) == set(names)
    assert [name for name in names if found[name][0].error] == ["bad"]
    assert "ended its process" in str(found["bad"][0].error)
    assert isinstance(found["bad"][0].error, LungCNNError)


def ready() -> None:
    os.environ["LUNGCNN_TEST_READY"] = "yes"


def work_that_needs_a_start(names: list[str]) -> list[str]:
    if "bad" in names:
        os.kill(os.getpid(), signal.SIGKILL)
    return [f"{name} {os.environ.get('LUNGCNN_TEST_READY')}" for name in names]


@pytest.mark.parametrize("count", [1, 3, 40])
def test_files_go_to_processes_by_the_handful_and_come_back_in_order(count):
    names = [str(index) for index in range(count)]
    assert list(in_processes(names, 2, work_that_needs_a_start, ready)) == [(name, f"{name} yes") for name in names]
    assert list(in_processes([], 2, work_that_needs_a_start)) == []


def test_a_crash_costs_none_of_the_files_beside_it():
    names = ["1", "2", "bad", "3", "4", "5"]
    found = dict(in_processes(names, 1, work_that_needs_a_start, ready))
    assert isinstance(found.pop("bad"), UnreadableFileError)
    assert found == {name: f"{name} yes" for name in "12345"}


def test_a_file_that_kills_its_process_is_a_row(monkeypatch, untrained):
    error = UnreadableFileError("Reading the file ended its process.")
    monkeypatch.setattr(local, "in_processes", lambda files, *_: [(name, error) for name in files])
    ((found,),) = local.judge_locally(["a.dcm"], untrained, 1, None)
    assert (found["file"], found["status"], found["message"]) == ("a.dcm", "error", str(error))
    assert found["model_sha256"] == load_card(untrained).sha256
    assert found["sop_instance_uid"] is None


def test_a_model_that_needs_keras_is_opened_once(folder, expected, untrained, tmp_path, monkeypatch):
    """It gives the same rows, judged here in batches."""
    for file in (untrained, card_path(untrained)):
        shutil.copy(file, tmp_path)
    monkeypatch.setattr(local, "BATCH", 2)
    out = tmp_path / "rows.csv"
    score_archive(str(folder), out, tmp_path / untrained.name, workers=1)
    assert_same(rows_of(out), expected)


def test_errors_travel_between_processes_whatever_they_are_made_of():
    import pickle

    class OddError(LungCNNError):
        def __init__(self, message, code):
            super().__init__(message)
            self.code = code

    globals()["OddError"], OddError.__qualname__ = OddError, "OddError"
    for error in (UnreadableFileError("Gone."), OddError("Odd.", "odd_code")):
        back = pickle.loads(pickle.dumps(Prepared(None, error=error))).error  # noqa: S301
        assert (type(back), str(back), back.code) == (type(error), str(error), error.code)


@pytest.mark.slow
def test_a_real_kill(untrained, tmp_path):
    """SIGKILL in the middle of a run as a program; nothing of it stays behind, and the next run completes."""
    slice_, source = (ROOT / "examples" / "carina-normal.dcm").read_bytes(), tmp_path / "many"
    source.mkdir()
    for index in range(60):
        (source / f"{index:02d}.dcm").write_bytes(slice_)
    out = tmp_path / "rows.jsonl"
    code = (
        "from lungcnn import cli\nfrom lungcnn.serving.archive import score\nscore.PART_FILES = 4\n"
        "if __name__ == '__main__': cli.main()"
    )
    (tmp_path / "program.py").write_text(code)
    command = [
        sys.executable,
        tmp_path / "program.py",
        "batch",
        source,
        "--out",
        out,
        "--model",
        untrained,
        "--workers",
        "1",
    ]
    run = subprocess.Popen(
        [str(word) for word in command], env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True
    )
    parts = out.with_name("rows.jsonl.parts")
    deadline = time.monotonic() + 120
    while not list(parts.glob("part-*")) and time.monotonic() < deadline:
        time.sleep(0.005)
    run.send_signal(signal.SIGKILL)
    run.wait()
    kept = len(list(parts.glob("part-*")))
    assert kept >= 1
    assert not out.exists(), "it was stopped before its end"
    scored = score_archive(str(source), out, untrained, workers=1)
    assert scored.before == 4 * kept
    assert [json.loads(line)["file"] for line in out.read_text().splitlines()] == list_files(str(source))
    for _ in range(100):  # its processes see that it is gone
        if not group(run.pid):
            break
        time.sleep(0.1)
    assert group(run.pid) == []


def group(leader: int) -> list[int]:
    """Processes of a process group that still live."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, member = entry.read_text().rsplit(")", 1)[1].split()[:3]
        except OSError:
            continue
        if int(member) == leader and state != "Z":
            found.append(int(entry.parent.name))
    return found


@pytest.mark.slow
def test_the_ray_engine_gives_the_same_rows(folder, expected, untrained, tmp_path):
    ray = pytest.importorskip("ray", reason="needs the optional extra ray")
    try:
        scored = score_archive(str(folder), tmp_path / "rows.parquet", untrained, engine="ray", workers=1)
    finally:
        ray.shutdown()
    assert_same(rows_of(tmp_path / "rows.parquet"), expected)
    assert scored.rows == {"ok": 4, "refused": 1, "error": 3}


def test_without_ray_it_is_said(folder, untrained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'ray\[data\]'"):
        score_archive(str(folder), tmp_path / "rows.parquet", untrained, engine="ray")


def test_the_command(fake, tmp_path):
    out = tmp_path / "rows.csv"
    result = CliRunner().invoke(main, ["batch", fake, "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{out}\n"
    assert "40 files; rows: 48 error" in result.stderr
    again = CliRunner().invoke(main, ["batch", fake, "--out", str(out), "--quiet"])
    assert (again.exit_code, again.stderr) == (0, "")
    for arguments, message in (
        (["batch", fake], "Missing option '--out'"),
        (["batch", fake, "--out", "x.csv", "--address", "auto"], "--address belongs to --engine ray"),
        (["batch", "/nowhere", "--out", "x.csv"], "There is nothing at /nowhere"),
    ):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 2
        assert message in result.output


def test_uids_are_those_that_the_file_states(folder, expected):
    import pydicom

    (one,) = (row for row in expected if row["file"].endswith("/carina-normal.dcm"))
    header = pydicom.dcmread(one["file"], stop_before_pixels=True)
    assert (one["series_instance_uid"], one["sop_instance_uid"]) == (header.SeriesInstanceUID, header.SOPInstanceUID)
