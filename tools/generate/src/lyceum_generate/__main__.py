"""`python -m lyceum_generate [generate|lint|breaking|release]`, from the root of the tree."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from contracts.golden import add_missing
from lyceum_generate import lyceum_events
from lyceum_generate.collisions import NamesCollide, complaints
from lyceum_generate.openapi import GoMissing, generate_openapi
from lyceum_generate.services import definitions
from lyceum_generate.stored import add_missing_stored
from lyceum_generate.stubs import generate_descriptors, generate_stubs
from lyceum_generate.typed_events import generate_typed_events
from lyceum_generate.workspace import program, run, workspace

PROTOS = Path("schemas/proto")
RELEASED = PROTOS / "released.binpb"
GOLDEN = Path("schemas/golden")
STORED = GOLDEN / "stored"
STUBS = Path("libs/contracts/src/lyceum")
TYPED_EVENTS = Path("libs/contracts/src/contracts/events")
DESCRIPTORS = Path("deploy/gateway/lyceum.binpb")
OPENAPI = Path("deploy/gateway/openapi.yaml")
ASYNCAPI = Path("schemas/asyncapi.yaml")
EVENTS = Path("docs/events.md")
CACHE = Path(".cache/generate")


def generate() -> None:
    """Everything that is generated and committed, and a golden for every new public or stored version. Raises
    `NamesCollide` first."""
    if found := complaints():
        raise NamesCollide(found)
    generate_stubs(PROTOS, STUBS)
    generate_typed_events(TYPED_EVENTS)
    generate_descriptors(PROTOS, DESCRIPTORS)
    add_missing(GOLDEN)
    for name, definition in definitions().items():
        add_missing_stored(definition.codec, STORED / name)
    EVENTS.write_text(lyceum_events.page(), encoding="utf-8")
    ASYNCAPI.write_text(lyceum_events.document(), encoding="utf-8")
    try:
        generate_openapi(PROTOS, OPENAPI, CACHE)
    except GoMissing as missing:
        print(f"generate: {OPENAPI} left as it is: {missing}", file=sys.stderr)


def lint(protos: Path = PROTOS) -> None:
    """`buf lint` over our protos. Raises CalledProcessError with what it found."""
    with workspace(protos) as root:
        run([program("buf"), "lint", "lyceum_protos"], root)


def breaking(protos: Path = PROTOS, released: Path = RELEASED) -> None:
    """`buf breaking` against the released image, so that it can fail in a fresh clone. Raises CalledProcessError."""
    with workspace(protos) as root:
        shutil.copyfile(released, root / "released.binpb")
        run([program("buf"), "breaking", "--against", "released.binpb"], root)


def release() -> None:
    """Make the present protos the released ones."""
    with workspace(PROTOS) as root:
        run([program("buf"), "build", "-o", "released.binpb"], root)
        shutil.copyfile(root / "released.binpb", RELEASED)


def main() -> int:
    """Run one command; exit status 1 when a check finds something."""
    commands = {"generate": generate, "lint": lint, "breaking": breaking, "release": release}
    parser = argparse.ArgumentParser(prog="lyceum_generate", description=__doc__)
    parser.add_argument("command", choices=sorted(commands), nargs="?", default="generate")
    try:
        commands[parser.parse_args().command]()
    except subprocess.CalledProcessError as failed:
        return failed.returncode
    except NamesCollide as collision:
        print(f"generate: {collision}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
