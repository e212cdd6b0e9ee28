"""`python -m tests.faults`: faults on real processes, as many trials of each kind as the release asks for.

Results are appended to .cache/faults/results.jsonl; a run that was ended goes on where it was. Exit status 1 when a
promise is broken, or a kind of fault met nothing under way in any of its trials.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.faults import report
from tests.faults.installation import installed
from tests.faults.kinds import KINDS, Kind
from tests.faults.planning import Results, options, plan
from tests.faults.trial import run
from tests.faults.verdict import TopicReader

CACHE = Path(".cache/faults")
DOCUMENT = Path("docs/faults.md")
RATE_PER_S = 120.0
START_S = 25.0


def main() -> int:
    """Run what is left of the plan, then write the table."""
    chosen = options(KINDS, "tests.faults", __doc__, DOCUMENT)
    results = Results(CACHE / "results.jsonl", fresh=chosen.fresh)
    seed, left = results.seed(chosen.seed), plan(KINDS, chosen, results)
    about_s = sum(kind.about_s for kind, _ in left) + (START_S if left else 0)
    print(
        f"seed {seed}; {len(left)} trials to do, {len(results.all)} done; about {about_s / 60:.0f} minutes", flush=True
    )
    if left:
        _run(left, seed, results)
    print(report.table(results.all) + "\n" + report.notes(results.all))
    if chosen.document:
        report.write(DOCUMENT, results.all, "make faults")
    return 1 if any(result["broken"] for result in results.all) or report.unproven(results.all) else 0


def _run(left: list[tuple[Kind, int]], seed: int, results: Results) -> None:
    with tempfile.TemporaryDirectory() as folder, installed(Path(folder), RATE_PER_S) as installation:
        reader, started = TopicReader(), time.monotonic()
        for place, (kind, number) in enumerate(left, 1):
            result = asdict(run(installation, reader, kind, number, seed))
            results.add(result)
            left_s = sum(one.about_s for one, _ in left[place:])
            pace = (time.monotonic() - started) / sum(one.about_s for one, _ in left[:place])
            print(_line(result, place, len(left), left_s * pace / 60), flush=True)


def _line(result: dict[str, Any], place: int, of: int, left_min: float) -> str:
    verdict = "; ".join(result["broken"]) or "held"
    return (
        f"{place}/{of} {result['kind']} {result['trial']}: {result['victim']} recovered in {result['recovery_s']} s, "
        f"{result['verdict']['commands']} commands, took {result['took_s']} s, {verdict}; {left_min:.0f} min left"
    )


if __name__ == "__main__":
    sys.exit(main())
