import os

import nbformat
import pytest
from conftest import ROOT

NOTEBOOK = ROOT / "lung_cancer.ipynb"


def test_it_is_committed_without_outputs():
    notebook = nbformat.read(NOTEBOOK, 4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert 12 <= len(notebook.cells) <= 18
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


@pytest.mark.slow
def test_it_runs_from_top_to_bottom(miniature, tmp_path, monkeypatch):
    from nbclient import NotebookClient

    settings = {
        "LUNGCNN_DATASET": str(miniature),
        "LUNGCNN_CASES": str(miniature / "cases.csv"),
        "LUNGCNN_OUT": str(tmp_path / "models"),
        "LUNGCNN_FIGURES": str(tmp_path / "figures"),
        "LUNGCNN_EPOCHS": "1",
        "LUNGCNN_FOLDS": "3",
        "MPLBACKEND": "agg",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(NOTEBOOK, 4)
    NotebookClient(notebook, timeout=280, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    assert (tmp_path / "models" / "cancer_classification_model.keras").exists()
    text = str([cell.get("outputs") for cell in notebook.cells])
    assert "18 slices to learn from" in text
    assert "balanced_accuracy" in text
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["grad-cam.png", "training.png"]


def test_it_writes_away_from_the_model_that_ships():
    """As its settings are where nothing is said, and before anything is trained."""
    notebook = nbformat.read(NOTEBOOK, 4)
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert '("LUNGCNN_OUT", "my-model")' in sources[0]
    training = next(source for source in sources if "run_training(" in source)
    assert training.index("check_output_folder(OUT)") < training.index("run_training(crop_set")
