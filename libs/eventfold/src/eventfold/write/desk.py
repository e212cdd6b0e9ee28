"""Decisions in memory: the known states of streams, and the decisions on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from eventfold.errors import DomainError, TooMuchAtOnce, UnexpectedVersion
from eventfold.vocabulary.codec import EventCodec
from eventfold.vocabulary.decider import Address, Ask, Context, Item, Recorded
from eventfold.write.rows import StoredRow, size_bytes
from eventfold.write.snapshots import Known

MAX_AT_ONCE_BYTES = 64 * 1024 * 1024
"""Limit for the events of one transaction: their JSON and their public forms together."""
MAX_AT_ONCE_EVENTS = 10_000
"""Limit for one transaction: events that others record meanwhile become visible only after it."""
ITEMS_AT_A_STRETCH = 50
"""Number of decisions after which other tasks of the process get a turn."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one item: its new events (none if it had been done before), or the error that refused it."""

    events: tuple[Recorded, ...] = ()
    error: DomainError | None = None


def unwritten(one: Address) -> Known:
    """A stream before its first event."""
    return Known(0, one.stream_type.decider.initial)


def grown(known: Known, one: Address, events: Sequence[Recorded]) -> Known:
    """The state after further events."""
    state = reduce(one.stream_type.decider.evolve, (recorded.event for recorded in events), known.state)
    return Known(known.version + len(events), state, events[-1].recorded_at if events else known.recorded_at)


class Desk:
    """Takes the decisions of one transaction over the loaded streams. Each decision sees the results of the earlier
    ones."""

    def __init__(
        self,
        codec: EventCodec,
        known: Mapping[str, Known],
        asks: Mapping[str, Ask],
        row_of: Callable[[Recorded], StoredRow],
    ) -> None:
        self._codec = codec
        self._row_of = row_of
        self.rows: list[StoredRow] = []
        self._bytes = 0
        self.asks = asks
        self.states: dict[str, Known] = dict(known)

    async def decide_all(self, items: Sequence[Item], context: Context) -> list[Outcome]:
        """The outcome of each item, in order. Other tasks of this process get turns in between."""
        outcomes: list[Outcome] = []
        for n, item in enumerate(items, 1):
            outcomes.append(self.decide(item, context))
            if n % ITEMS_AT_A_STRETCH == 0:
                await asyncio.sleep(0)
        return outcomes

    def decide(self, item: Item, context: Context) -> Outcome:
        """The outcome of the item. Its rows are added to `rows`. An item is refused by its decider, or because an event
        of it cannot be recorded or exceeds a limit together with the others; a refused item changes no state."""
        tentative: dict[str, Known] = {}
        events: list[Recorded] = []
        try:
            for ask in item.asks:
                version, state, recorded_at = tentative.get(ask.stream) or self.states[ask.stream]
                if ask.expected is not None and ask.expected != version:
                    raise UnexpectedVersion(ask.stream, ask.expected, version)
                for event in ask.stream_type.decider.decide(ask.command, state):
                    version, state = version + 1, ask.stream_type.decider.evolve(state, event)
                    events.append(self._record(ask, version, event, item.context or context))
                    recorded_at = events[-1].recorded_at
                tentative[ask.stream] = Known(version, state, recorded_at)
            rows = [self._row_of(event) for event in events]
            if (bytes_now := self._bytes + sum(map(size_bytes, rows))) > MAX_AT_ONCE_BYTES:
                raise TooMuchAtOnce(MAX_AT_ONCE_BYTES, "bytes")
            if len(self.rows) + len(rows) > MAX_AT_ONCE_EVENTS:
                raise TooMuchAtOnce(MAX_AT_ONCE_EVENTS, "events")
        except DomainError as error:
            return Outcome(error=error)
        self.states.update(tentative)
        self.rows += rows
        self._bytes = bytes_now
        return Outcome(tuple(events))

    def _record(self, ask: Ask, version: int, event: Any, context: Context) -> Recorded:
        name = self._codec.types[type(event)][0]
        occurred_at = context.occurred_at or context.now
        key = ask.stream_type.partition_key(ask.stream_id)
        return Recorded(
            stream=ask.stream,
            version=version,
            event=event,
            type=name,
            partition_key=key,
            occurred_at=occurred_at,
            recorded_at=context.now,
            meta=context.meta(),
        )
