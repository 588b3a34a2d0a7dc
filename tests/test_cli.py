import json
import re
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import ROOT, dicom_bytes

from lungcnn import __version__
from lungcnn.cli import main
from lungcnn.phantoms.bundled import BUNDLED
from lungcnn.reading.loading import load_slice
from lungcnn.reading.uids import stated_uids

EXAMPLES = ROOT / "examples"


@pytest.fixture
def run(untrained):
    """Run a command with the untrained model; gives click's result."""

    def call(*arguments):
        return CliRunner().invoke(main, [str(a) for a in arguments], env={"LUNGCNN_MODEL": str(untrained)})

    return call


def records(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_json_is_one_object_a_slice_and_nothing_else(run):
    file = EXAMPLES / "carina-normal.dcm"
    result = run("predict", "--json", file, EXAMPLES / "carina-normal.png")
    assert result.exit_code == 0, result.output
    first, second = records(result)
    assert (first["file"], first["index"], first["status"]) == (str(file), 0, "ok")
    assert second["warnings"][0]["code"] == "assumed_window"
    assert second["warnings"][0]["message"].endswith(".")
    assert {"deletion_auc", "insertion_auc", "better_than_random"} < set(first["explanation"]["faithfulness"])


def test_bad_files_get_a_record_and_do_not_stop_the_rest(run, tmp_path):
    text, head = tmp_path / "note.txt", tmp_path / "empty.dcm"
    text.write_text("not a slice")
    head.write_bytes(dicom_bytes(np.full((64, 64), 24, np.uint16)))  # nothing but air
    result = run("predict", "--json", text, tmp_path / "missing", head, EXAMPLES / "apex-normal.dcm")
    assert result.exit_code == 3
    assert [r["status"] for r in records(result)] == ["error", "error", "refused", "ok"]
    for record in records(result)[:3]:
        assert record["prediction"] is record["probabilities"] is None
        assert record["reasons"][0]["code"]
        assert record["reasons"][0]["message"].endswith(".")


def test_folders_are_searched_and_other_files_in_them_skipped(run, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b").write_bytes((EXAMPLES / "carina-normal.dcm").read_bytes())
    (tmp_path / "a.png").write_bytes((EXAMPLES / "carina-normal.png").read_bytes())
    (tmp_path / "readme.txt").write_text("skipped")
    result = run("predict", "--json", "--no-checks", tmp_path)
    assert result.exit_code == 0
    assert [r["file"] for r in records(result)] == [str(tmp_path / "a.png"), str(tmp_path / "deep" / "b")]
    assert records(result)[0]["explanation"]["faithfulness"] is None


def test_overlay_and_heatmap_files(run, tmp_path):
    out, maps = tmp_path / "o", tmp_path / "m"
    two = tmp_path / "copy" / "carina-normal.dcm"
    two.parent.mkdir()
    two.write_bytes((EXAMPLES / "carina-normal.dcm").read_bytes())
    frames = np.stack([load_slice(two).hu + 1024] * 2).astype(np.int16)
    (tmp_path / "multi.dcm").write_bytes(dicom_bytes(frames))
    arguments = ("--overlay", out, "--heatmap", maps, "--explain-class", "malignant", "--no-checks", "--quiet")
    result = run("predict", EXAMPLES / "carina-normal.dcm", two, tmp_path / "multi.dcm", *arguments)
    assert result.exit_code == 0, result.output
    names = {"carina-normal", "carina-normal-2", "multi-frame0", "multi-frame1"}
    assert {path.stem for path in out.iterdir()} == {path.stem for path in maps.iterdir()} == names
    import cv2

    assert cv2.imread(str(out / "multi-frame1.png")).shape == (512, 512, 3)
    heat = np.load(maps / "carina-normal.npy")
    assert (heat.shape, heat.dtype) == ((512, 512), np.float32)


def test_text_output_names_class_and_probabilities(run):
    result = run("predict", EXAMPLES / "apex-normal.dcm", "--no-checks")
    assert result.exit_code == 0
    assert re.search(r"\t(Flagged as suspicious|Not flagged|Undecided): malignant \d+ % .*\tnormal 0\.", result.stdout)
    assert re.search(r"\t(In the prediction set: \w+|All classes .* abstains\.)", result.stdout)
    assert "normal 0." in result.stdout
    assert "Not a medical device" in result.stderr
    assert "Not a medical device" not in run("predict", EXAMPLES / "apex-normal.dcm", "--no-checks", "--quiet").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predikt"], "Did you mean 'predict'"),
        (["predict"], "Missing argument"),
        (["predict", "x", "--jsn"], "Did you mean.*--json"),
        (["predict", "x", "--method", "cam"], "Accepted: grad-cam, hires-cam"),
        (["predict", "x", "--explain-class", "sick"], "Accepted: normal, benign, malignant"),
        (["predict", "x", "--model", "nothing.keras"], "There is no model at nothing.keras"),
        (["predict", "tests"], "holds no DICOM files or pictures"),
        (["train", "nowhere", "--out", "o"], "There is no folder nowhere. Get the IQ-OTH/NCCD"),
        (["train", "nowhere", "--out", "o", "--folds", "1"], "One fold leaves nothing"),
        (
            ["train", "nowhere", "--out", "o", "--folds", "0", "--leaky"],
            "--localization measure on folds",
        ),
        (["train", "nowhere"], "Missing option '--out'"),
        (["predict", "x", "--signed"], "give --overlay FOLDER as well"),
        (["predict", "x", "--contour", "0"], "give --overlay FOLDER as well"),
        (["evaluate", "x", "--localization", "--figures", "f"], "have no part in --localization"),
        (["evaluate", "x", "--localization", "--no-leak-guard"], "have no part in --localization"),
        (["adopt", "x.keras", "--classes", "a,b", "--split", "dev"], "belong to --calibrate"),
    ],
)
def test_wrong_usage_is_status_2_with_help(run, arguments, message, monkeypatch):

    monkeypatch.chdir(ROOT)
    result = run(*arguments)
    assert result.exit_code == 2
    assert re.search(message, re.sub(r"\s+", " ", result.output)), result.output
    assert "Traceback" not in result.output


