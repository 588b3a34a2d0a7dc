"""Write the ONNX file of the shipped model again, and its sum into the card.

`python tools/export_onnx.py ../shared/data`

`train` writes both; this is for a model that was trained before, or with another version of the exporter.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]

import click

from lungcnn.dataset.crops import crop_dataset
from lungcnn.dataset.folder import read_dataset
from lungcnn.model.card import card_path, default_model_path, load_model, onnx_path, sha256_of
from lungcnn.model.onnx_export import export_onnx


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(data):
    """Export, compare with Keras on every tenth development slice, and note the sum in the card."""
    model = default_model_path()
    network, _ = load_model(model)
    dataset = read_dataset(data / "iq-oth-nccd")
    crops = crop_dataset(dataset).crops[::10]
    export_onnx(network, onnx_path(model), crops)
    card = json.loads(card_path(model).read_text(encoding="utf-8"))
    card["onnx_sha256"] = sha256_of(onnx_path(model))
    card_path(model).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    print(f"{onnx_path(model).name}: compared on {len(crops)} slices")


if __name__ == "__main__":
    main()
