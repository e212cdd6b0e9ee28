"""The example domain for `--app library_app:deployment`, described by environment variables as services are."""

from __future__ import annotations

import os
from dataclasses import replace

from shelf import CODEC, SHELVES, TOPIC, JsonInsteadOfAvro, to_public

from eventfold import EventCodec
from eventfold.publish.brokers import Brokers
from eventfold.publish.publisher import Publisher
from eventfold.timers.intents import EVENTS
from eventfold_ops.deployment import Deployment


def deployment() -> Deployment:
    if "DATABASE_URL" not in os.environ:
        raise ValueError("DATABASE_URL is not set")
    avro, prefix = JsonInsteadOfAvro(), os.environ["TOPIC_PREFIX"]
    return Deployment(
        name="library",
        database_url=os.environ["DATABASE_URL"],
        brokers=Brokers(os.environ["KAFKA_BOOTSTRAP"]),
        group=f"{prefix}library",
        relay_name="relay",
        codec=CODEC,
        avro=avro,
        topics=(TOPIC,),
        topic_prefix=prefix,
        publisher=Publisher("/library", to_public, avro, prefix),
        groups=(SHELVES,),
    )


def with_intents() -> Deployment:
    """A service of the same tables that asks providers."""
    bare = deployment()
    publisher = Publisher("/library", lambda _: None, bare.avro, bare.topic_prefix)
    return replace(bare, codec=EventCodec(dict(EVENTS)), publisher=publisher)
