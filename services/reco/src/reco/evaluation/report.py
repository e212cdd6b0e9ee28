"""The findings as a table with a small plot, or as JSON."""

from __future__ import annotations

import json
from typing import TypedDict

from reco.evaluation.marks import Spread

BAR_WIDTH = 40


class Report(TypedDict):
    """`marks`: by variant and by what ranked; `cost`: by variant, in milliseconds of processor time."""

    events: int
    members: int
    items: int
    scored: int
    seeds: int
    marks: dict[str, dict[str, dict[str, Spread]]]
    cost: dict[str, dict[str, Spread]]


def as_json(report: Report) -> str:
    """The report as one JSON document."""
    return json.dumps(report, indent=2)


def as_text(report: Report) -> str:
    """A table for each variant, best first, with a bar for NDCG@10."""
    head = (
        f"{report['events']} events of {report['members']} members and {report['items']} items; "
        f"{report['scored']} scored; {report['seeds']} seed(s)"
    )
    lines = [head]
    for variant, marks in report["marks"].items():
        cost = report["cost"][variant]
        lines += [
            "",
            f"{variant}: score {_of(cost['score_ms'], 3)} ms, update {_of(cost['update_ms'], 3)} ms per event",
        ]
        lines += [f"{'':16} {'NDCG@10':>15} {'HR@20':>15} {'coverage':>15}"]
        best = max(one["ndcg_at_10"]["mean"] for one in marks.values())
        lines += [_line(name, one, best) for name, one in sorted(marks.items(), key=_worst_last)]
    return "\n".join(lines)


def _worst_last(entry: tuple[str, dict[str, Spread]]) -> float:
    return -entry[1]["ndcg_at_10"]["mean"]


def _line(name: str, marks: dict[str, Spread], best: float) -> str:
    cells = " ".join(f"{_of(marks[mark], 4):>15}" for mark in ("ndcg_at_10", "hit_rate_at_20", "coverage"))
    bar = "#" * round(BAR_WIDTH * marks["ndcg_at_10"]["mean"] / best) if best > 0 else ""
    return f"{name:16} {cells} {bar}"


def _of(spread: Spread, digits: int) -> str:
    return f"{spread['mean']:.{digits}f} ±{spread['spread']:.{digits}f}"
