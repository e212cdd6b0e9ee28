"""`python -m bench.recommending_growth`: how the recommender's time and memory grow with the number of items.

Synthetic members take to items of a Zipf-like popularity, each member to items near those taken before, so that there
is something to learn. Each size runs in a process of its own on one core, through the service's own model.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np

from bench.environments import around
from reco.model.model import Model
from reco.model.rows import DAY_US, SECOND_US, Item, Pair
from reco.model.settings import Settings

SIZES: Final = (1_000, 10_000, 100_000)
PAIRS_FOR_AN_ITEM: Final = 10
PAIRS_OF_A_MEMBER: Final = 40
NEAR_SHARE: Final = 0.7
"""Share of takings that are near an earlier one of the member; the rest is by popularity alone."""
NEAR_ITEMS: Final = 50
ZIPF: Final = 0.8
BATCH: Final = 1_000
SIZE_TIMEOUT_S: Final = 3_600
BEST: Final = 20


class Load(NamedTuple):
    """How much is measured."""

    items: int
    requests: int
    updates: int


def main(argv: Sequence[str]) -> int:
    """Measure each size, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="bench.recommending_growth", description=__doc__)
    parser.add_argument("--items", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--requests", type=int, default=1_000, help="members scored and ranked, one by one")
    parser.add_argument("--updates", type=int, default=1_000, help="events taken, each with all work that is then due")
    parser.add_argument("--one", action="store_true", help="measure the first size in this process")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(argv)
    if chosen.one:
        print(json.dumps(measured(Load(chosen.items[0], chosen.requests, chosen.updates), seed=0)))
        return 0
    found = [_apart(Load(items, chosen.requests, chosen.updates)) for items in chosen.items]
    print(json.dumps(found, indent=2) if chosen.json else as_text(found))
    return 0


def _apart(load: Load) -> dict[str, Any]:
    sizes = ["--items", str(load.items), "--requests", str(load.requests), "--updates", str(load.updates)]
    command = [sys.executable, "-m", "bench.recommending_growth", "--one", *sizes]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, timeout=SIZE_TIMEOUT_S, env=around()
    )  # one thread for arithmetic: the figures are of one core
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    _say(load, json.dumps(found))  # at once, so that what fails at a larger size cannot lose it
    return found


def measured(load: Load, seed: int) -> dict[str, Any]:
    """Fill a model, then score and update it; times are of the processor, in milliseconds unless a name says else.
    `rank`: all candidates scored and ranked. `answers`: the best 20 of them with their reasons, too."""
    pairs = stream(load.items, load.items * PAIRS_FOR_AN_ITEM + load.updates, np.random.default_rng(seed))
    model = Model(Settings(), np.random.default_rng([seed, 1]))
    model.take_items(Item(f"c{item}", published_us=0) for item in range(load.items))
    fold_s = _filled(model, pairs, load)
    began = time.process_time()
    model.settle()
    model.sweep()
    refit_s = time.process_time() - began
    ranked = _timed_requests(load, np.random.default_rng([seed, 2]), model.ranked)
    answered = _timed_requests(load, np.random.default_rng([seed, 3]), partial(_answered, model))
    updates = _timed_updates(model, pairs)
    return {
        "items": load.items,
        "pairs": load.items * PAIRS_FOR_AN_ITEM,
        "fold_per_s": load.items * PAIRS_FOR_AN_ITEM / fold_s,
        "first_fit_s": refit_s,
        "rank_ms": float(np.mean(ranked)),
        "rank_p99_ms": float(np.quantile(ranked, 0.99)),
        "answers_per_s": 1e3 / float(np.mean(answered)),
        "update_ms": float(np.mean(updates)),
        "update_p99_ms": float(np.quantile(updates, 0.99)),
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def stream(items: int, count: int, chance: np.random.Generator) -> Iterator[Pair]:
    """Pairs in time order, 30 seconds apart; of a repeated pair each is a newer row."""
    shares = (1.0 + np.arange(items)) ** -ZIPF
    drawn = chance.choice(items, size=count, p=shares / shares.sum())
    members = chance.integers(max(count // PAIRS_OF_A_MEMBER, 1), size=count)
    near = chance.random(count) < NEAR_SHARE
    beside = chance.integers(-NEAR_ITEMS, NEAR_ITEMS + 1, size=count)
    newest: dict[int, int] = {}
    for at, (member, item) in enumerate(zip(members.tolist(), drawn.tolist(), strict=True)):
        taken = (newest[member] + int(beside[at])) % items if near[at] and member in newest else item
        newest[member] = taken
        time_us = 10_000 * DAY_US + at * 30 * SECOND_US
        yield Pair(f"m{member}", f"c{taken}", time_us, time_us, 1.0)


def _filled(model: Model, pairs: Iterator[Pair], load: Load) -> float:
    """Take all but the last `updates` pairs, in batches; returns the seconds of processor time."""
    spent, done, wanted = 0.0, 0, load.items * PAIRS_FOR_AN_ITEM
    while done < wanted:
        batch = [next(pairs) for _ in range(min(BATCH, wanted - done))]
        began = time.process_time()
        model.take(batch)
        spent += time.process_time() - began
        done += len(batch)
        if done % (100 * BATCH) == 0:
            _say(load, f"{done}/{wanted} pairs, {done / spent:.0f}/s, {(wanted - done) * spent / done:.0f} s left")
    return spent


def _timed_requests(load: Load, chance: np.random.Generator, asked: Callable[[str, int], object]) -> list[float]:
    """Ask for random members, at moments of their own, so that nothing is found ready from before."""
    known = max(load.items * PAIRS_FOR_AN_ITEM // PAIRS_OF_A_MEMBER, 1)
    now_us = 11_000 * DAY_US
    found = []
    for at in range(load.requests):
        member = f"m{chance.integers(known)}"
        began = time.process_time()
        asked(member, now_us + at)
        found.append(1e3 * (time.process_time() - began))
    _say(load, f"{load.requests} requests, {np.mean(found):.2f} ms each")
    return found


def _answered(model: Model, member_id: str, now_us: int) -> list[tuple[str, str]]:
    best = model.ranked(member_id, now_us).items[:BEST].tolist()
    return model.explained(member_id, now_us, [model.standing.items.name(item) for item in best])


def _timed_updates(model: Model, pairs: Iterator[Pair]) -> list[float]:
    """Each of the remaining pairs: learned from, taken, and all work done that is then due."""
    found = []
    for pair in pairs:
        began = time.process_time()
        model.take([pair], learn=True)
        model.maintain()
        found.append(1e3 * (time.process_time() - began))
    return found


def _say(load: Load, what: str) -> None:
    print(f"{load.items} items: {what}", file=sys.stderr, flush=True)


def as_text(found: Sequence[dict[str, Any]]) -> str:
    """A column for each size."""
    return "\n".join(f"{name:22}" + "".join(f"{one[name]:>14,.2f}" for one in found) for name in found[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
