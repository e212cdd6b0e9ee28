"""`python -m bench.recommending_peers`: the recommender's peers on the same stream, in the same order, by one walk.

Each peer runs in the peers' own environment and writes the rank of each scored event; so does ours. They are compared
event by event: by paired bootstrap over members, with the best of the peers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from bench.environments import ROOT, around, made
from bench.peers.recommending_walk import PEERS
from bench.recommending import RATINGS, absent, convert
from reco.evaluation.marks import NDCG, Spread, over_seeds
from reco.evaluation.ours import HYBRID
from reco.evaluation.outcomes import joined, read_outcomes
from reco.evaluation.report import Differences, differences
from reco.evaluation.table import interval, spread

REQUIREMENTS = ROOT / "bench" / "peers" / "recommending.txt"
WALK_TIMEOUT_S = 7_200
MARKS = ("ndcg_at_10", "hit_rate_at_20", "coverage", "score_ms", "update_ms")


class Job(NamedTuple):
    """One walk of one peer."""

    peer: str
    variant: str
    seed: int


def main(argv: Sequence[str]) -> int:
    """Walk and compare. 0 if it was done or the data is absent, which is said."""
    chosen = _parser().parse_args(argv)
    if absent(chosen.data):
        return 0
    with tempfile.TemporaryDirectory() as folder:
        events, outcomes = Path(folder) / "events.csv", chosen.outcomes or Path(folder) / "outcomes"
        outcomes.mkdir(parents=True, exist_ok=True)
        count = convert(chosen.data / RATINGS, events, chosen.first)
        report = {"events": count, "seeds": chosen.seeds, "versions": {}, "peers": {}, "best": {}}
        for variant in ("strict", "usual") if chosen.variant == "both" else (chosen.variant,):
            _add(report, variant, events, outcomes, chosen)
    print(json.dumps(report, indent=2) if chosen.json else as_text(report))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.recommending_peers", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with u.data")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--variant", choices=["strict", "usual", "both"], default="both")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--ours", choices=["walk", "kept", "none"], default="walk", help="kept: found in --outcomes")
    parser.add_argument("--outcomes", type=Path, help="a folder for the rank of each scored event; else none is kept")
    parser.add_argument("--first", type=int, help="only the earliest so many ratings")
    parser.add_argument("--jobs", type=int, default=2, help="walks at the same time")
    parser.add_argument("--json", action="store_true")
    return parser


def _add(report: dict[str, Any], variant: str, events: Path, outcomes: Path, chosen: argparse.Namespace) -> None:
    """The marks of each peer in one variant, and by how much ours is better than the best."""
    python = made("bench-reco-peers", REQUIREMENTS)
    jobs = [Job(peer, variant, seed) for peer in chosen.peers for seed in range(chosen.seeds)]
    with ThreadPoolExecutor(chosen.jobs) as pool:
        ours = pool.submit(_ours, variant, events, outcomes, chosen.seeds) if chosen.ours == "walk" else None
        found = dict(zip(jobs, pool.map(lambda job: _walked(python, job, events, outcomes), jobs), strict=True))
        if ours:
            ours.result()
    report["versions"] = found[jobs[0]]["versions"]
    report["peers"][variant] = marks = {
        peer: over_seeds([_flat(found[job]) for job in jobs if job.peer == peer]) for peer in chosen.peers
    }
    if chosen.ours != "none":
        best = max(marks, key=lambda peer: marks[peer][NDCG]["mean"])
        report["best"][variant] = {"peer": best, "ours_minus_it": compared(outcomes, variant, best, chosen.seeds)}


def _walked(python: str, job: Job, events: Path, outcomes: Path) -> dict[str, Any]:
    choices = ["--variant", job.variant, "--seed", str(job.seed), "--outcomes", str(_kept(outcomes, *job))]
    command = [python, "-m", "bench.peers.recommending_walk", job.peer, "--events", str(events), *choices]
    print(f"bench: {job.peer}, {job.variant}, seed {job.seed}", file=sys.stderr, flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=around(), timeout=WALK_TIMEOUT_S, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _ours(variant: str, events: Path, outcomes: Path, seeds: int) -> None:
    """The service's own walk, by its command."""
    choices = ["--variant", variant, "--seeds", str(seeds), "--outcomes", str(outcomes), "--json"]
    command = [sys.executable, "-m", "reco", "evaluate", "--events", str(events), *choices]
    subprocess.run(command, stdout=subprocess.DEVNULL, env=around(), timeout=seeds * WALK_TIMEOUT_S, check=True)


def _kept(outcomes: Path, peer: str, variant: str, seed: int) -> Path:
    return outcomes / f"{peer}-{variant}-{seed}.csv"


def _flat(found: dict[str, Any]) -> dict[str, float]:
    return {name: float({**found["marks"], **found["cost"]}[name]) for name in MARKS}


def compared(outcomes: Path, variant: str, peer: str, seeds: int) -> Differences:
    """Ours minus a peer. Raises `WrongFile` unless both walked the same events in the same order."""
    pairs = (
        (read_outcomes(outcomes / f"{variant}-{seed}.csv"), read_outcomes(_kept(outcomes, peer, variant, seed)))
        for seed in range(seeds)
    )
    return differences([joined(ours, theirs) for ours, theirs in pairs], HYBRID, [peer])[peer]


def as_text(report: dict[str, Any]) -> str:
    """A table for each variant, best first."""
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    lines = [f"{report['events']} events, {report['seeds']} seed(s); {versions}"]
    for variant, marks in report["peers"].items():
        lines += ["", f"{variant:13}" + "".join(f"{mark:>17}" for mark in MARKS)]
        lines += [_line(peer, marks[peer]) for peer in sorted(marks, key=lambda peer: -marks[peer][NDCG]["mean"])]
        if best := report["best"].get(variant):
            shown = "; ".join(f"{mark} {interval(one)}" for mark, one in best["ours_minus_it"].items())
            lines.append(f"ours minus {best['peer']}, 95%: {shown}")
    return "\n".join(lines)


def _line(peer: str, marks: dict[str, Spread]) -> str:
    return f"{peer:13}" + "".join(f"{spread(marks[mark], 4):>17}" for mark in MARKS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
