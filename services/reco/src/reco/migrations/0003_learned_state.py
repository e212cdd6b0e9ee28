"""What the model has learned; and impressions by time, for what followed them.

Expands: the code before it runs on.
"""

from servicekit.migrate import step

TABLES = """
CREATE TABLE learned_state (
    name text NOT NULL PRIMARY KEY,
    version text NOT NULL,
    body bytea NOT NULL,
    saved_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX impression_occurred ON impression (occurred_at)
"""

revision, down_revision, upgrade, downgrade = step("0003", "0002", TABLES)
