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
    assert re.search(r"\t(Can't be ruled out: \w+( or \w+)?|None of the three .* abstains)\.$", result.stdout, re.M)
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
    result = run("train", miniature, "--out", out, *arguments)
    assert result.exit_code == 0, result.output
    assert "18 slices to learn from" in result.stderr
    model = out / "cancer_classification_model.keras"
    assert result.stdout.strip() == str(model)
    predicted = run("predict", "--json", "--no-checks", "--model", model, EXAMPLES / "apex-normal.dcm")
    assert records(predicted)[0]["prediction_set"] is None, "without folds there is nothing to calibrate on"
    assert not (out / "evaluation.json").exists()


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
    }
    assert figures["ratios"]["series_over_floor"] < 2, "about 1; target 1.3, more on a busy machine"
    assert set(figures["medians_ms"]) == {"read_dicom", "read_png", "crop", "model", "render", "file_to_overlay"}
    assert all(value > 0 for value in [*figures["ratios"].values(), *figures["medians_ms"].values()])
    assert sum(figures["shares"].values()) == pytest.approx(1, abs=0.01)
    assert "file_to_overlay" in done.stdout
