"""Lists what an image holds, by a look from inside: Python distributions, Debian packages, and what neither knows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lyceum_images import engine
from lyceum_images.checking import CONFINED
from lyceum_images.errors import NotBuilt
from lyceum_images.found import Image
from lyceum_tree import ROOT

Kind = Literal["pypi", "deb", "npm", "generic"]
OURS = ("lyceum-", "lyceum_")
_LOOK = (Path(__file__).parent / "look.py").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Part:
    """One distribution in an image. `told` is what it says of its licence, in its own words, the surest first."""

    kind: Kind
    name: str
    version: str
    told: Sequence[str] = field(default=())

    @property
    def ours(self) -> bool:
        """Whether it is a package of this tree."""
        return self.kind == "pypi" and self.name.startswith(OURS)


def parts(image: Image, version: str, root: Path = ROOT) -> Sequence[Part]:
    """Everything in the image. Raises NotBuilt, CommandFailed."""
    reference = image.reference(version)
    if engine.inspected(reference) is None:
        raise NotBuilt([reference])
    said = engine.run(["docker", "run", "-i", *CONFINED, "--entrypoint=python", reference, "-"], given=_LOOK)
    found = [Part(one["kind"], one["name"], one["version"], one["told"]) for one in json.loads(said)]
    return sorted([*found, *_by_hand(image, root)], key=lambda one: (one.kind, one.name.lower()))


def _by_hand(image: Image, root: Path) -> Sequence[Part]:
    """What no package manager inside an image knows; the versions are those that its Dockerfile takes."""
    text = (root / image.dockerfile).read_text(encoding="utf-8")
    found = []
    if "ENVOY_IMAGE=" in text:
        tag = text.partition("ARG ENVOY_IMAGE=")[2].split()[0].rpartition("v")[2]
        found.append(Part("generic", "envoy", tag, ["Apache-2.0"]))
    if "echarts" in text:
        locked: Mapping[str, Mapping[str, str]] = json.loads(
            (root / "clients/web/package-lock.json").read_text(encoding="utf-8")
        )["packages"]
        one = locked["node_modules/echarts"]
        found.append(Part("npm", "echarts", one["version"], [one.get("license", "")]))
    return found
