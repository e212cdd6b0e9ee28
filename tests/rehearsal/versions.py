"""A version of the tree with an environment of its own."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from lyceum_tree import ROOT

SETUP_WITHIN_S = 900


@dataclass(frozen=True)
class Version:
    """Where a version stands, and the Python that runs it."""

    name: str
    root: Path

    @property
    def python(self) -> str:
        """Its interpreter, which finds its packages and no others."""
        return str(self.root / ".venv" / "bin" / "python")

    def has(self, service: str) -> bool:
        """Whether the version has this service."""
        return (self.root / "services" / service).is_dir()


def present() -> Version:
    """This tree, as it is."""
    return Version("new", ROOT)


def older(reference: str, folder: Path) -> Version:
    """The commit `reference` in a work tree of its own, set up. Takes a minute or two, the second time nothing. Raises
    CalledProcessError with what git or the set-up said."""
    commit = _git("rev-parse", "--verify", f"{reference}^{{commit}}").strip()
    root = folder / commit[:12]
    if not root.exists():
        _git("worktree", "prune")
        _git("worktree", "add", "--detach", str(root), commit)
    subprocess.run([root / "deploy/local/scripts/setup.sh"], cwd=root, check=True, timeout=SETUP_WITHIN_S)
    return Version("old", root)


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout
