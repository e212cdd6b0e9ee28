"""From private impressions to public ones."""

from __future__ import annotations

from contracts.events import reco as public
from eventfold import PublicEvent, Recorded
from reco.impression.domain import IMPRESSION, Shown, ShownItem, answer_of

_PREFIX = IMPRESSION.stream("")


def to_public(recorded: Recorded) -> PublicEvent | None:
    """The public form of an impression."""
    if not isinstance(shown := recorded.event, Shown):
        return None
    return public.IMPRESSION_SHOWN(
        {
            "member_id": recorded.partition_key,
            "answer_id": answer_of(recorded.stream.removeprefix(_PREFIX)),
            "slot": shown.slot,
            "method": shown.method,
            "model_version": shown.model_version,
            "experiment": shown.experiment,
            "arm": shown.arm,
            "personalised": shown.personalised,
            "items": [_item(one) for one in shown.items],
            "occurred_at": recorded.occurred_at,
        }
    )


def _item(one: ShownItem) -> public.ShownItem:
    return {
        "content_id": one.content_id,
        "source": one.source,
        "score": one.score,
        "propensity": one.propensity,
    }
