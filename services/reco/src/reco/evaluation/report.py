"""The findings of an evaluation, from the walks of all seeds, and as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TypedDict

import numpy as np

from reco.evaluation.cold import Cold, cold
from reco.evaluation.files import Event, WrongFile
from reco.evaluation.marks import HIT_RATE, NDCG, Spread, gains, hits, over_seeds
from reco.evaluation.ours import HYBRID
from reco.evaluation.outcomes import Outcomes
from reco.evaluation.paired import Interval, paired
from reco.evaluation.walking import Run

BOOTSTRAP_SEED = 0
Differences = dict[str, Interval]
"""By mark."""


class Data(TypedDict):
    """What was walked over. `rarest_item_events`: rarer items were left out; more than 1 looks into the future."""

    first: str
    last: str
    tagged_items: int
    published_items: int
    disliked_events: int
    rarest_item_events: int


class Terms(TypedDict):
    """The protocol. Shares are of the events."""

    name: str
    warm_up: float
    learn_from: float
    nets: int


class Report(TypedDict):
    """`marks`: by variant and by what ranked; `differences`: of the hybrid minus each of them, over the same outcomes,
    with 95% intervals; `cold`: the same marks by what was known; `cost`: by variant, in milliseconds of processor time.
    """

    events: int
    members: int
    items: int
    scored: int
    seeds: int
    data: Data
    protocol: Terms
    columns: list[str]
    versions: dict[str, str]
    marks: dict[str, dict[str, dict[str, Spread]]]
    differences: dict[str, dict[str, Differences]]
    cold: dict[str, dict[str, Cold]]
    cost: dict[str, dict[str, Spread]]


def new_report(events: Sequence[Event], data: Data, protocol: Terms, seeds: int) -> Report:
    """A report without findings."""
    return Report(
        events=len(events),
        members=len({event.member for event in events}),
        items=len({event.content for event in events}),
        scored=0,
        seeds=seeds,
        data=data,
        protocol=protocol,
        columns=[],
        versions={"python": platform.python_version(), "numpy": version("numpy")},
        marks={},
        differences={},
        cold={},
        cost={},
    )


def data_of(events: Sequence[Event], tags: Mapping[str, object], published: Mapping[str, int], rarest: int) -> Data:
    """What the events and contents are."""
    contents = {event.content for event in events}
    return Data(
        first=_day(min((event.unix_time for event in events), default=0)),
        last=_day(max((event.unix_time for event in events), default=0)),
        tagged_items=len(contents & {content for content, own in tags.items() if own}),
        published_items=len(published),
        disliked_events=sum(event.weight <= 0 for event in events),
        rarest_item_events=rarest,
    )


def _day(unix_time: int) -> str:
    return datetime.fromtimestamp(unix_time, UTC).isoformat()


def add_runs(report: Report, variant: str, runs: Sequence[Run]) -> None:
    """Add what the walks of a variant found, one for each seed. Raises `WrongFile` if one of them scored nothing."""
    if not all(run.scored for run in runs):
        raise WrongFile("nothing could be scored: no event after the warm-up speaks for a content")
    marks = [run.marks(report["items"]) for run in runs]
    outcomes = [run.outcomes for run in runs]
    report["scored"] = runs[0].scored
    report["marks"][variant] = {name: over_seeds([one[name] for one in marks]) for name in marks[0]}
    report["cost"][variant] = over_seeds([run.cost() for run in runs])
    report["cold"][variant] = {name: cold(outcomes, name) for name in marks[0]}
    report["differences"][variant] = differences(outcomes, HYBRID, [name for name in marks[0] if name != HYBRID])


def differences(outcomes: Sequence[Outcomes], one: str, others: Sequence[str]) -> dict[str, Differences]:
    """By each other, of each mark: by how much the one is better, over the outcomes of all runs."""
    members = [key.member for run in outcomes for key in run.keys]
    of = {name: np.concatenate([run.of(name) for run in outcomes]) for name in (one, *others)}
    found = {
        mark: paired(members, {name: each(of[one]) - each(of[name]) for name in others}, BOOTSTRAP_SEED)
        for mark, each in ((NDCG, gains), (HIT_RATE, hits))
    }
    return {name: {mark: intervals[name] for mark, intervals in found.items()} for name in others}


def as_json(report: Report) -> str:
    """The report as one JSON document."""
    return json.dumps(report, indent=2)
