"""The tables that eventfold keeps in a service's own schema, and their version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from eventfold.errors import EventfoldError

VERSION = 9


class Unversioned(EventfoldError):
    """The schema has an event store without a version: it is older than versioning."""

    def __init__(self) -> None:
        super().__init__("this schema has tables of eventfold without a version: make it anew from a backup or empty")


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

# For emitters: the generations of their topics, from the first replay on (before it there is generation 1, without a
# row). For consumers: the partitions of each topic when it was first read, and the partitions that a closing record has
# ended.
_V2 = """
CREATE TABLE topic_generation (
    topic text NOT NULL,
    generation integer NOT NULL CHECK (generation > 0),
    partitions integer NOT NULL CHECK (partitions > 0),
    state text NOT NULL CHECK (state IN ('filling', 'filled', 'current', 'closing', 'closed')),
    predecessor_lost boolean NOT NULL DEFAULT false,
    cursor bigint NOT NULL DEFAULT 0,
    heads bigint[] NOT NULL,
    next_offsets bigint[] NOT NULL,
    barrier jsonb,
    PRIMARY KEY (topic, generation)
);
CREATE UNIQUE INDEX topic_generation_current ON topic_generation (topic) WHERE state = 'current';

CREATE TABLE topic_read (
    topic text PRIMARY KEY,
    partitions integer NOT NULL
);
ALTER TABLE fold_position ADD COLUMN closed boolean NOT NULL DEFAULT false;

CREATE TABLE snapshot (
    stream text PRIMARY KEY,
    schema_version integer NOT NULL,
    version integer NOT NULL,
    state jsonb NOT NULL
);
"""

# `public_value` is the public form of an event, encoded when it is recorded. NULL: it has no public form, or an older
# server wrote it. `events_in_turn` waits for the locks of hot streams and then reads. In a function each statement sees
# the rows that were committed before the statement began. So the read sees the events that were written during the
# wait, and both steps take one round trip.
_V3 = """
ALTER TABLE events ADD COLUMN public_value bytea;

CREATE FUNCTION events_in_turn(locked text[], streams text[], known integer[]) RETURNS SETOF events
LANGUAGE plpgsql AS $$ DECLARE one text; BEGIN
  FOREACH one IN ARRAY locked LOOP PERFORM pg_advisory_xact_lock(hashtextextended(one, 0)); END LOOP; RETURN QUERY
  SELECT e.* FROM events e JOIN unnest(streams, known) AS w(stream, known) USING (stream)
  WHERE version > w.known ORDER BY e.stream, version; END $$;
"""

# At most one due date for each stream. `attempts` counts the looks at it since the event of `version` set it.
_V4 = """
CREATE TABLE due_date (
    stream_type text NOT NULL,
    stream_id text NOT NULL,
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    version integer NOT NULL,
    set_at timestamptz NOT NULL,
    correlation_id text NOT NULL,
    PRIMARY KEY (stream_type, stream_id)
);
CREATE INDEX due_date_by_time ON due_date (due_at);
"""

# Events are written once. A trigger records the events without a sequence number, so that they are published whoever
# inserts them, even an older server. `position` refers to an event without a foreign key: events are never deleted, and
# checking each one would cost as much as the rest. Dropping the index first locks the table for the rest of the
# migration.
_V5 = """
DROP INDEX events_unsequenced;
CREATE TABLE unsequenced (position bigint PRIMARY KEY);
CREATE TABLE event_sequence (
    seq bigint PRIMARY KEY,
    position bigint NOT NULL UNIQUE
);
INSERT INTO unsequenced SELECT position FROM events WHERE seq IS NULL;
INSERT INTO event_sequence SELECT seq, position FROM events WHERE seq IS NOT NULL;
ALTER TABLE events DROP COLUMN seq;

CREATE FUNCTION note_unsequenced() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO unsequenced SELECT position FROM made; RETURN NULL; END $$;
CREATE TRIGGER note_unsequenced AFTER INSERT ON events REFERENCING NEW TABLE AS made
FOR EACH STATEMENT EXECUTE FUNCTION note_unsequenced();
"""

# Events of a batch mostly have consecutive positions, so one run replaces the rows of many events. The view is for
# people, and for a server of the previous build, which looks up a `seq` there; it reads all runs. A relay of that build
# may be at work: the numbers that it gave after the copy would be lost with the table, and given a second time. The
# first statement locks it out.
_V6 = """
ALTER TABLE event_sequence RENAME TO event_sequence_before;
CREATE TABLE sequence_run (
    first_seq bigint PRIMARY KEY,
    first_position bigint NOT NULL UNIQUE,
    length integer NOT NULL CHECK (length > 0)
);
INSERT INTO sequence_run SELECT min(seq), min(position), count(*) FROM (
  SELECT seq, position, count(*) FILTER (WHERE begins) OVER (ORDER BY seq) AS run FROM (
    SELECT seq, position, position IS DISTINCT FROM lag(position) OVER (ORDER BY seq) + 1 AS begins
    FROM event_sequence_before
  ) AS each) AS numbered GROUP BY run;
