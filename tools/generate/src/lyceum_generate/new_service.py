"""`make service`: a whole service with one command, event, projection, query and tests, as a starting point."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from lyceum_generate.service_names import Words, checked_words
from lyceum_tree import services

SKELETON = Path(__file__).parent / "skeleton"
SUFFIX = ".tmpl"
TOOL_S = 60.0


class NothingCompiled(Exception):
    """No other service has the same requirements, so there is no hashed list to copy."""

    def __init__(self, name: str) -> None:
        super().__init__(f"requirements/{name}.txt is missing: run make requirements")


def write_service(name: str, root: Path) -> list[Path]:
    """Write the service's own files; returns them. `generate` writes the files that are derived from them.

    Raises `BadServiceName` and `NameInUse` before anything is written, `NothingCompiled` after everything is written.
    """
    words = checked_words(name, root)
    said = words.said | _free_ports(root)
    written = [_write(file, root, said) for file in sorted(SKELETON.rglob(f"*{SUFFIX}"))]
    return [*written, _requirements(words, root)]


def _free_ports(root: Path) -> dict[str, str]:
    """The first unused port after the last server port, and the two ports after all ports."""
    told = [one.ports for one in services(root).values()]
    used = {port for ports in told for port in ports.values()}
    serve = next(port for port in count(max(ports["serve"] for ports in told) + 1) if port not in used)
    last = max(serve, *used)
    return {"serve": str(serve), "serve_metrics": str(last + 1), "work_metrics": str(last + 2)}


def _write(template: Path, root: Path, said: dict[str, str]) -> Path:
    target = root / _filled(str(template.relative_to(SKELETON)).removesuffix(SUFFIX), said)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_filled(template.read_text(encoding="utf-8"), said), encoding="utf-8")
    return target


def _filled(text: str, said: dict[str, str]) -> str:
    for word, meant in said.items():
        text = text.replace(f"@{word}@", meant)
    return text


def tidy(files: Sequence[Path], root: Path) -> None:
    """Sort imports, once all imported modules exist, and format lines: both depend on the service's name."""
    ruff, style = [sys.executable, "-m", "ruff"], ["--quiet", "--config", str(root / "pyproject.toml")]
    code = [str(file) for file in files if file.suffix == ".py"]
    for command in (["check", "--select", "I", "--fix"], ["format"]):
        subprocess.run([*ruff, *command, *style, *code], check=True, timeout=TOOL_S)


def _requirements(words: Words, root: Path) -> Path:
    """Copies the hashed list of another service with the same `.in` file, because it compiles to the same list."""
    folder = root / "requirements"
    wanted, target = (folder / f"{words.name}.in").read_text(), folder / f"{words.name}.txt"
    for name in services(root):
        if name != words.name and (folder / f"{name}.in").read_text() == wanted:
            target.write_bytes((folder / f"{name}.txt").read_bytes())
            return target
    raise NothingCompiled(words.name)
