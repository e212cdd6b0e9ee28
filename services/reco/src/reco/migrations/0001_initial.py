"""The factors' read tables.

Expands: the code before it runs on.
"""

from servicekit.migrate import step

TABLES = """
CREATE TABLE interaction (
    member_id text NOT NULL,
    content_id text NOT NULL,
    weight bigint NOT NULL,
    rating bigint,
    rated_at timestamptz,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    changed_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (member_id, content_id)
);
CREATE INDEX interaction_changed ON interaction (changed_in);
CREATE TABLE content_item (
    content_id text NOT NULL PRIMARY KEY,
    creator_id text NOT NULL,
    kind text NOT NULL,
    title text NOT NULL,
    tags jsonb NOT NULL,
    category text,
    published_at timestamptz NOT NULL,
    changed_in xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX content_item_changed ON content_item (changed_in)
"""

revision, down_revision, upgrade, downgrade = step("0001", None, TABLES)
