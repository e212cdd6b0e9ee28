"""What the ranker has learned."""

from servicekit.migrate import step

TABLES = """
CREATE TABLE learned_state (
    name text NOT NULL PRIMARY KEY,
    version text NOT NULL,
    body bytea NOT NULL,
    saved_at timestamptz NOT NULL DEFAULT now()
)
"""

revision, down_revision, upgrade, downgrade = step("0003", "0002", TABLES)
