"""`python -m reco evaluate --events FILE.csv`: judge the recommender on a stream of events."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from reco.evaluation.files import Event, WrongFile, read_events, read_features
from reco.evaluation.marks import over_seeds
from reco.evaluation.prequential import Protocol, Run, Walk
from reco.evaluation.report import Report, as_json, as_text
from reco.model.settings import Settings

PROGRESS_EVERY_S = 5.0
MAX_SEEDS = 100


def main(argv: Sequence[str]) -> int:
    """Evaluate and print the findings; 0, or 1 with one sentence on stderr if a file or a choice is wrong."""
    chosen = _parser().parse_args(argv)
    try:
        events, tags = _read(chosen)
        report = _evaluated(_frequent(events, chosen.min_item_events), tags, chosen)
    except WrongFile as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write((as_json(report) if chosen.json else as_text(report)) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reco evaluate", description=__doc__)
    parser.add_argument("--events", type=Path, help="CSV: member, content, unix_time, perhaps weight; else reco's own")
    parser.add_argument(
        "--from", dest="start", type=_moment, help="of reco's own events: from this time on, as 2026-01-31"
    )
    parser.add_argument("--to", dest="end", type=_moment, help="of reco's own events: before this time")
    parser.add_argument("--features", type=Path, help="CSV: content, and tags separated by | or one column a tag")
    parser.add_argument("--protocol", choices=["prequential"], default="prequential", help="predict, then learn")
    parser.add_argument(
        "--variant", choices=["strict", "usual", "both"], default="both", help="strict is to be judged by"
    )
    parser.add_argument("--warm-up", type=_share, default=0.8, help="share of events before the first scored one")
    parser.add_argument("--learn-from", type=_share, default=0.25, help="share of events before the ranker learns")
    parser.add_argument("--seeds", type=_seeds, default=5, help="walks with other random orders within a second")
    parser.add_argument("--jobs", type=_seeds, default=1, help="walks at the same time, each a process")
    parser.add_argument("--nets", type=_seeds, default=1, help="nets whose mean ranks")
    parser.add_argument("--parts", action="store_true", help="each part alone, too")
    parser.add_argument("--min-item-events", type=int, default=1, help="leave out rarer items; looks into the future")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    return parser


def _read(chosen: argparse.Namespace) -> tuple[list[Event], dict[str, tuple[str, ...]]]:
    """Events and the tags of contents: from files, or from the database of a running installation."""
    if chosen.events is None:
        from reco.evaluation.stored import read_stored  # what it imports takes a second

        return read_stored(chosen.start, chosen.end)
    if chosen.start or chosen.end:
        raise WrongFile("--from and --to choose among reco's own events: leave --events out")
    return read_events(chosen.events), read_features(chosen.features) if chosen.features else {}


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _share(text: str) -> float:
    share = float(text)
    if not 0.0 <= share < 1.0:
        raise argparse.ArgumentTypeError("must be at least 0 and below 1")
    return share


def _seeds(text: str) -> int:
    count = int(text)
    if not 1 <= count <= MAX_SEEDS:
        raise argparse.ArgumentTypeError(f"must be 1 to {MAX_SEEDS}")
    return count


def _frequent(events: list[Event], least: int) -> list[Event]:
    counts = Counter(event.content for event in events)
    return [event for event in events if counts[event.content] >= least]


def _evaluated(events: list[Event], tags: dict[str, tuple[str, ...]], chosen: argparse.Namespace) -> Report:
    items = len({event.content for event in events})
    report = Report(
        events=len(events),
        members=len({event.member for event in events}),
        items=items,
        scored=0,
        seeds=chosen.seeds,
        marks={},
        cost={},
    )
    for variant in ("strict", "usual") if chosen.variant == "both" else (chosen.variant,):
        protocol = Protocol(variant, chosen.warm_up, min(chosen.learn_from, chosen.warm_up), chosen.parts)
        walked = partial(_walked, events, tags, protocol, chosen.nets)
        runs = _each(walked, range(chosen.seeds), chosen.jobs)
        report["scored"] = runs[0].scored
        report["marks"][variant] = {
            name: over_seeds([run.marks[name].result(items) for run in runs]) for name in runs[0].marks
        }
        report["cost"][variant] = over_seeds([_cost(run) for run in runs])
    return report


def _each(walked: Callable[[int], Run], seeds: Sequence[int], jobs: int) -> list[Run]:
    """One walk for each seed, at most `jobs` at a time, each in a process with one thread of its own."""
    if jobs == 1:
        return [walked(seed) for seed in seeds]
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for the new processes; they would get in each other's way
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(walked, seeds))


def _cost(run: Run) -> dict[str, float]:
    return {
        "score_ms": 1e3 * run.score_s / max(run.scored, 1),
        "update_ms": 1e3 * run.update_s / max(run.updated, 1),
    }


def _walked(events: list[Event], tags: dict[str, tuple[str, ...]], protocol: Protocol, nets: int, seed: int) -> Run:
    walk = Walk(protocol, Settings(nets=nets), tags, seed, time.process_time)
    began = shown = time.monotonic()
    for run in walk.over(events):
        now = time.monotonic()
        if now - shown >= PROGRESS_EVERY_S:
            shown = now
            _progress(f"{protocol.variant}, seed {seed}", run, len(events), now - began)
    return walk.run


def _progress(name: str, run: Run, total: int, passed_s: float) -> None:
    """One line: how far, how fast, how long still. The end is the slow part, so the time left is a low estimate."""
    rate = run.events / passed_s
    left_s = (total - run.events) / rate
    marks = run.marks.get("hybrid")
    so_far = f", NDCG@10 {marks.gain / marks.outcomes:.4f}" if marks and marks.outcomes else ""
    sys.stderr.write(f"{name}: {run.events}/{total} events, {rate:.0f}/s, {left_s:.0f} s left{so_far}\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
