"""Where the config files are: beside the package in a checkout, inside it once installed."""

from __future__ import annotations

from pathlib import Path


def conf() -> Path:
    """The folder of config groups."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def groups() -> dict[str, list[str]]:
    """The options of each config group."""
    folders = sorted(path for path in conf().iterdir() if path.is_dir() and path.name != "hydra")
    return {folder.name: sorted(file.stem for file in folder.glob("*.yaml")) for folder in folders}
