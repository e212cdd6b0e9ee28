"""`python -m lyceum_generate [generate|lint|breaking|release]`, from the root of the tree."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from lyceum_generate.openapi import GoMissing, generate_openapi
from lyceum_generate.stubs import generate_descriptors, generate_stubs
from lyceum_generate.workspace import program, run, workspace

PROTOS = Path("schemas/proto")
RELEASED = PROTOS / "released.binpb"
STUBS = Path("libs/contracts/src/lyceum")
DESCRIPTORS = Path("deploy/gateway/lyceum.binpb")
OPENAPI = Path("deploy/gateway/openapi.yaml")
CACHE = Path(".cache/generate")


def generate() -> None:
    """Everything that is generated and committed."""
    generate_stubs(PROTOS, STUBS)
    generate_descriptors(PROTOS, DESCRIPTORS)
    try:
        generate_openapi(PROTOS, OPENAPI, CACHE)
    except GoMissing as missing:
        print(f"generate: {OPENAPI} left as it is: {missing}", file=sys.stderr)


def lint() -> None:
    """`buf lint` over our protos."""
    with workspace(PROTOS) as root:
        run([program("buf"), "lint", "lyceum_protos"], root)


def breaking() -> None:
    """`buf breaking` against what was last released, so that it can fail in a fresh clone."""
    with workspace(PROTOS) as root:
        shutil.copyfile(RELEASED, root / "released.binpb")
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
