"""`python -m tests.faults.stack`: power loss, lost topics and restored databases under the whole product.

Results are appended to .cache/faults-stack/results.jsonl; a run that was ended goes on where it was. Exit status 1 when
a promise is broken.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from tests.faults.planning import Results, options, plan
from tests.faults.stack import report
from tests.faults.stack.disks import to_be_had
from tests.faults.stack.kinds import KINDS, Kind
from tests.faults.stack.product import Product, built
from tests.faults.stack.trial import Trial, run

CACHE = Path(".cache/faults-stack")
DOCUMENT = Path("docs/faults-stack.md")
START_S = 60.0


def main() -> int:
    """Run what is left of the plan, then write the table."""
    chosen = options(KINDS, "tests.faults.stack", __doc__, DOCUMENT)
    results = Results(CACHE / "results.jsonl", fresh=chosen.fresh)
    seed, left = results.seed(chosen.seed), _possible(plan(KINDS, chosen, results))
    about_s = sum(kind.about_s for kind, _ in left) + (START_S if left else 0)
    print(
        f"seed {seed}; {len(left)} trials to do, {len(results.all)} done; about {about_s / 60:.0f} minutes", flush=True
    )
    for place, trial in enumerate(_trials(left, seed), 1):
        results.add(asdict(trial))
        print(f"{place}/{len(left)} {report.line(asdict(trial))}", flush=True)
    print(report.table(results.all) + "\n" + report.notes(results.all))
    if chosen.document:
        report.write(DOCUMENT, results.all, "make faults-stack")
    return 1 if any(result["broken"] for result in results.all) else 0


def _possible(left: list[tuple[Kind, int]]) -> list[tuple[Kind, int]]:
    """The trials that this machine can run. If it has no disks whose power can be cut, kinds that need them are skipped
    and named."""
    if to_be_had():
        return left
    for name in sorted({kind.name for kind, _ in left if kind.needs_disks}):
        print(f"{name}: left out, for no file can be mounted here (root, loop devices, ext4); cut-segment comes close")
    return [one for one in left if not one[0].needs_disks]


def _trials(left: list[tuple[Kind, int]], seed: int) -> Iterator[Trial]:
    """Run the trials in one product while it keeps its promises; after a broken promise, in a new product."""
    with ExitStack() as stack:
        product: Product | None = None
        for kind, number in left:
            if product is None:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lyceum-"))
                product = stack.enter_context(built(Path(folder), seed))
            trial = run(product, kind, number, seed)
            yield trial
            if trial.broken:
                stack.close()
                product = None


if __name__ == "__main__":
    sys.exit(main())
