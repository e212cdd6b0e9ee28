"""Orders in which the same records may reach a fold."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from eventfold import PublicRecord


def rearranged(events: Sequence[PublicRecord], rng: random.Random) -> Iterator[PublicRecord]:
    """The records in another order. The order within each partition is kept, because Kafka keeps only that."""
    lanes: dict[tuple[str, int], list[PublicRecord]] = {}
    for event in events:
        lanes.setdefault((event.topic, event.partition), []).append(event)
    while lanes:
        lane = rng.choice(sorted(lanes))
        yield lanes[lane].pop(0)
        if not lanes[lane]:
            del lanes[lane]


def cut(events: Sequence[PublicRecord], size: int) -> list[Sequence[PublicRecord]]:
    """The records in batches of at most `size`."""
    return [events[at : at + size] for at in range(0, len(events), size)]
