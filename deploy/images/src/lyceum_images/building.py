"""Builds images and tells how long each took and how large it is."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lyceum_images import engine, proxied
from lyceum_images.found import Image
from lyceum_images.versions import BUILT
from lyceum_tree import ROOT

BASE_ARGUMENTS = ("PYTHON_IMAGE", "BUILD_IMAGE", "NODE_IMAGE", "ENVOY_IMAGE")
_UNITS = {"B": 1, "KB": 10**3, "kB": 10**3, "MB": 10**6, "GB": 10**9}
"""In which buildah tells sizes, to three figures."""


@dataclass(frozen=True)
class Row:
    """One built image: `size_bytes` unpacked, `seconds` that the build took, the base of its last stage."""

    image: str
    size_bytes: int
    seconds: float
    base: str


def build(image: Image, version: str, revision: str, builder: engine.Engine, root: Path = ROOT) -> Row:
    """Builds one image. Blocking, minutes. Raises CommandFailed."""
    began = time.monotonic()
    reference = image.reference(version)
    with proxied.secrets() as secrets:
        arguments = list(_arguments(image, version, revision, root))
        secret = [f"--secret=id={name},src={file}" for name, file in secrets.items()]
        # By standard input: BuildKit takes files of one name, size and time of change for one, as a clone makes the
        # Dockerfiles of services with names of one length.
        command = [*_START[builder], *secret, *arguments, "--tag", reference, "--file", "-", "."]
        dockerfile = (root / image.dockerfile).read_text(encoding="utf-8")
        engine.run(["env", f"--chdir={root}", *command], within_s=engine.BUILD_S, given=dockerfile)
    return Row(reference, _size_bytes(reference, builder), round(time.monotonic() - began, 1), image.base)


_START: Mapping[engine.Engine, Sequence[str]] = {
    "docker": ("docker", "build", "--progress=plain"),
    "buildah": ("buildah", "bud", "--format=docker", "--pull=false", "--layers"),
}


def _arguments(image: Image, version: str, revision: str, root: Path) -> Iterator[str]:
    """Build arguments, each only for a Dockerfile that asks for it."""
    asked = (root / image.dockerfile).read_text(encoding="utf-8")
    told = {name: os.environ[name] for name in BASE_ARGUMENTS if os.environ.get(name)}
    for name, value in {**told, "VERSION": version, "REVISION": revision}.items():
        if f"ARG {name}\n" in asked or f"ARG {name}=" in asked:
            yield f"--build-arg={name}={value}"


def _size_bytes(reference: str, builder: engine.Engine) -> int:
    if builder == "docker":
        return int(engine.run(["docker", "image", "inspect", "--format", "{{.Size}}", reference]))
    number, unit = json.loads(engine.run(["buildah", "images", "--json", reference]))[0]["size"].split()
    return round(float(number) * _UNITS[unit])


def keep(rows: Sequence[Row], version: str, root: Path = ROOT) -> None:
    """Writes what was built to build/images.json; what was built before of the same version stays in it."""
    file = root / BUILT
    file.parent.mkdir(exist_ok=True)
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    before = known.get("images", []) if known.get("version") == version else []
    names = {row.image for row in rows}
    told = [one for one in before if one["image"] not in names] + [asdict(row) for row in rows]
    file.write_text(json.dumps({"version": version, "images": told}, indent=1) + "\n", encoding="utf-8")


def table(rows: Sequence[Row]) -> str:
    """The rows as a table in Markdown, sizes in MB of 1,000,000 bytes."""
    head = ["| image | size, MB | seconds | base |", "| --- | ---: | ---: | --- |"]
    return "\n".join(
        [*head, *(f"| {row.image} | {row.size_bytes / 1e6:.0f} | {row.seconds:.0f} | {row.base} |" for row in rows)]
    )
