"""Measured figures as JSON: `docs/measurements/` holds those of the scripts here, `models/` the evaluation."""

import json
from pathlib import Path

ROOT = Path(__file__).parent.parent


def publish(figures: dict, target: Path | None) -> None:
    """Print measured figures as JSON, and write them to `target` where there is one."""
    text = json.dumps(figures, indent=1)
    print(text)
    if target:
        target.write_text(text + "\n", encoding="utf-8")


def measured(name: str) -> dict:
    """Figures that were published: "gate" for `docs/measurements/gate.json`."""
    return json.loads((ROOT / "docs" / "measurements" / f"{name}.json").read_text(encoding="utf-8"))


def evaluation() -> dict:
    """`models/evaluation.json`."""
    return json.loads((ROOT / "models" / "evaluation.json").read_text(encoding="utf-8"))
