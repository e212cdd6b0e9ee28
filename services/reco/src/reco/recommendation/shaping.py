"""From answers to messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from lyceum.common.v1 import common_pb2
from lyceum.reco.v1 import reco_pb2 as pb
from reco.impression.domain import Impression, Shown, ShownItem
from reco.recommendation.application.answers import Suggestion
from reco.recommendation.application.copy import Copy
from reco.recommendation.application.wording import words
from reco.recommendation.domain.signals import SIGNALS
from reco.recommendation.projections import PairRow
from reco.recommendation.queries import Outcome
from servicekit.times import stamp

FINISHED_SHARE = 0.95
"""Who watched so much of content has seen it to the end."""
TASTE_TAGS = 20


def items(copy: Copy, found: Iterable[Suggestion], whys: dict[str, str]) -> list[pb.RecommendedItem]:
    """Recommended items, each with its reason in words. `whys` says of contents why they are the reason of others
    (`finished`, `bought`); those not in it were seen."""
    return [_item(copy, one, whys) for one in found]


def _item(copy: Copy, one: Suggestion, whys: dict[str, str]) -> pb.RecommendedItem:
    cause = copy.items.get(one.because)
    said = words(one.reason, whys.get(one.because, "seen"), cause.title) if cause else words(one.reason)
    return pb.RecommendedItem(
        content_id=one.content_id,
        title=one.title,
        score=one.score,
        reason=one.reason,
        because_content_id=one.because if cause else "",
        words=common_pb2.Words(en=said.en, zh=said.zh),
        creator_id=one.creator_id,
        kind=one.kind,
    )


def impression(
    answer: pb.RecommendResponse, member_id: str, slot: str, at: datetime, found: Sequence[Suggestion]
) -> Impression:
    """What the member is shown with an answer."""
    shown = Shown(
        slot=slot,
        method=answer.method,
        model_version=answer.model_version,
        experiment=answer.experiment or None,
        arm=answer.arm or None,
        personalised=answer.personalised,
        items=tuple(ShownItem(one.content_id, one.source, one.score, one.propensity) for one in found),
    )
    return Impression(member_id, answer.answer_id, at, shown)


def begun(copy: Copy, rows: Iterable[PairRow]) -> list[pb.BegunItem]:
    """What was begun and not finished, out of a member's pairs and in their order."""
    return [_begun(copy, row) for row in rows if _unfinished(copy, row)]


def _unfinished(copy: Copy, row: PairRow) -> bool:
    item = copy.items.get(row.content_id)
    mark = copy.marks(row.member_id).get(row.content_id)
    if item is None or row.completed_at is not None or (mark is not None and mark.hidden is not None):
        return False
    return not item.duration_ms or row.watched_ms < FINISHED_SHARE * item.duration_ms


def _begun(copy: Copy, row: PairRow) -> pb.BegunItem:
    item = copy.items[row.content_id]
    return pb.BegunItem(
        content_id=row.content_id,
        title=item.title,
        watched_ms=row.watched_ms,
        duration_ms=item.duration_ms or 0,
        last_at=stamp(row.last_at),
        purchased=row.purchased_at is not None,
    )


def signals(copy: Copy, rows: Iterable[PairRow]) -> list[pb.SignalItem]:
    """What drives a member's recommendations, out of the member's pairs with published content and in their order."""
    return [
        pb.SignalItem(
            content_id=row.content_id,
            title=item.title,
            signal=SIGNALS[row.weight],
            strength=copy.strength(row),
            last_at=stamp(row.last_at),
            excluded=(mark := copy.marks(row.member_id).get(row.content_id)) is not None and mark.excluded,
        )
        for row in rows
        if (item := copy.items.get(row.content_id)) is not None
    ]


def outcome(found: Outcome) -> pb.Outcome:
    """What members took out of what was shown."""
    return pb.Outcome(
        slot=found.slot,
        method=found.method,
        experiment=found.experiment or "",
        arm=found.arm or "",
        answers=found.answers,
        shown=found.shown,
        taken=found.taken,
        taken_share=found.taken / found.shown if found.shown else 0.0,
    )


def hidden(copy: Copy, member_id: str, at_most: int) -> list[pb.HiddenItem]:
    """A member's hidden contents, newest first."""
    found = [
        (mark.hidden_at, mark.content_id, mark.hidden)
        for mark in copy.marks(member_id).values()
        if mark.hidden is not None and mark.hidden_at is not None and mark.content_id in copy.items
    ]
    return [
        pb.HiddenItem(
            content_id=content_id, title=copy.items[content_id].title, reason=reason, hidden_at=stamp(hidden_at)
        )
        for hidden_at, content_id, reason in sorted(found, reverse=True)[:at_most]
    ]


def taste(copy: Copy, member_ids: Iterable[str]) -> list[pb.TasteTag]:
    """The tags of what these members had, by share."""
    counted, total = Counter[str](), 0
    for member_id in member_ids:
        for item in copy.pairs.history(member_id, None)[1].tolist():
            total += 1
            counted.update(copy.items[copy.pairs.content_id(item)].tags)
    best = sorted(counted.items(), key=lambda one: (-one[1], one[0]))[:TASTE_TAGS]
    return [pb.TasteTag(tag=tag, share_percent=round(100 * count / total)) for tag, count in best]
