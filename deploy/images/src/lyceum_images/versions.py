"""Which version and which revision an image is of."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from lyceum_images.errors import ImagesError
from lyceum_tree import ROOT

BUILT = Path("build/images.json")
"""The table of the last build, relative to the root of the tree."""
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def version(told: str, root: Path = ROOT) -> str:
    """`told`, else what git describes. Raises ImagesError for what cannot be a tag."""
    found = told or _git(root, "describe", "--tags", "--always", "--dirty")
    if not _TAG.fullmatch(found):
        raise ImagesError(f"{found!r} cannot be the tag of an image: letters, digits, '_', '.' and '-', at most 128")
    return found


def revision(root: Path = ROOT) -> str:
    """The commit of the tree."""
    return _git(root, "rev-parse", "HEAD")


def built_version(told: str, root: Path = ROOT) -> str:
    """`told`, else the version of the last build; else, where nothing was built here, what git describes."""
    file = root / BUILT
    if not told and file.is_file():
        return str(json.loads(file.read_text(encoding="utf-8"))["version"])
    return version(told, root)


def _git(root: Path, *words: str) -> str:
    try:
        ran = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as failed:
        raise ImagesError("git does not tell the version of this tree: name one, VERSION=1.2.3") from failed
    return ran.stdout.strip()