DROP TABLE event_sequence_before;
CREATE VIEW event_sequence AS SELECT first_seq + n AS seq, first_position + n AS position
FROM sequence_run, generate_series(0, length - 1) AS n;
"""

# A store that was restored to an earlier point begins another history: see `eventfold.publish.history`. Numbers and
# positions from before are kept up to `kept_seq` and `kept_position`. An event that the broker will not accept is
# `refused`: it loses its number, which is then void, and waits in the queue with all later events of its key.
_V7 = """
CREATE TABLE history (
    number integer PRIMARY KEY CHECK (number > 0),
    nonce text NOT NULL UNIQUE,
    first_seq bigint NOT NULL,
    kept_seq bigint NOT NULL,
    kept_position bigint NOT NULL,
    begun_at timestamptz NOT NULL
);
INSERT INTO history VALUES (1, replace(gen_random_uuid()::text, '-', ''), 1, 0, 0, clock_timestamp());
ALTER TABLE fold_position ADD COLUMN history text;
ALTER TABLE topic_generation ADD COLUMN rewound boolean NOT NULL DEFAULT false;

CREATE TABLE refused (
    position bigint PRIMARY KEY,
    partition_key text NOT NULL,
    event_id text NOT NULL,
    reason text NOT NULL,
    refused_at timestamptz NOT NULL,
    attempts integer NOT NULL,
    next_try_at timestamptz NOT NULL
);
CREATE TABLE void_seq (seq bigint PRIMARY KEY);
"""

# The same, with a limit on the events of each stream. The older form stays for servers of an older build.
_V8 = """
CREATE FUNCTION events_in_turn(locked text[], streams text[], known integer[], at_most integer) RETURNS SETOF events
LANGUAGE plpgsql AS $$ DECLARE one text; BEGIN
  FOREACH one IN ARRAY locked LOOP PERFORM pg_advisory_xact_lock(hashtextextended(one, 0)); END LOOP; RETURN QUERY
  SELECT e.* FROM events e JOIN unnest(streams, known) AS w(stream, known) USING (stream)
  WHERE version > w.known AND version <= w.known::bigint + at_most ORDER BY e.stream, version; END $$;
"""

# The settings that decide what is in the rows of a projection's tables, as they were when the rows were folded: see
# `eventfold.postgres.built_under`.
_V9 = """
CREATE TABLE built_under (
    projection text NOT NULL,
    setting text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (projection, setting)
);
"""

# One row with the version of the tables.
_NOTE = """
CREATE TABLE eventfold_schema (version integer NOT NULL);
INSERT INTO eventfold_schema VALUES (0);
"""
_NOTED = "UPDATE eventfold_schema SET version = {}"

_STEPS = {1: _V1, 2: _V2, 3: _V3, 4: _V4, 5: _V5, 6: _V6, 7: _V7, 8: _V8, 9: _V9}


def statements(script: str) -> list[str]:
    """The statements of an SQL script. Each statement ends with a semicolon at the end of a line."""
    return [statement for part in (script + "\n").split(";\n") if (statement := part.strip())]


def step(version: int) -> list[str]:
    """The statements that bring the tables from `version - 1` to `version`."""
    return statements(_STEPS[version])


def all_statements() -> list[str]:
    """The statements that create the present tables in an empty schema."""
    made = [statement for version in _STEPS for statement in step(version)]
    return [*statements(_NOTE), *made, _NOTED.format(VERSION)]


Query = Callable[[str], Sequence[Sequence[Any]]]
"""Runs a statement in the caller's transaction, and returns its rows if it has any."""


def version(query: Query) -> int | None:
    """The version of the tables in the present schema; None if there are no tables. Raises `Unversioned`."""
    if query("SELECT to_regclass('eventfold_schema')::text") != [("eventfold_schema",)]:
        if query("SELECT to_regclass('events')::text") == [("events",)]:
            raise Unversioned
        return None
    return int(query("SELECT version FROM eventfold_schema")[0][0])


def upgrade(query: Query) -> None:
    """Bring the tables to `VERSION`. Does nothing if they have this version, or a higher one from a newer build. The
    caller makes sure that nobody else upgrades this schema at the same time. Raises `Unversioned`."""
    found = version(query)
    for statement in statements(_NOTE) if found is None else ():
        query(statement)
    for number in range((found or 0) + 1, VERSION + 1):
        for statement in step(number):
            query(statement)
        query(_NOTED.format(number))
