"""What `pip install .` gives works from an empty folder: model, examples and citation are in the wheel."""

import json
import os
import re
import site
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT
from demo_process import Demo


def run(*command, status: int = 0, **options) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **options)
    assert done.returncode == status, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    run(*pip, "--wheel-dir", folder, ROOT)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def programs(wheel, tmp_path_factory) -> Path:
    """The programs of a fresh environment with the wheel in it; its dependencies are those of the tests."""
    environment = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "of-the-tests.pth").write_text("\n".join(site.getsitepackages()))
    python = environment / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    return python.parent


@pytest.fixture
def elsewhere(tmp_path) -> dict:
    """An empty folder to work in, where nothing leads to the checkout."""
    return {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": "", "LUNGCNN_MODEL": ""}}


@pytest.mark.slow
def test_it_holds_the_package_and_what_ships_with_it(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    tracked = run("git", "ls-files", "lungcnn", "demo", "examples", cwd=ROOT).splitlines()
    places = {"demo": "lungcnn_demo", "lungcnn": "lungcnn", "examples": "lungcnn/shipped_files/examples"}
    parts = [name.partition("/") for name in tracked]
    ship = {f"{places[top]}/{rest}" for top, _, rest in parts}
    assert ship - held == {"lungcnn_demo/screenshot.png", "lungcnn_demo/screenshot.py"}
    assert {"lungcnn/shipped_files/CITATION.cff", "lungcnn/shipped_files/models/MODEL_CARD.md"} < held
    assert not [name for name in held if name.startswith(("tests", "tools", "docs", "demo"))]


@pytest.mark.slow
def test_predict_and_examples(programs, elsewhere, tmp_path):
    run(programs / "lungcnn", "examples", "--out", "examples", **elsewhere)
    where = run(programs / "python", "-c", "import lungcnn; print(lungcnn.shipped_file('examples'))", **elsewhere)
    shipped = Path(where.strip())
    assert programs.parent in shipped.parents
    assert {file.name: file.read_bytes() for file in shipped.iterdir()} == {
        file.name: file.read_bytes() for file in (tmp_path / "examples").iterdir()
    }
    said = run(programs / "lungcnn", "predict", shipped / "arch-spiculated-mass.dcm", "--json", **elsewhere)
    record = json.loads(said)
    card = json.loads((ROOT / "models" / "cancer_classification_model.json").read_text())
    assert (record["prediction"], record["model"]["sha256"]) == ("malignant", card["sha256"])


@pytest.mark.slow
def test_without_gradio_the_demo_says_what_to_install(programs, elsewhere, tmp_path):
    hidden = (
        "import sys, importlib.util as u; old = u.find_spec; u.find_spec = lambda n: n != 'gradio' and old(n) or None"
    )
    code = f"{hidden}; from lungcnn_demo.__main__ import main; main([])"
    done = subprocess.run([programs / "python", "-c", code], capture_output=True, text=True, check=False, **elsewhere)
    assert done.returncode == 1
    assert 'pip install ".[demo]", in a copy of the repository, brings it.' in done.stderr


@pytest.mark.slow
def test_the_demo(programs, elsewhere, tmp_path):
    import httpx

    with Demo(tmp_path / "home", command=(programs / "lungcnn-demo",), **elsewhere) as demo:
        page = httpx.get(demo.url, timeout=60).text
        assert httpx.get(f"{demo.url}/healthz", timeout=60).status_code in (200, 503)
        worker = Path(f"/proc/{demo.process.pid}/task/{demo.process.pid}/children").read_text().split()
        assert any(b"lungcnn_demo.worker" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in worker)
    for expected in ("Spiculated mass, right upper lobe", "Abdomen (is refused)", "The lungcnn developers"):
        assert expected in page


def test_requirements_are_the_dependencies_and_the_extras():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = re.findall(r"^[a-z].*$", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    extras = project["optional-dependencies"]
    assert requirements == project["dependencies"] + extras["demo"] + extras["train"] + extras["dev"]
