"""The images of the tree: each Dockerfile that names its image in its title, and no second list."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lyceum_images.errors import NoSuchImage
from lyceum_tree import ROOT

REPOSITORY = "lyceum"
_FOLDERS = ("services", "clients", "tools", "deploy")
_NAMES = ("Dockerfile", "*.Dockerfile")
_TITLE = re.compile(r'org\.opencontainers\.image\.title="lyceum-([a-z0-9_-]+)"')
_DEFAULT = re.compile(r"^ARG (\w+)=(\S+)$", re.MULTILINE)
_STAGE = re.compile(r"^FROM (\S+)", re.MULTILINE)
_ENTRYPOINT = re.compile(r"^ENTRYPOINT \[.*\"-m\", \"(\w+)\"", re.MULTILINE)


@dataclass(frozen=True)
class Image:
    """One image: its name, its Dockerfile relative to the root of the tree, and the base of its last stage."""

    name: str
    dockerfile: Path
    base: str
    module: str
    """The Python package that its entrypoint runs."""

    def reference(self, version: str) -> str:
        """`lyceum/<name>:<version>`."""
        return f"{REPOSITORY}/{self.name}:{version}"


def images(root: Path = ROOT) -> Mapping[str, Image]:
    """Every image by name."""
    files = (file for folder in _FOLDERS for name in _NAMES for file in (root / folder).glob(f"*/{name}"))
    found = [image for file in files if (image := _image(file, root))]
    return {one.name: one for one in sorted(found, key=lambda one: one.name)}


def chosen(only: str, root: Path = ROOT) -> Sequence[Image]:
    """The images that `only` names, separated by commas; all if it is empty. Raises NoSuchImage."""
    known = images(root)
    names = [name for name in only.split(",") if name] or list(known)
    for name in names:
        if name not in known:
            raise NoSuchImage(name, list(known))
    return [known[name] for name in names]


def _image(file: Path, root: Path) -> Image | None:
    """The image of a Dockerfile; None for a pattern and for what has no title of ours."""
    text = file.read_text(encoding="utf-8")
    title, module = _TITLE.search(text), _ENTRYPOINT.search(text)
    if not title:
        return None
    return Image(title[1], file.relative_to(root), _base(text), module[1] if module else "")


def _base(text: str) -> str:
    last = _STAGE.findall(text)[-1]
    defaults = dict(_DEFAULT.findall(text))
    return re.sub(r"\$\{(\w+)\}", lambda found: defaults.get(found[1], found[0]), last)
