"""`python -m bench [--quick] [--only SECTION …] [--json FILE]`: a full run writes docs/benchmarks.md.

Each section has a stack of its own, so that what one leaves behind (rows to vacuum, a broker's full heap) costs the
next nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench import beside, sections, sharing
from bench.report import Section, table, write_json, write_report
from lyceum_local.settings import Ports
from lyceum_local.stack import LocalStack

SECTIONS: Mapping[str, Callable[[LocalStack, bool], Section]] = {
    "fold": sections.fold,
    "folds": beside.folds,
    "sizes": beside.sizes,
    "workers": sharing.workers,
    "delivery": sections.delivery,
    "append": sections.append,
    "relay": sections.relay,
    "growth": sections.growth,
    "visible": sections.visible_after,
    "recommended": sections.recommendations,
    "training": sections.trained,
}


def main() -> int:
    """Run; exit status 1 if a target of the design is missed."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, nothing written")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="nothing written")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    arguments = parser.parse_args()
    found = measure(arguments.only, arguments.quick)
    if arguments.json:
        write_json(arguments.json, found)
    if not arguments.quick and arguments.only == list(SECTIONS):
        write_report(Path("docs/benchmarks.md"), found)
    return 0 if all(ratio.met for section in found for ratio in section.ratios) else 1


def measure(names: Sequence[str], quick: bool) -> list[Section]:
    """Measure the sections, one after another."""
    return [_measured(name, quick) for name in names]


def _measured(name: str, quick: bool) -> Section:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        stack = LocalStack(Path(folder), Ports.free(), prefix="b.")
        try:
            stack.start_backing()
            found = SECTIONS[name](stack, quick)
            print(table([found]), flush=True)  # at once, so that a later section's failure cannot lose it
            return found
        finally:
            stack.down()
            print(f"{name}: took {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
