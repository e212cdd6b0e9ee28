"""Writes the generated files, and removes those that are generated no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lyceum_k8s.tree import HEADER, files


def differences(home: Path) -> Iterator[tuple[Path, str | None]]:
    """Every generated file that is not as it must be, with its right content; None where it must not be there."""
    wanted = files()
    for path, text in wanted.items():
        file = home / path
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            yield file, text
    for file in sorted([*home.rglob("*.yaml"), *home.rglob("*.env")]):
        is_generated = file.read_text(encoding="utf-8").startswith(HEADER)
        if is_generated and str(file.relative_to(home)) not in wanted:
            yield file, None


def write(home: Path) -> Iterator[str]:
    """Bring the files up to date; tells what it changed."""
    for file, text in list(differences(home)):
        if text is None:
            file.unlink()
            yield f"removed {file.relative_to(home)}"
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            yield f"wrote {file.relative_to(home)}"
