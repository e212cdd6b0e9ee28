"""Factors that are trained apart from the servers: one row says what they are, their bytes are in chunks of 1 MiB.

Chunks, because a million vectors are 150 MB: one value of that size would be held several times over by the server, the
driver and the process, on both sides.

Expands: the code before it runs on.
"""

from servicekit.migrate import step

TABLES = """
CREATE TABLE trained_factors (
    version text NOT NULL PRIMARY KEY,
    engine text NOT NULL,
    positions jsonb NOT NULL,
    items bigint NOT NULL,
    dimensions bigint NOT NULL,
    chunks bigint NOT NULL,
    bytes bigint NOT NULL,
    took_ms bigint NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE trained_factors_chunk (
    version text NOT NULL REFERENCES trained_factors ON DELETE CASCADE,
    number bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (version, number)
);
-- The bytes are random: compressing them would only cost time.
ALTER TABLE trained_factors_chunk ALTER COLUMN body SET STORAGE EXTERNAL
"""

revision, down_revision, upgrade, downgrade = step("0004", "0003", TABLES)
