"""`replay … --partitions 8` as a process, in small steps, for a kill: `slow_replay.py URL BOOTSTRAP PREFIX`."""

from __future__ import annotations

import asyncio
import sys

from deployed import command
from shelf import CODEC, TOPIC, JsonInsteadOfAvro, to_public

from eventfold.publish import generations
from eventfold.publish.brokers import Brokers
from eventfold.publish.publisher import Publisher
from eventfold_ops import replay
from eventfold_ops.deployment import Deployment

EVENTS_A_FILL = 10


def main(url: str, bootstrap: str, prefix: str) -> int:
    deployed = Deployment(
        name="library",
        database_url=url,
        brokers=Brokers(bootstrap),
        group=f"{prefix}shelf",
        relay_name="relay",
        codec=CODEC,
        avro=JsonInsteadOfAvro(),
        publisher=Publisher("/library", to_public, JsonInsteadOfAvro(), prefix),
        topics=(TOPIC,),
        topic_prefix=prefix,
    )
    generations.ROWS_PER_FILL = EVENTS_A_FILL
    replay.NEARLY_FILLED_EVENTS = EVENTS_A_FILL
    return asyncio.run(command(replay, deployed, TOPIC, "--partitions", "8"))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
