"""Looks at a built image: who it runs as, which tools it holds, whether it stands a read-only root, its labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lyceum_images import engine
from lyceum_images.errors import CommandFailed
from lyceum_images.found import Image

USER = "10001:10001"
TOOLS = (
    "gcc",
    "g++",
    "cc",
    "c++",
    "clang",
    "ld",
    "as",
    "make",
    "cmake",
    "rustc",
    "cargo",
    "go",
    "javac",
    "npm",
    "node",
)
PYTHON_TOOLS = ("pip", "setuptools", "wheel", "uv", "hatchling", "poetry")
LABEL = "org.opencontainers.image."
CONFINED = (
    *("--rm", "--network=none", "--read-only", "--tmpfs=/tmp"),
    *("--cap-drop=ALL", "--security-opt=no-new-privileges"),
)
"""How every image must be able to run."""
_LOOK_FOR_TOOLS = f"""
import os, shutil, subprocess, sys
folders = os.environ["PATH"].split(":") + ["/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/local/bin"]
found = [tool for tool in {TOOLS!r} + ("pip", "pip3") if shutil.which(tool, path=":".join(folders))]
ask = "import importlib.util as u; print(*[one for one in {PYTHON_TOOLS!r} if u.find_spec(one)])"
for python in {{sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"}}:
    if os.path.exists(python):
        said = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout
        found += [f"{{one}} of {{python}}" for one in said.split()]
print(",".join(found))
"""
_LOOK = f"""{_LOOK_FOR_TOOLS}
try:
    open("/written", "w")
    print("writable")
except OSError:
    print("read-only")
print(os.getuid())
"""


def findings(image: Image, version: str) -> Iterator[str]:
    """What is wrong with the image, a sentence each; nothing if all is well."""
    reference = image.reference(version)
    found = engine.inspected(reference)
    if found is None:
        yield f"{reference} is not built: run make images"
        return
    for sentence in (*_labels(found["Config"], image.name, version), *_inside(reference), *_help(reference, found)):
        yield f"{reference}: {sentence}"


def _labels(config: Mapping[str, Any], name: str, version: str) -> Iterator[str]:
    labels, variables = config.get("Labels") or {}, dict(one.split("=", 1) for one in config.get("Env") or [])
    if labels.get(f"{LABEL}version") != version:
        yield f"its label says version {labels.get(f'{LABEL}version')}, not {version}"
    if labels.get(f"{LABEL}title") != f"lyceum-{name}":
        yield f"its label says title {labels.get(f'{LABEL}title')}"
    if len(labels.get(f"{LABEL}revision", "")) != len("0" * 40):
        yield "its label names no revision"
    if variables.get("LYCEUM_VERSION") != version:
        yield f"LYCEUM_VERSION is {variables.get('LYCEUM_VERSION')}, not {version}"
    if config.get("User") != USER:
        yield f"it runs as {config.get('User') or 'root'}, not {USER}"


def _inside(reference: str) -> Iterator[str]:
    """What a look from inside shows, with a read-only root and without capabilities."""
    try:
        said = engine.run(["docker", "run", *CONFINED, "--entrypoint=python", reference, "-c", _LOOK]).splitlines()
    except CommandFailed as failed:
        yield str(failed)
        return
    tools, root, user = said
    if tools:
        yield f"it holds {tools}"
    if root != "read-only":
        yield "its root is writable"
    if user != USER.partition(":")[0]:
        yield f"it runs as user {user}"


def _help(reference: str, found: Mapping[str, Any]) -> Iterator[str]:
    """Whether the entrypoint knows --help. Where it starts a program that is given after `--`, that one is asked."""
    config = found["Config"]
    program = [f"--entrypoint={config['Cmd'][0]}"] if config["Entrypoint"][-1] == "--" else []
    try:
        engine.run(["docker", "run", *CONFINED, *program, reference, "--help"])
    except CommandFailed as failed:
        yield str(failed)
