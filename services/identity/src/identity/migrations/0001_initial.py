"""Member directory.

Expands: the code before it runs on.
"""

from servicekit.migrate import step

TABLES = """
CREATE TABLE member_directory (
    member_id text NOT NULL,
    role text NOT NULL,
    claimed boolean NOT NULL,
    registered_at timestamptz NOT NULL,
    PRIMARY KEY (member_id)
)
"""

revision, down_revision, upgrade, downgrade = step("0001", None, TABLES)
