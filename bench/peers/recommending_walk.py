"""A peer of the recommender walks a stream, predict then learn, in the peers' own environment.

`python -m bench.peers.recommending_walk PEER --events FILE --variant strict --seed 0 --outcomes FILE` prints progress
on stderr and, last, one line of JSON: marks, cost and versions.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Final

from bench.peers.recommending_scoring import Scoring
from reco.evaluation.files import Event, read_events
from reco.evaluation.marks import NDCG, means
from reco.evaluation.outcomes import write_outcomes
from reco.evaluation.walking import Protocol, Run, Walk

PROGRESS_EVERY_S = 5.0
FIT_FROM = 0.99
PEERS: Final[Mapping[str, str]] = {
    "popularity": "counts:Popularity",
    "item-knn": "counts:ItemKnn",
    "markov": "counts:Markov",
    "ease": "linear:Ease",
    "rectools": "rectools:RecToolsEase",
    "implicit-als": "factors:Als",
    "implicit-bpr": "factors:Bpr",
    "lightfm": "factors:LightFm",
}
"""Where each is found, so that a peer imports only its own library."""
PACKAGES = ("numpy", "scipy", "pm-implicit", "rectools", "rectools-lightfm")


def main(argv: Sequence[str]) -> int:
    """Walk; 0."""
    parser = argparse.ArgumentParser(prog="bench.peers.recommending_walk", description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--events", type=Path, required=True)
    parser.add_argument("--variant", choices=["strict", "usual"], default="strict")
    parser.add_argument("--warm-up", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--outcomes", type=Path)
    chosen = parser.parse_args(argv)
    events = read_events(chosen.events)
    # A peer has nothing to learn from outcomes: what it fits long before the first scored event would never be asked.
    protocol = Protocol(chosen.variant, chosen.warm_up, FIT_FROM * chosen.warm_up)
    run = walked(peer(chosen.peer)(chosen.seed), events, protocol, chosen.seed)
    if chosen.outcomes:
        write_outcomes(chosen.outcomes, run.outcomes)
    items = len({event.content for event in events})
    found = {"marks": run.marks(items)[chosen.peer], "cost": run.cost(), "versions": versions()}
    print(json.dumps(found))
    return 0


def peer(name: str) -> Callable[[int], Scoring]:
    """The class of a peer."""
    module, _, kind = PEERS[name].partition(":")
    found: Callable[[int], Scoring] = getattr(import_module(f"bench.peers.recommending_{module}"), kind)
    return found


def walked(contestant: Scoring, events: list[Event], protocol: Protocol, seed: int) -> Run:
    """One walk, with a line of progress every few seconds."""
    walk = Walk(protocol, contestant, seed, time.process_time)
    began = shown = time.monotonic()
    for run in walk.over(events):
        now = time.monotonic()
        if now - shown >= PROGRESS_EVERY_S:
            shown, rate = now, run.events / (now - began)
            so_far = f", NDCG@10 {means(run.outcomes.of(contestant.name))[NDCG]:.4f}" if run.scored else ""
            left = f"{(len(events) - run.events) / rate:.0f} s left"
            print(f"{contestant.name}: {run.events}/{len(events)}, {rate:.0f}/s, {left}{so_far}", file=sys.stderr)
    return walk.run


def versions() -> dict[str, str]:
    """Of the packages that the peers rest on."""
    return {name: version(name) for name in PACKAGES}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
