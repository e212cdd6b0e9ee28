"""`python -m lyceum_k8s [render OVERLAY]`: write the generated manifests, or print an overlay's objects."""

from __future__ import annotations

import argparse
import sys

from lyceum_k8s.rendering import HERE, KubectlMissing, OverlayBroken, overlays, render
from lyceum_k8s.writing import write


def main() -> int:
    """The command line; exit status 1 if an overlay cannot be rendered."""
    parser = argparse.ArgumentParser(prog="lyceum_k8s", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    rendered = commands.add_parser("render", help="print the objects of an overlay")
    rendered.add_argument("overlay", choices=overlays())
    arguments = parser.parse_args()
    if arguments.command is None:
        for change in write(HERE):
            sys.stderr.write(f"k8s: {change}\n")
        return 0
    try:
        sys.stdout.write(render(HERE / "overlays" / arguments.overlay))
    except (KubectlMissing, OverlayBroken) as failure:
        sys.stderr.write(f"k8s: {failure}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
