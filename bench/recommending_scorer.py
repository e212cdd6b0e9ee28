"""`python -m bench.recommending_scorer`: the service's own model behind a pipe, for a harness that runs elsewhere.

Each line in is one JSON request, each line out its answer: `{"take": [[member, content, unix_time], …]}` answers
`{"taken": n}`; `{"rank": [[member, unix_time], …], "count": n}` answers `{"best": [[content, …], …]}`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from reco.evaluation.files import Event
from reco.evaluation.ours import Ours
from reco.evaluation.walking import Published
from reco.model.settings import Settings

SEED = 0


class Scorer:
    """Takes events in the order of time and ranks for members, as the service does."""

    def __init__(self, settings: Settings) -> None:
        self._ours = Ours(settings, {}, SEED, parts=False)
        self._known: set[str] = set()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """One request's answer. Raises `ValueError` if it is neither of the two."""
        if "take" in request:
            return {"taken": self._take(request["take"])}
        if "rank" in request:
            return {"best": [self._ours.best(str(one), int(at), int(request["count"])) for one, at in request["rank"]]}
        raise ValueError(f"neither take nor rank: {sorted(request)}")

    def _take(self, rows: Sequence[Sequence[Any]]) -> int:
        """What happened in one second is learned from together: none of it is known when the others are predicted."""
        events = sorted((Event(str(one), str(what), int(at), 1.0) for one, what, at in rows), key=_second)
        for second, group in groupby(events, key=_second):
            together = list(group)
            self._ours.take(together, learn=True)
            new = dict.fromkeys(event.content for event in together if event.content not in self._known)
            self._known.update(new)
            self._ours.publish([Published(content, second) for content in new])
        return len(events)


def _second(event: Event) -> int:
    return event.unix_time


def answers(lines: Iterable[str], scorer: Scorer) -> Iterator[str]:
    """A line for each line."""
    for line in lines:
        yield json.dumps(scorer.answer(json.loads(line)))


if __name__ == "__main__":
    for said in answers(sys.stdin, Scorer(Settings())):
        print(said, flush=True)
