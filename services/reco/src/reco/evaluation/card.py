"""A model card (Mitchell et al., arXiv 1810.03993) from a report: whatever it says was measured in that run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reco.evaluation.cold import Cold
from reco.evaluation.marks import COVERAGE, HIT_RATE, NDCG
from reco.evaluation.ours import BLEND, HYBRID
from reco.evaluation.report import Report
from reco.evaluation.table import by_ndcg, interval, spread

FEW_OUTCOMES = 200


def as_card(report: Report) -> str:
    """The card as Markdown."""
    lines = ["# Model card: recommendations of the hybrid", "", *_data(report), "", *_protocol(report), ""]
    for variant in report["marks"]:
        lines += [*_figures(report, variant), ""]
    return "\n".join([*lines, *_limits(report)]) + "\n"


def _data(report: Report) -> list[str]:
    data = report["data"]
    return [
        "## Data",
        "",
        f"- Window: {data['first']} to {data['last']}.",
        f"- {report['events']:,} events of {report['members']:,} members with {report['items']:,} contents.",
        f"- Events that speak against a content: {data['disliked_events']:,}.",
        f"- Contents with tags: {data['tagged_items']:,}; with a time of publication: {data['published_items']:,}.",
    ]


def _protocol(report: Report) -> list[str]:
    terms, versions = report["protocol"], report["versions"]
    return [
        "## Protocol",
        "",
        f"- {terms['name'].capitalize()}: predict each event among all contents known and new to the member, learn.",
        "- strict: nothing of the current second is known; usual: each event of a second, in random order, is.",
        f"- {report['scored']:,} events scored for each of {report['seeds']} seed(s).",
        f"- Scored after the first {terms['warm_up']:.0%} of the events; learned from after {terms['learn_from']:.0%}.",
        f"- Model: {terms['nets']} net(s) over {len(report['columns'])} columns: {', '.join(report['columns'])}.",
        f"- {', '.join(f'{name} {number}' for name, number in versions.items())}.",
    ]


def _figures(report: Report, variant: str) -> list[str]:
    cost = report["cost"][variant]
    return [
        f"## Figures, {variant}",
        "",
        f"Score {spread(cost['score_ms'], 3)} ms, update {spread(cost['update_ms'], 3)} ms an event (processor time).",
        "Means ± sample deviation over seeds; differences with 95% intervals from resampling members.",
        "",
        *_rows(("ranked by", "NDCG@10", "HR@20", "coverage", "hybrid minus it, NDCG@10"), _marks(report, variant)),
        "",
        *_rows(("known events", "outcomes", "NDCG@10", "HR@20"), _cold(report["cold"][variant][HYBRID])),
    ]


def _marks(report: Report, variant: str) -> Iterator[Sequence[str]]:
    marks, differences = report["marks"][variant], report["differences"][variant]
    for name in by_ndcg(marks):
        cells = [spread(marks[name][mark], 4) for mark in (NDCG, HIT_RATE, COVERAGE)]
        yield name, *cells, interval(differences[name][NDCG]) if name in differences else ""


def _cold(found: Cold) -> Iterator[Sequence[str]]:
    for what, slices in found.items():
        for one in slices:
            marks = (f"{one['ndcg_at_10']:.4f}", f"{one['hit_rate_at_20']:.4f}") if one["outcomes"] else ("", "")
            yield f"{what}: {one['events']}", f"{one['outcomes']:,}", *marks


def _rows(head: Sequence[str], rows: Iterator[Sequence[str]]) -> list[str]:
    lines = [head, ["---", *(["---:"] * (len(head) - 1))], *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _limits(report: Report) -> list[str]:
    found = list(_general(report))
    for variant in report["marks"]:
        found += [f"{variant}: {limit}" for limit in _of_variant(report, variant)]
    return ["## Known limits of this run", "", *(f"- {limit}" for limit in found)]


def _general(report: Report) -> Iterator[str]:
    if report["seeds"] == 1:
        yield "One seed: how much another order within seconds would change the figures is not known."
    if report["data"]["rarest_item_events"] > 1:
        least = report["data"]["rarest_item_events"]
        yield f"Contents with fewer than {least} events in all were left out, which looks into the future."
    if not report["data"]["tagged_items"]:
        yield "No content had tags: what rests on them was not tried."
    yield "Only what members took to by themselves is scored, not what they would have taken had it been shown."


def _of_variant(report: Report, variant: str) -> Iterator[str]:
    missed = 1.0 - report["marks"][variant][HYBRID][HIT_RATE]["mean"]
    yield f"{missed:.1%} of what members took next stood in none of the first 20 places."
    for name, one in report["differences"][variant].items():
        if one[NDCG]["low"] <= 0.0:
            what = "the blend before learning" if name == BLEND else name
            yield f"that the hybrid is better than {what} by NDCG@10 is not shown ({interval(one[NDCG])})."
    for what, slices in report["cold"][variant][HYBRID].items():
        few = [one["events"] for one in slices if one["outcomes"] < FEW_OUTCOMES]
        if few:
            yield f"fewer than {FEW_OUTCOMES} outcomes with {what} events {', '.join(few)}: those rows say little."
