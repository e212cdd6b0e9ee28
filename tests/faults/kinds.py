"""The faults and their victims. Each returns when it is done, and states whether it can be proven."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.faults.installation import FOLDS, RELAYS, Installation
from tests.faults.keeper import until
from tests.faults.striking import POINTS

STRIKE_WAIT_S, END_WAIT_S = 20.0, 5.0
TAKEOVER_WAIT_S = 15.0
STOPPED_RELAY_S, STOPPED_FOLD_S, STOPPED_SERVER_S = 5.0, 14.0, 6.0
DELAY_S, DELAYED_S = (0.2, 2.0), 2.0
SWALLOWED_S = (1.0, 4.0)
MAX_PASS = 20
ABOUT_S = {"server": 2.5, "relay": 5.0, "fold": 8.5}
"""Approximate length of a trial that kills this process. A fold worker's partitions wait for Kafka's session
timeout."""


@dataclass(slots=True)
class Done:
    """A fault that was done: its victims (names separated by blanks), its time, whether it can be proven, and
    measurements."""

    victim: str
    at: float
    proven: bool
    killed: bool = True
    notes: dict[str, Any] | None = None
    lasts_s: float = 0.0
    """How long the fault lasts from `at`, unless `end` is called earlier."""
    end: Callable[[], object] = lambda: None


Inflict = Callable[[Installation, random.Random], Done]


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table: number of trials, approximate length of one, and the time within which work must go on.

    After a kill, everything accepted before it must also be visible within that time.
    """

    name: str
    trials: int
    about_s: float
    recovery_s: float
    inflict: Inflict


def _victim(installation: Installation, role: str, rng: random.Random) -> str:
    if role == "relay":
        until(installation.leader, TAKEOVER_WAIT_S)
        return installation.leader() or RELAYS[0]
    return rng.choice(FOLDS) if role == "fold" else role


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
        return _kill(installation, [_victim(installation, role, rng)])

    return inflict


def kill_folds(installation: Installation, _rng: random.Random) -> Done:
    """Kill both fold workers, so that none can take over. The restarted workers wait until the killed ones' session
    times out, as a single worker does."""
    return _kill(installation, FOLDS)


def _kill(installation: Installation, victims: Sequence[str]) -> Done:
    keeper, at = installation.keeper, time.time()
    pids = [keeper.signal(victim, signal.SIGKILL) for victim in victims]
    until(lambda: None not in map(keeper.how_it_ended, pids), END_WAIT_S)
    killed = all(keeper.how_it_ended(pid) == -signal.SIGKILL for pid in pids)
    return Done(" ".join(victims), at, killed)


def stop(role: str, stopped_s: float) -> Inflict:
    """SIGSTOP for longer than every timeout. A server has no successor, so its recovery time counts from SIGCONT."""

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
    """Kill PostgreSQL or Kafka; the stack's supervisor starts it again by itself."""

    def inflict(installation: Installation, rng: random.Random) -> Done:
        old, at = installation.stack.pid(name), time.time()
        installation.stack.kill(name)
        gone = until(lambda: installation.stack.pid(name) not in (0, old), 60.0)
        return Done(name, at, gone is not None)

    return inflict


def network(backing: str) -> Inflict:
    """All connections to PostgreSQL or Kafka are reset, or for two seconds every byte is delayed."""

    def inflict(installation: Installation, rng: random.Random) -> Done:
        at = time.time()
        if rng.random() < 0.5:
            return Done("", at, _reset(installation, backing), killed=False, notes={"how": "reset"})
        delay_s, concerned = rng.uniform(*DELAY_S), installation.proxied(backing)
        installation.keeper.tell(f"{backing}-proxy", f"delay {delay_s}")
        time.sleep(DELAYED_S)
        installation.keeper.tell(f"{backing}-proxy", "delay 0")
        return Done("", at, bool(concerned), killed=False, notes={"how": "delay", "delay_s": round(delay_s, 2)})

    return inflict


def swallow(backing: str) -> Inflict:
    """For some seconds PostgreSQL or Kafka gets no requests, or its answers are dropped. Then all connections are
    reset."""

    def inflict(installation: Installation, rng: random.Random) -> Done:
        at, direction, for_s = time.time(), rng.choice(["requests", "answers"]), rng.uniform(*SWALLOWED_S)
        installation.keeper.tell(f"{backing}-proxy", f"swallow {direction}")
        time.sleep(for_s)
        notes = {"how": f"swallow {direction}", "for_s": round(for_s, 2)}
        return Done("", at, _reset(installation, backing), killed=False, notes=notes)

    return inflict


def _reset(installation: Installation, backing: str) -> bool:
    """Reset all connections. Returns whether there were any and all of them are gone."""
    concerned = installation.proxied(backing)
    installation.keeper.tell(f"{backing}-proxy", "reset")
    gone = until(lambda: not concerned & installation.proxied(backing), END_WAIT_S)
    return bool(concerned) and gone is not None


KINDS = (
    *(Kind(point, 20, ABOUT_S[role], 10.0, at_point(point)) for point, role in POINTS.items()),
    *(Kind(f"kill-{role}", 50, about_s, 10.0, kill(role)) for role, about_s in ABOUT_S.items()),
    Kind("kill-both-folds", 20, 9.0, 10.0, kill_folds),
    Kind("stop-relay", 20, 6.0, 10.0, stop("relay", STOPPED_RELAY_S)),
    Kind("stop-fold", 20, 15.0, 30.0, stop("fold", STOPPED_FOLD_S)),
    Kind("stop-server", 20, 7.5, 10.0, stop("server", STOPPED_SERVER_S)),
    Kind("kill-postgres", 20, 5.0, 10.0, kill_backing("postgres")),
    Kind("kill-kafka", 20, 6.0, 20.0, kill_backing("kafka")),
    Kind("postgres-network", 20, 5.0, 20.0, network("postgres")),
    Kind("kafka-network", 20, 5.0, 10.0, network("kafka")),
    Kind("kafka-swallow", 20, 6.0, 10.0, swallow("kafka")),
)
