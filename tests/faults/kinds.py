"""The faults: what each does to whom. Each returns when it is done and says what it can prove about itself."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.faults.installation import Installation
from tests.faults.keeper import until
from tests.faults.striking import POINTS

STRIKE_WAIT_S, END_WAIT_S = 20.0, 5.0
TAKEOVER_WAIT_S = 15.0
STOPPED_RELAY_S, STOPPED_FOLD_S, STOPPED_SERVER_S = 5.0, 14.0, 6.0
MAX_PASS = 20


@dataclass(slots=True)
class Done:
    """What a fault did: to whom, when, whether it can be proven, and what else was measured."""

    victim: str
    at: float
    proven: bool
    killed: bool = True
    notes: dict[str, Any] | None = None
    lasts_s: float = 0.0
    """How long the fault goes on from `at`, unless `end` is called before."""
    end: Callable[[], object] = lambda: None


Inflict = Callable[[Installation, random.Random], Done]


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table: how often, how long about, and within which time work must go on."""

    name: str
    trials: int
    about_s: float
    recovery_s: float
    inflict: Inflict


def _victim(installation: Installation, role: str, rng: random.Random) -> str:
    if role == "relay":
        until(installation.leader, TAKEOVER_WAIT_S)
        return installation.leader() or "relay-1"
    return rng.choice(["fold-1", "fold-2"]) if role == "fold" else role


def at_point(point: str) -> Inflict:
    def inflict(installation: Installation, rng: random.Random) -> Done:
        installation.strikes.arm(point, rng.randint(1, MAX_PASS))
        fired: list[dict[str, Any]] = []

        def struck() -> bool:
            record = installation.strikes.fired(point)
            fired.extend([record] if record else [])
            return bool(fired)

        if until(struck, STRIKE_WAIT_S) is None:
            installation.strikes.disarm(point)
            return Done(POINTS[point], time.time(), proven=False)
        pid = fired[0]["pid"]
        until(lambda: installation.keeper.how_it_ended(pid) is not None, END_WAIT_S)
        name = next((name for name, ended, _ in installation.keeper.ended if ended == pid), POINTS[point])
        by_kill = installation.keeper.how_it_ended(pid) == -signal.SIGKILL
        return Done(name, fired[0]["at"], by_kill, notes={"pass": fired[0]["pass"]})

    return inflict


def kill(role: str) -> Inflict:
    def inflict(installation: Installation, rng: random.Random) -> Done:
        victim = _victim(installation, role, rng)
        at = time.time()
        pid = installation.keeper.signal(victim, signal.SIGKILL)
        until(lambda: installation.keeper.how_it_ended(pid) is not None, END_WAIT_S)
        return Done(victim, at, installation.keeper.how_it_ended(pid) == -signal.SIGKILL)

    return inflict


def stop(role: str, stopped_s: float) -> Inflict:
    """SIGSTOP past every timeout. A server has no successor: its clock starts when it goes on."""

    def inflict(installation: Installation, rng: random.Random) -> Done:
        victim = _victim(installation, role, rng)
        at = time.time()
        installation.keeper.signal(victim, signal.SIGSTOP)

        def go_on() -> None:
            time.sleep(max(0.0, at + stopped_s - time.time()))
            installation.keeper.signal(victim, signal.SIGCONT)

        done = Done(victim, at, proven=True, killed=False, lasts_s=stopped_s, end=go_on)
        if role == "relay":
            taken = until(lambda: installation.leader() not in ("", victim), stopped_s)
            done.notes = {"takeover_s": None if taken is None else round(taken - at, 2)}
        if role == "server":
            go_on()
            done = Done(victim, time.time(), proven=True, killed=False)
        return done

    return inflict


def kill_backing(name: str) -> Inflict:
    """The stack's supervisor starts it again by itself."""

    def inflict(installation: Installation, rng: random.Random) -> Done:
        old, at = installation.stack.pid(name), time.time()
        installation.stack.kill(name)
        gone = until(lambda: installation.stack.pid(name) not in (0, old), 60.0)
        return Done(name, at, gone is not None)

    return inflict


def network(installation: Installation, rng: random.Random) -> Done:
    """Connections to PostgreSQL are reset, or every byte is late for two seconds."""
    at = time.time()
    if rng.random() < 0.5:
        installation.keeper.tell("proxy", "reset")
        return Done("", at, True, killed=False, notes={"how": "reset"})
    delay_s = rng.uniform(0.2, 2.0)
    installation.keeper.tell("proxy", f"delay {delay_s}")
    time.sleep(2.0)
    installation.keeper.tell("proxy", "delay 0")
    return Done("", at, True, killed=False, notes={"how": "delay", "delay_s": round(delay_s, 2)})


KINDS = (
    *(Kind(point, 20, 8.0, 10.0, at_point(point)) for point in POINTS),
    *(Kind(f"kill-{role}", 50, 7.0, 10.0, kill(role)) for role in ("server", "relay", "fold")),
    Kind("stop-relay", 20, 11.0, 10.0, stop("relay", STOPPED_RELAY_S)),
    Kind("stop-fold", 20, 20.0, 30.0, stop("fold", STOPPED_FOLD_S)),
    Kind("stop-server", 20, 11.0, 10.0, stop("server", STOPPED_SERVER_S)),
    Kind("kill-postgres", 20, 10.0, 30.0, kill_backing("postgres")),
    Kind("kill-kafka", 20, 25.0, 60.0, kill_backing("kafka")),
    Kind("postgres-network", 20, 8.0, 20.0, network),
)
