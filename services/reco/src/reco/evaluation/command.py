"""`python -m reco evaluate --events FILE.csv`: judge the recommender on a stream of events."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from reco.evaluation.card import as_card
from reco.evaluation.files import Event, WrongFile, read_events, read_features, read_published
from reco.evaluation.marks import NDCG, means
from reco.evaluation.ours import HYBRID, Ours
from reco.evaluation.outcomes import write_outcomes
from reco.evaluation.report import Report, Terms, add_runs, as_json, data_of, new_report
from reco.evaluation.table import as_text
from reco.evaluation.walking import Protocol, Run, Walk
from reco.model.settings import Settings

PROGRESS_EVERY_S = 5.0
MAX_SEEDS = 100
FEATURES_HELP = "CSV: content, tags separated by | or one column a tag, perhaps published (seconds): known from then on"


class Contents(NamedTuple):
    """Tags by content, and when contents were published, in seconds."""

    tags: dict[str, tuple[str, ...]]
    published: dict[str, int]


class Choice(NamedTuple):
    """All that walks of one variant share."""

    events: list[Event]
    contents: Contents
    protocol: Protocol
    nets: int
    parts: bool


def main(argv: Sequence[str]) -> int:
    """Evaluate and print the findings; 0, or 1 with one sentence on stderr if a file or a choice is wrong."""
    chosen = _parser().parse_args(argv)
    try:
        events, contents = _read(chosen)
        report = _evaluated(_frequent(events, chosen.min_item_events), contents, chosen)
        if chosen.card:
            chosen.card.write_text(as_card(report), encoding="utf-8")
    except (WrongFile, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write((as_json(report) if chosen.json else as_text(report, chosen.cold)) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reco evaluate", description=__doc__)
    parser.add_argument("--events", type=Path, help="CSV: member, content, unix_time, perhaps weight; else reco's own")
    parser.add_argument(
        "--from", dest="start", type=_moment, help="of reco's own events: from this time on, as 2026-01-31"
    )
    parser.add_argument("--to", dest="end", type=_moment, help="of reco's own events: before this time")
    parser.add_argument("--features", type=Path, help=FEATURES_HELP)
    parser.add_argument("--protocol", choices=["prequential"], default="prequential", help="predict, then learn")
    parser.add_argument(
        "--variant", choices=["strict", "usual", "both"], default="both", help="strict is to be judged by"
    )
    parser.add_argument("--warm-up", type=_share, default=0.8, help="share of events before the first scored one")
    parser.add_argument("--learn-from", type=_share, default=0.25, help="share of events before the ranker learns")
    parser.add_argument("--seeds", type=_seeds, default=5, help="walks with other random orders within a second")
    parser.add_argument("--jobs", type=_seeds, default=1, help="walks at the same time, each a process")
    parser.add_argument("--nets", type=_seeds, default=Settings().nets, help="nets whose mean ranks")
    parser.add_argument("--parts", action="store_true", help="each part alone, too")
    parser.add_argument("--min-item-events", type=int, default=1, help="leave out rarer items; looks into the future")
    parser.add_argument("--cold", action="store_true", help="in the table: marks by what was known; JSON always has it")
    parser.add_argument("--outcomes", type=Path, help="a folder for the rank of each scored event, a CSV for each walk")
    parser.add_argument("--card", type=Path, help="a file for the model card of this run, Markdown")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    return parser


def _read(chosen: argparse.Namespace) -> tuple[list[Event], Contents]:
    """Events, and what is known of contents: from files, or from the database of a running installation."""
    if chosen.events is None:
        from reco.evaluation.stored import read_stored  # what it imports takes a second

        events, tags = read_stored(chosen.start, chosen.end)
        return events, Contents(tags, {})
    if chosen.start or chosen.end:
        raise WrongFile("--from and --to choose among reco's own events: leave --events out")
    if chosen.features is None:
        return read_events(chosen.events), Contents({}, {})
    return read_events(chosen.events), Contents(read_features(chosen.features), read_published(chosen.features))


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


def _evaluated(events: list[Event], contents: Contents, chosen: argparse.Namespace) -> Report:
    learn_from = min(chosen.learn_from, chosen.warm_up)
    terms = Terms(name=chosen.protocol, warm_up=chosen.warm_up, learn_from=learn_from, nets=chosen.nets)
    data = data_of(events, contents.tags, contents.published, chosen.min_item_events)
    report = new_report(events, data, terms, chosen.seeds)
    report["columns"] = list(Ours(Settings(nets=chosen.nets, replay=1), {}, 0, False).model.columns)
    for variant in ("strict", "usual") if chosen.variant == "both" else (chosen.variant,):
        choice = Choice(events, contents, Protocol(variant, chosen.warm_up, learn_from), chosen.nets, chosen.parts)
        runs = []
        for seed, run in enumerate(_each(partial(_walked, choice), range(chosen.seeds), chosen.jobs)):
            _keep(chosen.outcomes, variant, seed, run)  # at once: a run takes long, and may be broken off
            runs.append(run)
        add_runs(report, variant, runs)
    return report


def _keep(folder: Path | None, variant: str, seed: int, run: Run) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_outcomes(folder / f"{variant}-{seed}.csv", run.outcomes)


def _each(walked: Callable[[int], Run], seeds: Sequence[int], jobs: int) -> Iterator[Run]:
    """One walk for each seed, in order, at most `jobs` at a time, each in a process with one thread of its own."""
    if jobs == 1:
        yield from map(walked, seeds)
        return
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for the new processes; they would get in each other's way
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(walked, seeds)


def _walked(walk: Choice, seed: int) -> Run:
    """One walk, with a line of progress every few seconds."""
    ours = Ours(Settings(nets=walk.nets), walk.contents.tags, seed, walk.parts)
    one = Walk(walk.protocol, ours, seed, time.process_time)
    began = shown = time.monotonic()
    for run in one.over(walk.events, walk.contents.published):
        now = time.monotonic()
        if now - shown >= PROGRESS_EVERY_S:
            shown = now
            _end_with_parent()
            _progress(f"{walk.protocol.variant}, seed {seed}", run, len(walk.events), now - began)
    return one.run


def _end_with_parent() -> None:
    """A killed command leaves no walks behind that nobody waits for."""
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        os._exit(1)  # anything less and the pool would wait for the next walk for ever


def _progress(name: str, run: Run, total: int, passed_s: float) -> None:
    """One line: how far, how fast, how long still. The end is the slow part, so the time left is a low estimate."""
    rate = run.events / passed_s
    left_s = (total - run.events) / rate
    so_far = f", NDCG@10 {means(run.outcomes.of(HYBRID))[NDCG]:.4f}" if run.scored else ""
    sys.stderr.write(f"{name}: {run.events}/{total} events, {rate:.0f}/s, {left_s:.0f} s left{so_far}\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
