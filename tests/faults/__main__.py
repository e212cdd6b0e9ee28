"""`python -m tests.faults`: faults on real processes, as many trials of each kind as the release asks for.

Results are appended to .cache/faults/results.jsonl; a run that was ended goes on where it was. Exit status 1 when a
promise is broken, or a kind of fault met nothing under way in any of its trials.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.faults import report
from tests.faults.installation import installed
from tests.faults.kinds import KINDS, Kind
from tests.faults.trial import run
from tests.faults.verdict import TopicReader

CACHE = Path(".cache/faults")
DOCUMENT = Path("docs/faults.md")
RATE_PER_S = 120.0
START_S = 25.0


def main() -> int:
    """Run what is left of the plan, then write the table."""
    options = _options()
    CACHE.mkdir(parents=True, exist_ok=True)
    file = CACHE / "results.jsonl"
    if options.fresh:
        file.unlink(missing_ok=True)
    results = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    seed = options.seed if options.seed is not None else _seed(results)
    plan = _plan(options, results)
    about_s = sum(kind.about_s for kind, _ in plan) + (START_S if plan else 0)
    print(f"seed {seed}; {len(plan)} trials to do, {len(results)} done; about {about_s / 60:.0f} minutes", flush=True)
    if plan:
        _run(plan, seed, file, results)
    print(report.table(results) + "\n" + report.notes(results))
    if options.document:
        report.write(DOCUMENT, results, "make faults")
    return 1 if any(result["broken"] for result in results) or report.unproven(results) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.faults", description=__doc__)
    parser.add_argument("--only", choices=[kind.name for kind in KINDS], action="append", help="this kind; repeatable")
    parser.add_argument("--trials", type=int, help="of each kind, instead of the release's numbers")
    parser.add_argument("--seed", type=int, help="decides victims and moments; default: that of the results, or chance")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results")
    parser.add_argument("--document", action="store_true", help=f"write {DOCUMENT}")
    return parser.parse_args()


def _seed(results: list[dict[str, Any]]) -> int:
    return int(results[-1]["seed"]) if results else random.SystemRandom().getrandbits(32)


def _plan(options: argparse.Namespace, results: list[dict[str, Any]]) -> list[tuple[Kind, int]]:
    done = {(result["kind"], result["trial"]) for result in results}
    return [
        (kind, number) for kind in KINDS if not options.only or kind.name in options.only
        for number in range(options.trials or kind.trials) if (kind.name, number) not in done
    ]  # fmt: skip


def _run(plan: list[tuple[Kind, int]], seed: int, file: Path, results: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder, installed(Path(folder), RATE_PER_S) as installation:
        reader, started = TopicReader(), time.monotonic()
        for place, (kind, number) in enumerate(plan, 1):
            result = asdict(run(installation, reader, kind, number, seed))
            results.append(result)
            with file.open("a") as out:
                out.write(json.dumps(result) + "\n")
            left_s = sum(one.about_s for one, _ in plan[place:])
            pace = (time.monotonic() - started) / sum(one.about_s for one, _ in plan[:place])
            print(_line(result, place, len(plan), left_s * pace / 60), flush=True)


def _line(result: dict[str, Any], place: int, of: int, left_min: float) -> str:
    verdict = "; ".join(result["broken"]) or "held"
    return (
        f"{place}/{of} {result['kind']} {result['trial']}: {result['victim']} recovered in {result['recovery_s']} s, "
        f"{result['verdict']['commands']} commands, took {result['took_s']} s, {verdict}; {left_min:.0f} min left"
    )


if __name__ == "__main__":
    sys.exit(main())
