"""From private events about releases to public ones: released numbers only."""

from __future__ import annotations

from contracts.events import metrics as public
from eventfold import PublicEvent, Recorded
from metrics.release.domain.budget import BudgetGranted, owner_of, rest_of
from metrics.release.domain.release import Drawn, ReleaseMade


def to_public(recorded: Recorded) -> PublicEvent | None:
    """The public form of an event of this slice. A payment has none: what it paid for says what it cost."""
    match recorded.event:
        case BudgetGranted(grant):
            ledger = recorded.stream.split("-", 1)[1]
            return public.RELEASE_BUDGET_GRANTED(
                {
                    "owner": owner_of(ledger),
                    "period": rest_of(ledger),
                    "accounting": grant.accounting,
                    "granted_nano": grant.loss.nano,
                    "granted_delta_femto": grant.loss.delta_femto,
                    "open_percent": grant.open_percent,
                    "occurred_at": recorded.occurred_at,
                }
            )
        case ReleaseMade() as made:
            return public.RELEASE_MADE(_made(made))
        case _:
            return None


def _made(made: ReleaseMade) -> public.ReleaseMade:
    return {
        "release_id": made.release_id,
        "owner": made.owner,
        "period": made.period,
        "question": made.question,
        "data_position": made.position,
        "sources": [
            {"projection": one.projection, "topic": one.topic, "partition": one.partition, "seq": one.seq}
            for one in made.sources
        ],
        "accounting": made.accounting,
        "cost_nano": made.loss.nano,
        "cost_delta_femto": made.loss.delta_femto,
        "open": made.is_open,
        "suppressed": made.is_suppressed,
        "selection_nano": made.selection.nano if made.selection else 0,
        "numbers": [_number(one) for one in made.drawn],
        "public_numbers": [{"name": name, "value": value} for name, value in sorted(made.public.items())],
        "occurred_at": made.made_at,
    }


def _number(one: Drawn) -> public.ReleasedNumber:
    mechanism, bounds = one.mechanism, one.mechanism.bounds
    return {
        "name": one.name,
        "partition": one.partition,
        "value": one.value,
        "half_width": one.half_width,
        "mechanism": {
            "name": mechanism.name,
            "nano": mechanism.nano,
            "partitions_at_most": bounds.partitions,
            "per_partition_at_most": bounds.per_partition,
            "low": bounds.low,
            "high": bounds.high,
        },
    }
