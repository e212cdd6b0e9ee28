"""The example domain as its operators see it."""

from __future__ import annotations

import argparse
from typing import Any

from house import House
from shelf import CODEC, COUNTING, TOPIC, JsonInsteadOfAvro

from eventfold_ops.deployment import Deployment


def deployment(house: House, bootstrap: str) -> Deployment:
    return Deployment(
        name="library", database_url=house.url, kafka_bootstrap=bootstrap, group=f"{house.prefix}shelf",
        relay_name="relay", codec=CODEC, avro=JsonInsteadOfAvro(), publisher=house.publisher, topics=(TOPIC,),
        projections=(COUNTING,), topic_prefix=house.prefix,
    )  # fmt: skip


async def command(module: Any, deployed: Deployment, *arguments: str) -> int:
    """Run a command's module as the command line does."""
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    status: int = await module.run(deployed, parser.parse_args(arguments))
    return status
