"""A report as tables for the terminal, with a small plot."""

from __future__ import annotations

from collections.abc import Sequence

from reco.evaluation.cold import Cold, Slice
from reco.evaluation.marks import COVERAGE, HIT_RATE, NDCG, Spread
from reco.evaluation.ours import HYBRID
from reco.evaluation.paired import Interval
from reco.evaluation.report import Differences, Report

BAR_WIDTH = 40


def as_text(report: Report, with_cold: bool) -> str:
    """For each variant: a table, best first, with a bar for NDCG@10; by how much the hybrid is better than each other
    with the 95% interval; and `with_cold` the marks by what was known."""
    what = f"{report['events']} events of {report['members']} members and {report['items']} items"
    lines = [f"{what}; {report['scored']} scored; {report['seeds']} seed(s)"]
    for variant in report["marks"]:
        lines += ["", *_marks(report, variant), "", *_differences(report["differences"][variant])]
        if with_cold:
            lines += ["", *_cold(report["cold"][variant][HYBRID])]
    return "\n".join(lines)


def _marks(report: Report, variant: str) -> list[str]:
    cost, marks = report["cost"][variant], report["marks"][variant]
    best = max(one[NDCG]["mean"] for one in marks.values())
    return [
        f"{variant}: score {spread(cost['score_ms'], 3)} ms, update {spread(cost['update_ms'], 3)} ms per event",
        f"{'':16} {'NDCG@10':>15} {'HR@20':>15} {'coverage':>15}",
        *(_line(name, marks[name], best) for name in by_ndcg(marks)),
    ]


def by_ndcg(marks: dict[str, dict[str, Spread]]) -> list[str]:
    """The names, best first."""
    return sorted(marks, key=lambda name: -marks[name][NDCG]["mean"])


def _line(name: str, marks: dict[str, Spread], best: float) -> str:
    cells = " ".join(f"{spread(marks[mark], 4):>15}" for mark in (NDCG, HIT_RATE, COVERAGE))
    bar = "#" * round(BAR_WIDTH * marks[NDCG]["mean"] / best) if best > 0 else ""
    return f"{name:16} {cells} {bar}"


def _differences(found: dict[str, Differences]) -> Sequence[str]:
    return [
        f"{'hybrid minus':16} {'NDCG@10, 95% of':>25} {'HR@20, 95% of':>25}",
        *(f"{name:16} {interval(one[NDCG]):>25} {interval(one[HIT_RATE]):>25}" for name, one in found.items()),
    ]


def _cold(found: Cold) -> Sequence[str]:
    lines = [f"{'hybrid, events':16} {'outcomes':>10} {'NDCG@10':>10} {'HR@20':>10}"]
    return [*lines, *(_slice(f"{what} {one['events']}", one) for what, slices in found.items() for one in slices)]


def _slice(name: str, one: Slice) -> str:
    return f"{name:16} {one['outcomes']:>10} {one['ndcg_at_10']:>10.4f} {one['hit_rate_at_20']:>10.4f}"


def spread(found: Spread, digits: int) -> str:
    """As 0.1234 ±0.0012."""
    return f"{found['mean']:.{digits}f} ±{found['spread']:.{digits}f}"


def interval(found: Interval) -> str:
    """As +0.0123 (+0.0101 +0.0145)."""
    return f"{found['mean']:+.4f} ({found['low']:+.4f} {found['high']:+.4f})"
