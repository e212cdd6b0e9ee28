"""`python -m lyceum_demo [--full] [--json]`: exit status 0 when every figure equals the oracle's, else 1."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console

from lyceum_cli.errors import CliError
from lyceum_demo.comparing import Compared
from lyceum_demo.errors import DemoError
from lyceum_demo.running import FULL, SAMPLE, Demonstration, look_file
from lyceum_demo.showing import tables
from lyceum_local import report
from lyceum_local.errors import StackError
from lyceum_local.memory import BYTES_PER_MIB
from lyceum_local.stack import LocalStack

NO_TERMINAL_COLUMNS = 120
BUDGET_PSS_BYTES = 3 * 1024 * BYTES_PER_MIB


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration against the stack of LYCEUM_DATA_DIR."""
    parser = argparse.ArgumentParser(prog="lyceum_demo", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all of the input instead of a slice")
    parser.add_argument(
        "--json", action="store_true", help="print the figures as JSON, everything else on standard error"
    )
    parser.add_argument("--look", action="store_true", help="only print what the dashboard has to look at")
    parsed = parser.parse_args(arguments)
    if parsed.look:
        return _look(LocalStack())
    terminal = Console(stderr=parsed.json)
    console = terminal if terminal.is_terminal else Console(stderr=parsed.json, width=NO_TERMINAL_COLUMNS)
    try:
        return _run(Demonstration(LocalStack(), FULL if parsed.full else SAMPLE, console), console, as_json=parsed.json)
    except* (DemoError, CliError, StackError) as failed:
        for failure in _leaves(failed):
            print(f"demo: {failure}", file=sys.stderr)
    except* KeyboardInterrupt:
        print("demo: interrupted; run again, it goes on from here", file=sys.stderr)
    return 1


def _look(stack: LocalStack) -> int:
    file = look_file(stack)
    if file.exists():
        print(file.read_text())
    return 0


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for one in group.exceptions:
        found.extend(_leaves(one) if isinstance(one, BaseExceptionGroup) else [one])
    return found


def _run(demonstration: Demonstration, console: Console, *, as_json: bool) -> int:
    compared = asyncio.run(demonstration.run())
    differing = [one for one in compared if not one.equal]
    pss_bytes = sum(row.pss_bytes for row in report.rows(LocalStack()))
    for table in tables(compared):
        console.print(table)
    _summary(demonstration, console, len(compared), len(differing), pss_bytes)
    if as_json:
        print(_json(demonstration, compared, pss_bytes))
    return 1 if differing or pss_bytes > BUDGET_PSS_BYTES else 0


def _summary(demonstration: Demonstration, console: Console, figures: int, differing: int, pss_bytes: int) -> None:
    verdict = "all equal to the oracle's" if not differing else f"{differing} DIFFER from the oracle's"
    console.print(f"{figures} figures, {verdict}", highlight=False)
    console.print(
        f"memory: {pss_bytes / BYTES_PER_MIB:,.0f} MiB (sum of PSS; at most {BUDGET_PSS_BYTES / BYTES_PER_MIB:,.0f})"
    )
    console.print(f"demonstration: {demonstration.stages.total_s:.1f} s")


def _json(demonstration: Demonstration, compared: Sequence[Compared], pss_bytes: int) -> str:
    figures = [{**asdict(one), "equal": one.equal} for one in compared]
    return json.dumps({"figures": figures, "stages_s": demonstration.stages.seconds, "pss_bytes": pss_bytes})


if __name__ == "__main__":
    sys.exit(main())
