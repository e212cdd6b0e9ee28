"""One trial: load, a fault in mid-work, recovery, rest, verdict."""

from __future__ import annotations

import random
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.installation import Installation
from tests.faults.keeper import until
from tests.faults.kinds import Kind
from tests.faults.verdict import TopicReader, Verdict, judge

STEADY_COMMANDS, STEADY_WAIT_S = 20, 60.0
FOLDING_LOOK_S = 0.25
BEFORE_S = (0.2, 1.2)
RECOVERY_WAIT_S = 90.0
LOGS = Path(".cache/faults/logs")
"""The folder for the logs of trials with a broken promise."""
PROMISES = ("lost", "doubled_in_store", "missing_on_topic", "doubled_in_projection", "disorder")
TAKEOVER_S = 5.0
PROMISED = "promised are"
"""Stands in what is said of a time alone, which depends on the machine."""


@dataclass(slots=True)
class Trial:
    """A line of the results."""

    kind: str
    trial: int
    seed: int
    victim: str = ""
    fired: bool = False
    mid_work: bool = False
    recovery_s: float | None = None
    all_visible_s: float | None = None
    restarted: list[str] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)
    notes: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    took_s: float = 0.0


def run(installation: Installation, reader: TopicReader, kind: Kind, number: int, seed: int) -> Trial:
    """Run one trial. Blocks for some seconds. `broken` of the result lists the broken promises."""
    rng = random.Random(f"{seed}/{kind.name}/{number}")
    trial, load, started = Trial(kind.name, number, seed), f"{kind.name}-{number}", time.monotonic()
    installation.keeper.tell("client", f"load {load}")
    steady = until(installation.folding, STEADY_WAIT_S, FOLDING_LOOK_S)
    if not steady or until(lambda: len(installation.visible(load)) >= STEADY_COMMANDS, STEADY_WAIT_S) is None:
        trial.broken.append("no steady state before the fault")
    time.sleep(rng.uniform(*BEFORE_S))
    before, seen = installation.pids(), _under_way(installation, load)
    done = kind.inflict(installation, rng)
    trial.victim, trial.fired, trial.notes = done.victim, done.proven, done.notes or {}
    trial.mid_work = done.proven and (seen or "pass" in trial.notes or _sent_about(installation, done.at))
    trial.recovery_s = _recovery_s(installation, load, done.at, done.lasts_s)
    done.end()
    trial.recovery_s = trial.recovery_s or _recovery_s(installation, load, done.at, RECOVERY_WAIT_S)
    if not installation.drain():
        trial.broken.append("commands stay unanswered")
    trial.verdict, arrived_at = judge(installation, load, reader)
    trial.all_visible_s = None if arrived_at is None else round(arrived_at - done.at, 2)
    trial.restarted = sorted(name for name, pid in installation.pids().items() if before.get(name) != pid)
    trial.broken += _broken(kind, trial, killed=done.killed)
    if trial.broken:
        installation.keep_logs(LOGS / load)
    trial.took_s = round(time.monotonic() - started, 1)
    return trial


def _under_way(installation: Installation, load: str) -> bool:
    """Whether a command is sent and not yet answered, or answered and not yet in the projection."""
    shown = installation.visible(load)
    installation.read_record()
    return any(shelf.startswith(f"{load}.") and n not in shown for n, (shelf, _) in installation.sent.items())


def _sent_about(installation: Installation, at: float) -> bool:
    """Whether a command was in flight at that moment."""
    installation.read_record()
    return any(
        sent <= at <= installation.acknowledged.get(number, at) for number, (_, sent) in installation.sent.items()
    )


def _recovery_s(installation: Installation, load: str, at: float, wait_s: float) -> float | None:
    """Seconds from the fault until the projection shows a command that was sent after it."""

    def shown() -> bool:
        installation.read_record()
        new = {number for number, (_, sent) in installation.sent.items() if sent > at}
        return bool(new & installation.visible(load))

    when = until(shown, wait_s)
    return None if when is None else round(when - at, 2)


def _broken(kind: Kind, trial: Trial, *, killed: bool) -> list[str]:
    counts = asdict(trial.verdict)
    broken = [f"{name}: {counts[name]}" for name in PROMISES if counts[name]]
    broken += _late("recovery took", trial.recovery_s, kind.recovery_s)
    if killed and trial.fired:
        broken += _late("all was visible after", trial.all_visible_s, kind.recovery_s)
    expected = set(trial.victim.split()) if killed and trial.fired else set()
    if set(trial.restarted) != expected:
        broken.append(f"restarted {trial.restarted}, expected {sorted(expected)}")
    takeover_s = trial.notes.get("takeover_s", 0.0)
    return broken + _late("a successor led after", takeover_s, TAKEOVER_S)


def _late(what: str, seconds: float | None, promised_s: float) -> list[str]:
    """What is said of a time that is longer than promised; what never came is told without the promise."""
    if seconds is None:
        return [f"{what}: never"]
    return [f"{what} {seconds} s, {PROMISED} {promised_s} s"] if seconds > promised_s else []
