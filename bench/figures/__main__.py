"""`python -m bench.figures`: folds a year of a community into the tables of metrics, and asks for every figure.

Folding is compared with a bare loop that decodes, folds and writes in one transaction, without the guarantees; a few
answers are compared with DuckDB over the raw events, in memory. All in one run, on one PostgreSQL.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.figures import asking, folding, raw
from bench.figures.community import Community
from bench.report import Ratio, Section, table
from lyceum_local.settings import Ports
from lyceum_local.stack import LocalStack

FOLDED_PER_S, BARE_SHARE = 20_000.0, 0.8
P99_MS = 100.0
COMPARED_EVENTS = 200_000
"""Of the fold and the bare loop, in turn."""


def main(argv: Sequence[str]) -> int:
    """Measure, and print tables or JSON."""
    parser = argparse.ArgumentParser(prog="bench.figures", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--calls", type=int, default=200, help="of each question, asked again")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        stack = LocalStack(Path(folder), Ports.free(), prefix="bench.")
        try:
            stack.start_postgres()
            sections = asyncio.run(_measured(stack.admin_url, Path(folder), chosen.events, chosen.calls))
        finally:
            stack.down()
    print(json.dumps([_plain(one) for one in sections], indent=2) if chosen.json else table(sections))
    return 0


async def _measured(url: str, folder: Path, events: int, calls: int) -> list[Section]:
    community = Community(events)
    rates = await folding.compared(url, folder, community, min(events, COMPARED_EVENTS))
    rows = [("bare loop", rates.bare), ("eventfold", rates.ours)]
    fold = Section(
        f"Facts of metrics ({min(events, COMPARED_EVENTS):,} events, five projections, medians of three)",
        ("what", "events/s"),
        rows,
        [
            Ratio("fold: events/s of 20,000", rates.ours / FOLDED_PER_S, 1.0),
            Ratio("fold: eventfold / bare loop", rates.ours / rates.bare, BARE_SHARE),
        ],
    )
    async with folding.folded(url, folder, community) as house:
        answers = await asking.measured(house, community, calls)
    slowest, first = max(one.p99_ms for one in answers), max(one.first_p50_ms for one in answers)
    asked = Section(
        f"Answers over {events:,} events ({calls} calls each, one after another, without the network)",
        ("question", "first, p50 ms", "first, most ms", "again, p50 ms", "again, p99 ms"),
        answers,
        [
            Ratio("answers asked again: 100 ms / the slowest p99", P99_MS / slowest, 1.0),
            Ratio("answers asked first: 100 ms / the slowest p50", P99_MS / first, 1.0),
        ],
    )
    beside = raw.measured(community, calls)
    duck = Section(
        "DuckDB over the raw events, in memory", ("question", "p50 ms"), [(one.name, one.p50_ms) for one in beside], []
    )
    return [fold, asked, duck]


def _plain(one: Section) -> dict[str, Any]:
    return {
        "title": one.title,
        "rows": [dict(zip(one.head, row, strict=True)) for row in one.rows],
        "ratios": [{"what": ratio.what, "found": ratio.found, "wanted": ratio.wanted} for ratio in one.ratios],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
