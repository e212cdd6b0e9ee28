"""Overlays as kubectl's kustomize renders them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

HERE = Path(__file__).parents[2]
RENDER_WITHIN_S = 120


class KubectlMissing(Exception):
    """There is no kubectl: neither in this environment nor on the PATH."""

    def __init__(self) -> None:
        super().__init__("kubectl is not there; `make setup` installs it into .venv")


class OverlayBroken(Exception):
    """kustomize refused an overlay; carries what it said."""

    def __init__(self, overlay: Path, said: str) -> None:
        super().__init__(f"{overlay.name} cannot be rendered: {said}")
        self.overlay = overlay


def overlays() -> list[str]:
    """The names of all overlays."""
    return sorted(file.parent.name for file in (HERE / "overlays").glob("*/kustomization.yaml"))


@cache
def render(folder: Path) -> str:
    """The objects of a kustomization as YAML documents. Raises KubectlMissing, OverlayBroken. Blocks for at most
    `RENDER_WITHIN_S`."""
    done = subprocess.run(
        [_kubectl(), "kustomize", str(folder)], capture_output=True, text=True, timeout=RENDER_WITHIN_S, check=False
    )
    if done.returncode:
        raise OverlayBroken(folder, done.stderr.strip())
    return done.stdout


def _kubectl() -> str:
    beside = Path(sys.executable).parent / "kubectl"
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if found is None:
        raise KubectlMissing
    return found
