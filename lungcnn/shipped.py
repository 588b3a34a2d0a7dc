"""Files that ship with the project: beside the package in a checkout, inside it once it is installed."""

from pathlib import Path

# Where the wheel holds them: `[tool.hatch.build.targets.wheel.force-include]` in pyproject.toml.
_INSTALLED = Path(__file__).parent / "shipped_files"
_CHECKOUT = Path(__file__).parents[1]


def shipped_file(name: str) -> Path:
    """Path of a shipped file or folder.

    Args:
        name: "models", "examples" or "CITATION.cff", or what lies in one of them.
    """
    return (_INSTALLED if _INSTALLED.is_dir() else _CHECKOUT) / name
