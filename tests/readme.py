"""What the documentation says: the README and the pages of the guide."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "nnexp" / "guide").glob("*.md")))
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def guide(name: str) -> str:
    """One page of the guide."""
    return (ROOT / "nnexp" / "guide" / f"{name}.md").read_text(encoding="utf-8")
