"""One trial: load, a fault, an operator's commands, load again, rest, verdict."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.keeper import until
from tests.faults.stack import verdict
from tests.faults.stack.kinds import Kind
from tests.faults.stack.product import Product
from tests.faults.stack.restores import NotAtRest

STEADY_ACTS, STEADY_S = 25, 90.0
BEFORE_S = (0.2, 4.0)
RECOVERY_S, REST_S = 120.0, 120.0
LOGS = Path(".cache/faults-stack/logs")
"""The folder for the logs of trials with a broken promise."""


@dataclass(slots=True)
class Trial:
    """A line of the results. Times count from the end of the fault."""

    kind: str
    trial: int
    seed: int
    victim: str = ""
    acts: int = 0
    up_s: float | None = None
    recovery_s: float | None = None
    agreed_s: float | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    took_s: float = 0.0


def run(product: Product, kind: Kind, number: int, seed: int) -> Trial:
    """Run one trial. Blocks for about a minute. `broken` of the result lists the broken promises."""
    rng = random.Random(f"{seed}/{kind.name}/{number}")
    trial, started = Trial(kind.name, number, seed), time.monotonic()
    try:
        _run(product, kind, trial, rng)
    except NotAtRest as failure:
        trial.broken.append(f"no rest before the fault: {failure}")
    if trial.broken:
        _keep_logs(product, LOGS / f"{kind.name}-{number}")
    trial.took_s = round(time.monotonic() - started, 1)
    return trial


def _run(product: Product, kind: Kind, trial: Trial, rng: random.Random) -> None:
    product.ensure_on_disks()
    journal, before = product.load.journal, len(product.load.journal.acts)
    product.load.go()
    if until(lambda: _done(product, before) >= STEADY_ACTS, STEADY_S) is None:
        trial.broken.append(f"no steady state before the fault: {product.load.last_refusal}")
    time.sleep(rng.uniform(*BEFORE_S))
    done = kind.inflict(product, rng)
    trial.victim, trial.notes = done.victim, done.notes
    if done.rewound and not done.notes["undone"]:
        trial.broken.append("nothing was undone: the trial shows nothing")
    at, since = time.monotonic(), len(journal.acts)
    _repair(product, done.rewound, trial)
    trial.up_s = round(time.monotonic() - at, 1)
    product.load.go()
    recovered = until(lambda: _done(product, since) > 0, RECOVERY_S)
    trial.recovery_s = round(time.monotonic() - at, 1) if recovered else None
    until(lambda: _done(product, since) >= STEADY_ACTS, STEADY_S)
    if not product.load.rest(REST_S):
        trial.broken.append(f"{len(journal.open())} commands stay unanswered: {product.load.last_refusal}")
    trial.broken += verdict.agreed(product)
    trial.agreed_s = round(time.monotonic() - at, 1) if not trial.broken else None
    trial.broken += verdict.doctors(product)
    trial.acts = sum(act.done for act in journal.acts[before:])


def _repair(product: Product, rewound: tuple[str, ...], trial: Trial) -> None:
    """`make up`; if stores were restored to an earlier point, `recover` of each such service, as `make up` says."""
    took = trial.notes.setdefault("took_s", {})
    with _timed(took, "up"):
        status, said = product.up()
    for service in rewound:
        if f"SERVICE={service}" not in said:
            trial.notes.setdefault("not named by up", []).append(service)
        with _timed(took, f"recover {service}"):
            recovered, answer = product.ops(service, "recover")
        if recovered:
            trial.broken.append(f"recover of {service} ended with {recovered}: {answer.strip()[-300:]}")
    if rewound:
        with _timed(took, "up again"):
            status, said = product.up()
    if status:
        trial.broken.append(f"make up ended with {status}: {said.strip()[-500:]}")


@contextmanager
def _timed(took: dict[str, float], what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    took[what] = round(time.monotonic() - started, 1)


def _done(product: Product, since: int) -> int:
    return sum(act.done for act in product.load.journal.acts[since:])


def _keep_logs(product: Product, target: Path) -> None:
    shutil.copytree(product.stack.supervisor.logs, target, dirs_exist_ok=True)
