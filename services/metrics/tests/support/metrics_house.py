"""metrics over a real PostgreSQL, from public events to the answers of its RPCs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from google.protobuf.json_format import MessageToDict
from metrics_facts import Fact, on_topics

from eventfold.fold.runs import PartitionBatch
from metrics.bootstrap import definition
from servicekit.caller import Caller
from servicekit.testing import Delivered, House, housed

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 3, 10, 20, 30, tzinfo=SHANGHAI)
ADMIN = Caller("admin", "admin", "session")


class MetricsHouse(House):
    """Hears of facts, and answers operators."""

    async def hear(self, facts: Iterable[Fact]) -> None:
        """Fold facts, each partition of a topic in order. Hearing the same facts again changes nothing."""
        await self.runner.apply(
            [
                PartitionBatch(topic, partition, [self._delivered(at, *one) for at, one in enumerate(found)])
                for (topic, partition), found in on_topics(facts).items()
            ]
        )

    def _delivered(self, offset: int, seq: int, fact: Fact) -> Delivered:
        value = self.wiring.avro.encode(fact.kind.name, fact.data)
        return Delivered(offset, fact.key.encode(), value, list(fact.headers(seq).items()))

    async def asked(self, request: Any, caller: Caller = ADMIN) -> dict[str, Any]:
        """The answer as JSON names it, every field included."""
        answer = await self.call(request, caller)
        return MessageToDict(answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


@contextlib.asynccontextmanager
async def metrics_house(
    postgres_url: str, key_dir: Path, zone: ZoneInfo = SHANGHAI, **settings: Any
) -> AsyncIterator[MetricsHouse]:
    """The service with days of `zone`, at `NOW`."""
    given = {"metrics_zone": zone.key, **settings}
    async with housed(definition(zone), postgres_url, key_dir, MetricsHouse, **given) as house:
        house.now = NOW
        yield house
