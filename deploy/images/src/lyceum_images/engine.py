"""The program that builds and runs images: Docker with BuildKit, else buildah, whichever answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from lyceum_images.errors import CommandFailed, NoEngine

ANSWER_S = 20.0
"""How long an engine has to say its version."""
COMMAND_S = 300.0
BUILD_S = 3_600.0
"""The longest build compiles LightFM, packs Spark and installs a Java."""
Engine = Literal["docker", "buildah"]
_ASKED: Mapping[Engine, Sequence[str]] = {
    "docker": ("docker", "version", "--format", "{{.Server.Version}}"),
    "buildah": ("buildah", "version"),
}


def builder() -> Engine:
    """The engine that builds. Raises NoEngine."""
    for engine in _ASKED:
        if _answers(engine):
            return engine
    raise NoEngine("build images")


def require_runner() -> None:
    """Returns if Docker answers, which alone of the two runs containers here. Raises NoEngine."""
    if not _answers("docker"):
        raise NoEngine("run images")


def _answers(engine: Engine) -> bool:
    if not shutil.which(engine):
        return False
    try:
        return subprocess.run(_ASKED[engine], capture_output=True, timeout=ANSWER_S, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def run(command: Sequence[str], *, within_s: float = COMMAND_S, given: str = "", **variables: str) -> str:
    """Runs a command to its end and returns its standard output. Raises CommandFailed, also when it takes longer than
    `within_s`."""
    environment = {**os.environ, "DOCKER_BUILDKIT": "1", **variables}
    try:
        ran = subprocess.run(
            command, input=given, env=environment, capture_output=True, text=True, timeout=within_s, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise CommandFailed(command, -1, f"not within {within_s:.0f} s") from late
    if ran.returncode:
        raise CommandFailed(command, ran.returncode, ran.stderr or ran.stdout)
    return ran.stdout


def inspected(reference: str, kind: str = "image") -> dict[str, Any] | None:
    """What Docker knows of an image or a container; None if it does not exist."""
    try:
        found: list[dict[str, Any]] = json.loads(run(["docker", kind, "inspect", reference]))
    except CommandFailed:
        return None
    return found[0]
