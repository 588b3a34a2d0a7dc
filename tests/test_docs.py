"""README and docs hold to what they say: figures are those of the JSON files, commands run, links lead somewhere."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import write_docs
from conftest import ROOT
from measurements import measured
from write_docs import PAGES, generated

README = ROOT / "README.md"
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
DATASET = "The IQ-OTHNCCD lung cancer dataset"
ELSEWHERE = {
    "pip install -r requirements.txt && python -m demo": "test_browser.py, and .ci/run installs",
    "pip install -r requirements.txt && python -m pytest": ".ci/run",
    "python -m lungcnn pacs --url https://pacs.example/dicom-web --study 1.2.840.113619.2.55 --dry-run": "test_pacs.py",
    "python -m lungcnn examples --download": "test_real_examples.py",
    'python -m lungcnn batch "My study" --out results-by-ray.parquet --engine ray': "test_archive.py",
    f'python -m lungcnn evaluate "{DATASET}" --split test': "needs the whole dataset; test_evaluation.py",
    'python -m lungcnn adopt theirs.keras --classes normal,benign,malignant --trained-on "our own slices, 2024"': (
        "test_adopting.py"
    ),
    "python -m lungcnn predict examples --model theirs.keras": "test_adopting.py",
    f'LUNGCNN_DATASET="{DATASET}" jupyter execute lung_cancer.ipynb': "test_notebook.py",
}


def blocks(language: str) -> list[str]:
    return [block for text in TEXTS.values() for block in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)]


def lines(language: str) -> list[str]:
    return [line for block in blocks(language) for line in block.splitlines()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_generated_parts_are_what_the_measured_figures_give(page):
    assert generated(TEXTS[page]) == TEXTS[page], "run: python tools/write_docs.py"
    assert TEXTS[page].count("<!-- generated: ") == TEXTS[page].count("<!-- end -->")


def test_findings_were_measured_with_the_model_that_ships():
    card = json.loads((ROOT / "models" / "cancer_classification_model.json").read_text(encoding="utf-8"))
    assert measured("findings")["model"] == card["sha256"]


def test_every_generated_part_is_shown_once():
    named = sorted(re.findall(r"<!-- generated: (\w+) -->", "".join(TEXTS.values())))
    assert len(named) == 16
    assert named == sorted(set(named))
    assert all(callable(getattr(write_docs, name)) for name in named)


def test_the_readme_is_short_and_leads_to_every_page():
    assert README.stat().st_size <= 10 * 1024
    linked = {(ROOT / target).resolve() for target in links(TEXTS[README])}
    assert set(PAGES) - {README} <= linked


def test_leaky_figures_are_called_so():
    for text in (TEXTS[README], TEXTS[ROOT / "docs" / "figures.md"]):
        assert "| *Leaky*: slices split at random |" in text


@pytest.mark.slow
def test_every_command_runs(miniature, tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for name in (DATASET, "My slices"):
        (tmp_path / name).symlink_to(miniature)
    (tmp_path / "My study").mkdir()
    for name in ("arch-spiculated-mass.dcm", "carina-normal.dcm"):
        (tmp_path / "My study" / name).symlink_to(ROOT / "examples" / name)
    commands = [line for line in dict.fromkeys(lines("sh")) if line not in ELSEWHERE]
    assert len(commands) >= 11
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
    codes = [block for block in blocks("python") if "gradio_client" not in block]  # that one: test_server.py
    assert len(codes) == 2
    for code in codes:
        exec(compile(code, "README.md", "exec"), {})  # noqa: S102
        assert "malignant" in capsys.readouterr().out


def links(text: str) -> list[str]:
    """The relative targets of a page's links, without anchors."""
    return [target for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) if "://" not in target]


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "page", [*PAGES, *sorted((ROOT / "models").glob("*.md"))], ids=lambda page: str(page.relative_to(ROOT))
)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in links(text):
        assert (page.parent / target).exists(), target
    for target, anchor in re.findall(r"\]\(([^)#]*)#([^)]+)\)", text):
        there: Path = page.parent / target if target else page
        assert anchor in anchors(there.read_text(encoding="utf-8")), f"{target}#{anchor}"
