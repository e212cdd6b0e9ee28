"""Endpoints, their secrets, and what is told to them.

Expands: the code before it runs on.
"""

from servicekit.migrate import step

TABLES = """
CREATE TABLE endpoint (
    endpoint_id text NOT NULL, member_id text NOT NULL, scope text NOT NULL, types jsonb NOT NULL, state text NOT NULL,
    reason text NOT NULL, registered_at timestamptz NOT NULL,
    PRIMARY KEY (endpoint_id)
);
CREATE INDEX endpoint_by_member ON endpoint (member_id, registered_at DESC);
CREATE INDEX endpoint_by_scope ON endpoint (scope, registered_at DESC);
CREATE TABLE endpoint_secret (
    endpoint_id text NOT NULL, secret_id text NOT NULL, member_id text NOT NULL, box text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (endpoint_id, secret_id)
);
CREATE INDEX endpoint_secret_by_member ON endpoint_secret (member_id);
CREATE INDEX endpoint_secret_by_age ON endpoint_secret (created_at);
CREATE TABLE happened (
    event_id text NOT NULL, type text NOT NULL, aggregate text NOT NULL, concerns text, seq bigint NOT NULL,
    occurred_at timestamptz NOT NULL, recorded_at timestamptz NOT NULL, body text NOT NULL,
    changed_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (event_id)
);
CREATE INDEX happened_changed ON happened (changed_in);
CREATE INDEX happened_by_age ON happened (recorded_at);
CREATE TABLE member_role (
    member_id text NOT NULL, role text NOT NULL,
    PRIMARY KEY (member_id)
);
CREATE TABLE telling (name text PRIMARY KEY, snapshot text NOT NULL, copy text NOT NULL);
CREATE TABLE sending (
    endpoint_id text PRIMARY KEY, next_number bigint NOT NULL DEFAULT 1, next_due_at timestamptz,
    not_before timestamptz, failing_since timestamptz, lane text NOT NULL DEFAULT 'new'
);
CREATE INDEX sending_due ON sending (lane, next_due_at) WHERE next_due_at IS NOT NULL;
CREATE SEQUENCE delivery_taken;
CREATE TABLE delivery (
    endpoint_id text NOT NULL, number bigint NOT NULL, event_id text NOT NULL, type text NOT NULL,
    aggregate text NOT NULL, occurred_at timestamptz NOT NULL, body text NOT NULL, created_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('due', 'waiting', 'delivered', 'failed')), due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0, tries integer NOT NULL DEFAULT 0, first_at timestamptz, taken bigint,
    PRIMARY KEY (endpoint_id, number), UNIQUE (endpoint_id, event_id)
);
CREATE INDEX delivery_due ON delivery (endpoint_id, due_at, number) WHERE state = 'due';
CREATE INDEX delivery_open ON delivery (endpoint_id, aggregate, number) WHERE state IN ('due', 'waiting');
CREATE UNIQUE INDEX delivery_one_due ON delivery (endpoint_id, aggregate) WHERE state = 'due';
CREATE INDEX delivery_failed ON delivery (endpoint_id, number) WHERE state = 'failed';
CREATE INDEX delivery_by_time ON delivery (endpoint_id, created_at DESC, event_id DESC);
CREATE INDEX delivery_by_age ON delivery (created_at);
CREATE TABLE attempt (
    endpoint_id text NOT NULL, number bigint NOT NULL, attempt integer NOT NULL, at timestamptz NOT NULL,
    status integer NOT NULL, took_ms bigint NOT NULL, said text NOT NULL,
    PRIMARY KEY (endpoint_id, number, attempt)
);
"""

revision, down_revision, upgrade, downgrade = step("0001", None, TABLES)
