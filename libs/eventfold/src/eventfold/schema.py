"""The tables that eventfold keeps in a service's own schema. Services call `upgrade` from their migrations."""

from __future__ import annotations

from collections.abc import Callable

VERSION = 1

_V1 = """
CREATE TABLE events (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    type text NOT NULL,
    schema_version smallint NOT NULL,
    data jsonb NOT NULL,
    partition_key text NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    meta jsonb NOT NULL,
    seq bigint,
    CONSTRAINT events_stream_version UNIQUE (stream, version)
);
CREATE INDEX events_unsequenced ON events (position) WHERE seq IS NULL;
CREATE UNIQUE INDEX events_seq ON events (seq) WHERE seq IS NOT NULL;

CREATE TABLE idempotency (
    scope text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    answer jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_created ON idempotency (created_at);

CREATE TABLE lease (
    name text PRIMARY KEY,
    holder text NOT NULL,
    epoch bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    cursor bigint NOT NULL DEFAULT 0
);
CREATE TABLE relay_head (
    topic text NOT NULL,
    partition integer NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);

CREATE TABLE fold_position (
    projection text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    seq bigint NOT NULL,
    occurred_at timestamptz,
    applied_at timestamptz NOT NULL,
    PRIMARY KEY (projection, topic, partition)
);
CREATE TABLE dead_letter (
    projection text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    seq bigint NOT NULL,
    record_key text NOT NULL,
    event_id text NOT NULL,
    reason text NOT NULL,
    headers jsonb NOT NULL,
    value bytea NOT NULL,
    parked_at timestamptz NOT NULL,
    PRIMARY KEY (projection, topic, partition, record_offset)
);

CREATE TABLE subject_key (
    subject_id text PRIMARY KEY,
    wrapped bytea,
    kek_id text NOT NULL,
    created_at timestamptz NOT NULL,
    destroyed_at timestamptz,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);
"""

_STEPS = {1: _V1}


def upgrade(execute: Callable[[str], object], version: int) -> None:
    """Run the statements that bring the tables from `version - 1` to `version` through `execute`."""
    for statement in _STEPS[version].split(";\n"):
        if statement.strip():
            execute(statement)
