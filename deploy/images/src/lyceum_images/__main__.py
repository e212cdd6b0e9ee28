"""`python -m lyceum_images COMMAND`: what `make images` and its kin call."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict

from lyceum_images import building, checking, composing, engine, licences, rehearsing, sboms, standing
from lyceum_images.errors import ImagesError, Unfit
from lyceum_images.found import chosen
from lyceum_images.versions import built_version, revision, version

Command = Callable[[argparse.Namespace], None]


def build(arguments: argparse.Namespace) -> None:
    """Build images; print a table of them."""
    builder, of = engine.builder(), version(arguments.version)
    rows = []
    for image in chosen(arguments.only):
        print(f"images: {image.reference(of)} from {image.dockerfile}", file=sys.stderr, flush=True)
        rows.append(building.build(image, of, revision(), builder))
        building.keep(rows, of)
    print(json.dumps([asdict(row) for row in rows], indent=1) if arguments.json else building.table(rows))


def check(arguments: argparse.Namespace) -> None:
    """Look at each built image: user, tools, read-only root, --help, labels."""
    engine.require_runner()
    of = built_version(arguments.version)
    findings = [finding for image in chosen(arguments.only) for finding in checking.findings(image, of)]
    if findings:
        raise Unfit(findings)
    print(f"images: {len(chosen(arguments.only))} images of {of} are as they must be")


def sbom(arguments: argparse.Namespace) -> None:
    """Write what each image holds as CycloneDX to build/sbom/."""
    engine.require_runner()
    for image in chosen(arguments.only):
        print(sboms.write(image, built_version(arguments.version)))


def list_licences(arguments: argparse.Namespace) -> None:
    """List the licence of each third-party distribution; refuse unknown and forbidden ones."""
    engine.require_runner()
    rows, findings = licences.judged(chosen(arguments.only), built_version(arguments.version))
    print(json.dumps([asdict(row) for row in rows], indent=1) if arguments.json else licences.table(rows))
    if findings:
        raise Unfit(findings)


def stack_check(arguments: argparse.Namespace) -> None:
    """Start all roles from their images until each is healthy, stop each, and want exit status 0."""
    engine.require_runner()
    print(rehearsing.table(rehearsing.rehearse(built_version(arguments.version))))


def up(arguments: argparse.Namespace) -> None:
    """Start everything in containers."""
    engine.require_runner()
    stack = standing.default(built_version(arguments.version))
    stack.up()
    print(f"Lyceum is up in containers: {stack.public_url} (passwords in {stack.folder})")


def down(arguments: argparse.Namespace) -> None:
    """Stop everything in containers, keep the data."""
    engine.require_runner()
    standing.default(built_version(arguments.version)).down()
    print("Lyceum is down; its data stays in the volumes of the project lyceum")


def compose(arguments: argparse.Namespace) -> None:
    """Write the Compose file from the tree."""
    composing.write()


COMMANDS: Mapping[str, Command] = {
    "build": build,
    "check": check,
    "sbom": sbom,
    "licences": list_licences,
    "stack-check": stack_check,
    "up": up,
    "down": down,
    "compose": compose,
}


def main() -> int:
    """Runs one command; 1 with a sentence for what is not as it must be."""
    parser = argparse.ArgumentParser(prog="lyceum_images", description=__doc__)
    parser.add_argument("command", choices=COMMANDS, help="; ".join(f"{n}: {c.__doc__}" for n, c in COMMANDS.items()))
    parser.add_argument("--only", default="", help="names of images, separated by commas; all if empty")
    parser.add_argument("--version", default="", help="the tag; what git describes if empty")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    try:
        COMMANDS[arguments.command](arguments)
    except ImagesError as refused:
        print(f"images: {refused}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
