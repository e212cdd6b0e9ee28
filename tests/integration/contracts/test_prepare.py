"""`prepare` as a deployment runs it, where a topic is gone."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest

from eventfold.topics import existing_topics
from lyceum_local.stack import LocalStack

PREFIX, TOPIC = "gone.", "lyceum.identity.member"
TIMEOUT_S = 60


@pytest.fixture
def written(backing: LocalStack) -> Iterator[LocalStack]:
    """A stack on which identity has once written a topic that is not on Kafka."""
    backing.prepare(["identity"])
    with psycopg.connect(backing.database_url("identity"), autocommit=True) as conn:
        conn.execute("INSERT INTO relay_head VALUES (%s, 0, 1)", [PREFIX + TOPIC])
        yield backing
        conn.execute("DELETE FROM relay_head WHERE topic = %s", [PREFIX + TOPIC])


def test_a_deployment_ends_instead_of_making_a_lost_topic_anew(written: LocalStack) -> None:
    child = {**os.environ, **written.environment("identity"), "TOPIC_PREFIX": PREFIX}
    command = [sys.executable, "-m", "identity", "prepare"]
    ran = subprocess.run(command, env=child, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert ran.returncode != 0
    assert f"topic {PREFIX + TOPIC}: has a history and is not on Kafka" in ran.stderr + ran.stdout
    assert "replay --lost" in ran.stderr + ran.stdout
    assert not [name for name in asyncio.run(existing_topics(written.kafka_bootstrap)) if name.startswith(PREFIX)]
