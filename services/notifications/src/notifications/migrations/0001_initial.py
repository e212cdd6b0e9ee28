"""Endpoints and their secrets."""

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
"""

revision, down_revision, upgrade, downgrade = step("0001", None, TABLES)
