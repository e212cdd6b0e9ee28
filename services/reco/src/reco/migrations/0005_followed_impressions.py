"""The process that learns follows the impressions.

Expands: the code before it runs on.
"""

from servicekit.migrate import step

TABLES = """
ALTER TABLE impression ADD COLUMN changed_in xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX impression_changed ON impression (changed_in)
"""

revision, down_revision, upgrade, downgrade = step("0005", "0004", TABLES)
