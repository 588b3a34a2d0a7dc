"""The README holds to what it says: its figures come from `models/`, and its commands run."""

import os
import re
import shlex
import subprocess
import sys

import pytest
from conftest import ROOT
from write_readme import README, generated

TEXT = README.read_text(encoding="utf-8")
DATASET = "The IQ-OTHNCCD lung cancer dataset"
ELSEWHERE = {
    "pip install -r requirements.txt && python -m demo": "test_demo_browser.py, and .ci/run installs",
    "pip install -r requirements.txt && python -m pytest": ".ci/run",
    "python -m lungcnn pacs --url https://pacs.example/dicom-web --study 1.2.840.113619.2.55 --dry-run": "test_pacs.py",
    "python -m lungcnn examples --download": "test_downloads.py",
    'python -m lungcnn batch "My study" --out results-by-ray.parquet --engine ray': "test_archive.py",
    f'LUNGCNN_DATASET="{DATASET}" jupyter execute lung_cancer.ipynb': "test_notebook.py",
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_generated_parts_are_what_the_models_figures_give():
    assert generated(TEXT) == TEXT, "run: python tools/write_readme.py"
    assert TEXT.count("<!-- generated: ") == TEXT.count("<!-- end -->") == 11
    assert "LEAKY" in TEXT.upper().split("## FIGURES")[1]


@pytest.mark.slow
def test_every_command_runs(miniature, tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for name in (DATASET, "My slices"):
        (tmp_path / name).symlink_to(miniature)
    (tmp_path / "My study").mkdir()
    for name in ("arch-spiculated-mass.dcm", "carina-normal.dcm"):
        (tmp_path / "My study" / name).symlink_to(ROOT / "examples" / name)
    commands = [line for block in blocks("sh") for line in block.splitlines() if line not in ELSEWHERE]
    assert len(commands) >= 9
    # A miniature dataset needs its own case list and has three folds; the rest is as written.
    shorter = {
        "train": ["--cases", str(miniature / "cases.csv"), "--folds", "3", "--epochs", "1"],
        "benchmark": ["--runs", "5", "--memory-calls", "20", "--cold-starts", "0"],
    }
    for command in commands:
        program, *words = shlex.split(command)
        assert (program, words[:2]) == ("python", ["-m", "lungcnn"]), command
        done = subprocess.run(
            [sys.executable, *words, *shorter.get(words[2], [])],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        refused = words[2:4] == ["predict", "examples"]  # the abdomen among them
        assert done.returncode == (3 if refused else 0), f"{command}\n{done.stderr}"
    assert (tmp_path / "my-model" / "evaluation.json").exists()
    assert len(list((tmp_path / "overlays").iterdir())) == len(list((tmp_path / "examples").iterdir())) - 1
    assert (tmp_path / "phantoms" / "apex-normal.dcm").exists()
    assert (tmp_path / "results.parquet").exists()
    assert len(list((tmp_path / "results").iterdir())) == 6


def test_the_python_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    (code,) = [block for block in blocks("python") if "gradio_client" not in block]  # that one: test_server.py
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102
    assert "malignant" in capsys.readouterr().out


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (ROOT / target).exists(), target
    headings = {
        re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in re.findall(r"^## (.+)$", TEXT, re.M)
    }
    for anchor in re.findall(r"\]\(#([^)]+)\)", TEXT):
        assert anchor in headings, anchor
