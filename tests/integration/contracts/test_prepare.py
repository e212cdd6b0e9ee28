"""`prepare` as a deployment runs it, where a topic is gone."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest

from eventfold.publish.topics import existing_topics
from lyceum_local.stack import LocalStack

pytestmark = pytest.mark.one_machine("a prepare of its own, with keys on this machine")

PREFIX, TOPIC = "gone.", "lyceum.identity.member"
TIMEOUT_S = 60


@pytest.fixture
def written(backing: LocalStack) -> Iterator[LocalStack]:
    """A stack on which identity has once written a topic that is not on Kafka."""
    backing.prepare(["identity"])
    with psycopg.connect(backing.database_url("identity"), autocommit=True) as conn:
        conn.execute("INSERT INTO relay_head VALUES (%s, 0, 1), (%s, 1, 2)", [PREFIX + TOPIC] * 2)
        yield backing
        conn.execute("DELETE FROM relay_head WHERE topic = %s", [PREFIX + TOPIC])


def test_a_deployment_makes_a_lost_topic_anew_with_the_partitions_that_it_had(written: LocalStack) -> None:
    child = {**os.environ, **written.environment("identity"), "TOPIC_PREFIX": PREFIX}
    command = [sys.executable, "-m", "identity", "prepare"]
    ran = subprocess.run(command, env=child, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert ran.returncode == 0, ran.stderr
    assert f"topic {PREFIX + TOPIC} is not on Kafka: it is made anew" in ran.stderr + ran.stdout
    assert asyncio.run(existing_topics(written.brokers))[PREFIX + TOPIC] == 2
