"""`python -m lyceum_generate [generate|lint|breaking|release|service NAME]`, from the root of the tree."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from contracts.golden import add_missing
from lyceum_generate import lyceum_events
from lyceum_generate.clients.contract import contract
from lyceum_generate.clients.model import NoClientType
from lyceum_generate.clients.python import generate_python
from lyceum_generate.clients.typescript import generate_typescript
from lyceum_generate.collisions import NamesCollide, complaints
from lyceum_generate.marked import NoSuchPart
from lyceum_generate.methods import NoRoad, generate_methods
from lyceum_generate.named import write_named
from lyceum_generate.new_service import NothingCompiled, tidy, write_service
from lyceum_generate.openapi import GoMissing, generate_openapi
from lyceum_generate.service_names import BadServiceName, NameInUse
from lyceum_generate.services import definitions
from lyceum_generate.stored import add_missing_stored
from lyceum_generate.stubs import generate_descriptors, generate_stubs
from lyceum_generate.typed_events import generate_typed_events
from lyceum_generate.workspace import program, run, workspace
from lyceum_images import composing
from lyceum_k8s import writing
from lyceum_tree import Untold

PROTOS = Path("schemas/proto")
RELEASED = PROTOS / "released.binpb"
GOLDEN = Path("schemas/golden")
STORED = GOLDEN / "stored"
STUBS = Path("libs/contracts/src/lyceum")
TYPED_EVENTS = Path("libs/contracts/src/contracts/events")
DESCRIPTORS = Path("deploy/gateway/lyceum.binpb")
METHODS = Path("deploy/gateway/src/lyceum_gateway/methods.py")
OPENAPI = Path("deploy/gateway/openapi.yaml")
ASYNCAPI = Path("schemas/asyncapi.yaml")
EVENTS = Path("docs/events.md")
K8S = Path("deploy/k8s")
PYTHON_CLIENT = Path("clients/python/src/lyceum_client")
TYPESCRIPT_CLIENT = Path("clients/typescript/src")
CACHE = Path(".cache/generate")
REFUSALS = (NamesCollide, NoClientType, NoRoad, Untold, NoSuchPart, BadServiceName, NameInUse, NothingCompiled)


def generate() -> None:
    """Everything that is generated and committed, and a golden for every new public or stored version. Raises
    `NamesCollide` before anything that lasts is written."""
    generate_stubs(PROTOS, STUBS)  # first, because the services import them
    generate_typed_events(TYPED_EVENTS)
    if found := complaints():
        raise NamesCollide(found)
    write_named(Path())
    composing.write(Path())
    list(writing.write(K8S))
    generate_descriptors(PROTOS, DESCRIPTORS)
    generate_methods(DESCRIPTORS, METHODS)
    told = contract(PROTOS, DESCRIPTORS)
    generate_python(told, PYTHON_CLIENT)
    generate_typescript(told, TYPESCRIPT_CLIENT)
    add_missing(GOLDEN)
    for name, definition in definitions().items():
        add_missing_stored(definition.codec, STORED / name)
    EVENTS.write_text(lyceum_events.page(), encoding="utf-8")
    ASYNCAPI.write_text(lyceum_events.document(), encoding="utf-8")
    try:
        generate_openapi(PROTOS, DESCRIPTORS, OPENAPI, CACHE)
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


def release(protos: Path = PROTOS, released: Path = RELEASED) -> None:
    """Make the present protos the released ones. Raises CalledProcessError."""
    with workspace(protos) as root:
        run([program("buf"), "build", "lyceum_protos", "-o", "released.binpb"], root)
        shutil.copyfile(root / "released.binpb", released)


def service(name: str) -> None:
    """Make a service, and what its code imports; when it is installed, `generate` does the rest. Raises
    `BadServiceName`, `NameInUse`, `NothingCompiled`."""
    written = write_service(name, Path())
    generate_stubs(PROTOS, STUBS)
    generate_typed_events(TYPED_EVENTS)
    tidy(written, Path())
    print("\n".join(map(str, written)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lyceum_generate", description=__doc__)
    commands = parser.add_subparsers()
    for command in (generate, lint, breaking, release):
        commands.add_parser(command.__name__, help=command.__doc__).set_defaults(run=lambda _, run=command: run())
    made = commands.add_parser("service", help=service.__doc__)
    made.add_argument("name", help="in snake_case, as coupons")
    made.set_defaults(run=lambda arguments: service(arguments.name))
    parser.set_defaults(run=lambda _: generate())
    return parser


def main() -> int:
    """Run one command; exit status 1 when a check finds something."""
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except subprocess.CalledProcessError as failed:
        return failed.returncode
    except REFUSALS as refusal:
        print(f"generate: {refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
