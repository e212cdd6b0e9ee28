"""The example domain as its operators see it."""

from __future__ import annotations

from typing import Any

from house import House
from shelf import CODEC, SHELVES, TOPIC, JsonInsteadOfAvro

from eventfold.publish.brokers import Brokers
from eventfold_ops import cli
from eventfold_ops.deployment import Deployment


def deployment(house: House, brokers: Brokers) -> Deployment:
    return Deployment(
        name="library",
        database_url=house.url,
        brokers=brokers,
        group=f"{house.prefix}shelf",
        relay_name="relay",
        codec=CODEC,
        avro=JsonInsteadOfAvro(),
        publisher=house.publisher,
        topics=(TOPIC,),
        groups=(SHELVES,),
        topic_prefix=house.prefix,
    )


async def command(module: Any, deployed: Deployment, *arguments: str) -> int:
    """Run the command that `module` is, with its arguments, as the command line does."""
    name = module.__name__.rsplit(".", 1)[1]
    common, own = [one for one in arguments if one == "--json"], [one for one in arguments if one != "--json"]
    parsed = cli.parser().parse_args([*common, name, *own])
    status: int = await parsed.run(deployed, parsed)
    return status
