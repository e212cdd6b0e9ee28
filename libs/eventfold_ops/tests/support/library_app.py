"""The example domain for `--app library_app:deployment`, described by environment variables as services are."""

from __future__ import annotations

import os

from shelf import CODEC, COUNTING, TOPIC, JsonInsteadOfAvro, to_public

from eventfold.publish import Publisher
from eventfold_ops.deployment import Deployment


def deployment() -> Deployment:
    if "DATABASE_URL" not in os.environ:
        raise ValueError("DATABASE_URL is not set")
    avro, prefix = JsonInsteadOfAvro(), os.environ["TOPIC_PREFIX"]
    return Deployment(
        name="library", database_url=os.environ["DATABASE_URL"], kafka_bootstrap=os.environ["KAFKA_BOOTSTRAP"],
        group=f"{prefix}library", relay_name="relay", codec=CODEC, avro=avro, topics=(TOPIC,), topic_prefix=prefix,
        publisher=Publisher("library", to_public, avro, prefix), projections=(COUNTING,),
    )  # fmt: skip
