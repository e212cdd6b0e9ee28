"""Rows say which transaction changed them last, instead of which partition and event."""

from servicekit.migrate import step

FOLLOWED = """
ALTER TABLE interaction DROP COLUMN lane, DROP COLUMN seq,
    ADD COLUMN changed_in xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX interaction_changed ON interaction (changed_in);
ALTER TABLE content_item DROP COLUMN lane, DROP COLUMN seq,
    ADD COLUMN changed_in xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX content_item_changed ON content_item (changed_in)
"""

revision, down_revision, upgrade, downgrade = step("0007", "0006", then=FOLLOWED)