def test_train_writes_a_model_that_predict_uses(run, miniature, tmp_path):
    out = tmp_path / "models"
    arguments = ("--cases", miniature / "cases.csv", "--epochs", 1, "--folds", 0)
    stale = [out / name for name in ("MODEL_CARD.md", "evaluation.json")]
    out.mkdir()
    for path in stale:
        path.write_text("of an earlier run with folds")
    result = run("train", miniature, "--out", out, *arguments)
    assert result.exit_code == 0, result.output
    assert "18 slices to learn from" in result.stderr
    model = out / "cancer_classification_model.keras"
    assert result.stdout.strip() == str(model)
    predicted = run("predict", "--json", "--no-checks", "--model", model, EXAMPLES / "apex-normal.dcm")
    assert records(predicted)[0]["prediction_set"] is None, "without folds there is nothing to calibrate on"
    assert not any(path.exists() for path in stale)


def test_examples_command_writes_the_phantoms(run, tmp_path):
    result = run("examples", "--out", tmp_path)
    assert result.exit_code == 0
    assert len(list(tmp_path.glob("*.dcm"))) == len(BUNDLED)
    assert len(result.stderr.splitlines()) == len(list(tmp_path.iterdir()))


@pytest.mark.parametrize(
    "command",
    [[], ["predict"], ["train"], ["adopt"], ["evaluate"], ["cases"], ["examples"], ["benchmark"], ["batch"], ["pacs"]],
)
def test_help(run, command):
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Usage: " in result.output


def test_help_names_every_method(run):

    from lungcnn.explaining.methods import METHODS

    text = re.sub(r"\s+", " ", run("predict", "--help").output).replace("-cam, ", "-cam, ")
    assert f"Explanation method: {', '.join(METHODS)}." in text.replace("score- cam", "score-cam")


def test_version(run):
    assert run("--version").output == f"lungcnn, version {__version__}\n"


def test_help_and_wrong_usage_do_not_wait_for_tensorflow():
    code = "import sys; from lungcnn.cli import main\ntry: main({arguments})\nexcept SystemExit: pass\n"
    code += "assert 'tensorflow' not in sys.modules and 'cv2' not in sys.modules"
    for arguments in (["--help"], ["predict", "--help"], ["predict"], ["train", "nowhere"]):
        subprocess.run(
            [sys.executable, "-c", code.format(arguments=arguments)], cwd=ROOT, check=True, capture_output=True
        )


def test_as_a_program_nothing_but_json_on_stdout_and_nothing_on_stderr(untrained):
    command = [sys.executable, "-m", "lungcnn", "predict", "--json", "--quiet", "--model", str(untrained)]
    done = subprocess.run(
        [*command, "examples/apex-normal.dcm", "README.md"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["ok", "error"]
    assert done.stderr == ""


@pytest.mark.slow
def test_benchmark_prints_every_figure_of_the_contract(run, tmp_path):
    code = (
        "import sys; from lungcnn.cli import main; main(['benchmark', '--runs', '5', '--memory-calls', '50', "
        "'--cold-starts', '1', '--json', sys.argv[1], '--model', sys.argv[2]])"
    )
    model = ROOT / "models" / "cancer_classification_model.keras"
    file = tmp_path / "b.json"
    # In a process of its own: it binds TensorFlow to one core.
    done = subprocess.run(
        [sys.executable, "-c", code, file, model], cwd=ROOT, capture_output=True, text=True, check=True
    )
    figures = json.loads(file.read_text())
    assert set(figures["ratios"]) == {
        "explain_over_forward",
        "checks_over_forward",
        "tf_keras_vis_over_explain",
        "series_over_floor",
        "page_over_bare_gradio",
        "first_result_over_import",
        "first_answer_over_tensorflow",
        "memory_over_tensorflow",
        "forward_over_tensorflow",
    }
    assert set(figures["seconds"]) == {"first_answer_s", "result_after_page_s"}
    low, high = figures["spread"]["page_over_bare_gradio"]
    assert low == high == pytest.approx(figures["ratios"]["page_over_bare_gradio"], abs=0.006), "of one round"
    assert figures["ratios"]["series_over_floor"] < 2, "about 1; target 1.3, more on a busy machine"
    assert set(figures["medians_ms"]) == {
        "read_dicom",
        "read_png",
        "crop",
        "model",
        "render",
        "file_to_overlay",
        "checks",
    }
    assert all(value > 0 for value in [*figures["ratios"].values(), *figures["medians_ms"].values()])
    assert sum(figures["shares"].values()) == pytest.approx(1, abs=0.01)
    assert "file_to_overlay" in done.stdout


# ---------------------------------------------------------------- odd inputs and outputs: a sentence, the rest goes on


@pytest.fixture
def slices(tmp_path):
    """A folder with good slices of awkward names: two of one name, a UID, one that isn't UTF-8."""
    import os

    folder = tmp_path / "in"
    content = (EXAMPLES / "carina-normal.dcm").read_bytes()
    for name in (b"A/IM-2", b"B/IM", b"C/IM", b"1.2.3.4", b"1.2.3.5", b"caf\xe9.dcm", b"x" * 255):
        path = folder / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def test_every_slice_has_an_overlay_of_its_own_which_its_record_names(run, slices, tmp_path):
    result = run("predict", "--json", "--no-checks", "--overlay", tmp_path / "o", slices)
    assert result.exit_code == 0, result.output
    written = [record["written"] for record in records(result)]
    assert all(len(paths) == 1 for paths in written)
    assert len({path for (path,) in written}) == len(list((tmp_path / "o").iterdir())) == 7
    assert json.loads(result.stdout_bytes.splitlines()[0].decode("utf-8"))
    assert any(record["file"].endswith("caf\\xe9.dcm") for record in records(result))


def test_names_that_are_not_utf8_under_strict_utf8(untrained, slices):
    command = [sys.executable, "-m", "lungcnn", "predict", "--no-checks", "--quiet", "--model", str(untrained)]
    for more in ([], ["--json"], ["--series"]):
        done = subprocess.run(
            [*command, *more, str(slices)], cwd=ROOT, capture_output=True, check=False,
            env={**__import__("os").environ, "PYTHONIOENCODING": "utf-8:strict"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "caf" in done.stdout.decode("utf-8") or more == ["--series"]


def test_paths_from_standard_input_and_globs(untrained):
    names = [str(EXAMPLES / "apex-normal.dcm"), str(EXAMPLES / "carina-normal.dcm")]
    result = CliRunner().invoke(
        main, ["predict", "--json", "--no-checks", "-"], env={"LUNGCNN_MODEL": str(untrained)}, input="\n".join(names)
    )
    assert [record["file"] for record in records(result)] == names
    result = CliRunner().invoke(
        main, ["predict", "--json", "--no-checks", str(EXAMPLES / "[ac]*-normal.dcm")],
        env={"LUNGCNN_MODEL": str(untrained)},
    )  # fmt: skip
    assert set(names) <= {record["file"] for record in records(result)}
    empty = CliRunner().invoke(main, ["predict", "-"], input="\n")
    assert empty.exit_code == 2
    assert "names none" in empty.output
    result = CliRunner().invoke(  # as `find -print0` writes them
        main, ["predict", "--json", "--no-checks", "-"], env={"LUNGCNN_MODEL": str(untrained)},
        input="".join(name + "\0" for name in names),
    )  # fmt: skip
    assert [record["file"] for record in records(result)] == names
    none = CliRunner().invoke(main, ["predict", "--json", "nothing-*.dcm"], env={"LUNGCNN_MODEL": str(untrained)})
    assert records(none)[0]["reasons"][0]["message"].startswith("There is no such file")


def test_pipes_devices_and_archives_are_told_and_the_rest_goes_on(run, tmp_path):
    import os
    import zipfile

    os.mkfifo(tmp_path / "pipe")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(EXAMPLES / "apex-normal.dcm", "a.dcm")
    good = EXAMPLES / "apex-normal.dcm"
    result = run("predict", "--json", "--no-checks", tmp_path / "pipe", "/dev/zero", tmp_path / "x.zip", good)
    assert result.exit_code == 3
    told = [(record["status"], *(reason["message"] for reason in record["reasons"])) for record in records(result)]
    assert [status for status, *_ in told] == ["error", "error", "error", "ok"]
    assert "a pipe or a device" in told[0][1]
    assert "a pipe or a device" in told[1][1]
    assert "--series" in told[2][1]
    series = run("predict", "--series", "--json", tmp_path / "pipe", "/dev/zero", good)
    assert [record["slices"][0]["file"] for record in records(series)] == [str(good)]


def test_text_says_the_warnings_that_json_says(run):
    (record,) = records(run("predict", "--json", "--no-checks", EXAMPLES / "carina-normal.png"))
    text = run("predict", "--no-checks", EXAMPLES / "carina-normal.png").stdout
    assert record["warnings"]
    assert all(warning["message"] in text for warning in record["warnings"])


def test_a_slice_that_nobody_foresaw_is_one_record(run, monkeypatch):
    from lungcnn import pipeline as module

    prepare_slice, seen = module.prepare_slice, []

    def fails_once(ct_slice):
        seen.append(ct_slice)
        if len(seen) == 1:
            raise ZeroDivisionError("PATIENT^NAME")
        return prepare_slice(ct_slice)

    monkeypatch.setattr(module, "prepare_slice", fails_once)
    result = run("predict", "--json", "--no-checks", EXAMPLES / "apex-normal.dcm", EXAMPLES / "carina-normal.dcm")
    first, second = records(result)
    assert (first["status"], first["reasons"][0]["code"], second["status"]) == ("error", "judging", "ok")
    assert "PATIENT" not in result.output


@pytest.mark.parametrize("what", [("--no-checks", "--quiet", "examples/apex-normal.dcm"), ("--help",)])
def test_a_full_standard_output_is_one_sentence(untrained, what):
    command = [sys.executable, "-m", "lungcnn", "predict", "--model", str(untrained)]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*command, *what],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "Error: Results can't be written: No space left on device. Make room, and start again.\n"


def test_usage_is_shown_for_wrong_usage_alone(run, tmp_path):
    assert "Usage: " in run("predict", EXAMPLES / "apex-normal.dcm", "--method", "cam").output
    model = run("predict", EXAMPLES / "apex-normal.dcm", "--model", tmp_path / "none.keras")
    assert (model.exit_code, "Usage: " in model.output) == (2, False)


def test_series_are_named_in_text_and_say_why_they_were_refused(run, tmp_path):
    abdomen, picture = EXAMPLES / "abdomen-refused.dcm", EXAMPLES / "carina-normal.png"
    result = run("predict", "--series", "--no-checks", "--quiet", abdomen, picture)
    assert result.exit_code == 3
    uid, name = stated_uids(abdomen)[0], str(picture)
    lines = {line.split("\t")[0]: line for line in result.stdout.splitlines()}
    assert set(lines) == {uid, name}
    assert "\t1 slice, 0 judged\tNo slice of the series could be judged" in lines[uid]
    assert re.search(r"The first: \w.*lung", lines[uid])


@pytest.mark.parametrize("uid", ["MARKER\tx", "1.2\n3", ""])
def test_what_is_no_uid_names_no_series(run, tmp_path, uid):
    stored = (load_slice(EXAMPLES / "carina-normal.dcm").hu + 1024).astype(np.int16)
    (tmp_path / "a.dcm").write_bytes(dicom_bytes(stored, SeriesInstanceUID=uid))
    result = run("predict", "--series", "--no-checks", "--quiet", tmp_path / "a.dcm")
    assert result.stdout.startswith(f"{tmp_path / 'a.dcm'}\t1 slice, 1 judged\t")


@pytest.mark.parametrize("command", ["evaluate", "benchmark"])
@pytest.mark.parametrize("place", ["file/x.json", "models"])
def test_a_file_of_figures_is_checked_before_the_work(run, tmp_path, command, place):
    (tmp_path / "file").write_text("")
    path = ROOT / "models" / "evaluation.json" if place == "models" else tmp_path / place
    before = (ROOT / "models" / "evaluation.json").read_bytes()
    dataset = ["nowhere"] if command == "evaluate" else []
    result = run(command, *dataset, "--json", path)
    assert result.exit_code == 2
    said = " ".join(result.output.split())
    assert ("ships with lungcnn" if place == "models" else "is not a folder. Name another") in said
    assert (ROOT / "models" / "evaluation.json").read_bytes() == before


def test_figures_are_not_drawn_where_nothing_can_be_written(run, tmp_path):
    (tmp_path / "file").write_text("")
    result = run("evaluate", "nowhere", "--figures", tmp_path / "file" / "deeper")
    assert result.exit_code == 2
    assert "is not a folder. Name another" in " ".join(result.output.split())


def test_a_disc_is_judged_without_its_index(run, tmp_path):
    (tmp_path / "IM1").write_bytes((EXAMPLES / "apex-normal.dcm").read_bytes())
    (tmp_path / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    result = run("predict", "--json", "--no-checks", tmp_path)
    assert (result.exit_code, [record["file"] for record in records(result)]) == (0, [str(tmp_path / "IM1")])


def test_a_name_that_is_too_long_is_a_record(run):
    good = EXAMPLES / "apex-normal.dcm"
    result = run("predict", "--json", "--no-checks", "x" * 300, good)
    assert (result.exit_code, [record["status"] for record in records(result)]) == (3, ["error", "ok"])
    result = run("predict", "--series", "--json", "--no-checks", "x" * 300, good)
    assert (result.exit_code, len(records(result))) == (3, 1)
    assert "File name too long" in result.stderr


def test_files_of_one_name_in_two_archives_have_their_own_uids(run, tmp_path):
    import zipfile

    place = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "SeriesInstanceUID": "1.2.3"}
    for z in (0, 5):
        content = dicom_bytes(np.full((64, 64), z, np.uint16), ImagePositionPatient=[0, 0, z], **place)
        with zipfile.ZipFile(tmp_path / f"{z}.zip", "w") as archive:
            archive.writestr("IM1", content)
        (tmp_path / f"{z}.dcm").write_bytes(content)
    expected = [stated_uids(tmp_path / f"{z}.dcm")[1] for z in (0, 5)]
    assert len(set(expected)) == 2
    (record,) = records(run("predict", "--series", "--json", tmp_path / "0.zip", tmp_path / "5.zip"))
    assert [one["sop_instance_uid"] for one in record["slices"]] == expected


def test_names_steer_no_terminal_and_stay_on_a_line(run, tmp_path):
    file = tmp_path / "a\nb\x1b[31m ü\u2028.dcm"
    file.write_bytes((EXAMPLES / "apex-normal.dcm").read_bytes())
    shown = f"{tmp_path}/a\\nb\\x1b[31m ü\\u2028.dcm"
    for more in ([], ["--series"]):
        text = run("predict", "--no-checks", "--quiet", *more, file).stdout
        assert text.count("\n") == 1
        assert shown in text
    assert json.loads(run("predict", "--no-checks", "--json", file).stdout)["file"] == str(file)
