"""Preferences, access and impressions; and more about each pair and content.

Rebuild `factors` afterwards: content of which the access is not known is not recommended.

Expands: the code before it runs on.
"""

from servicekit.migrate import step

TABLES = """
CREATE TABLE preference (
    member_id text NOT NULL,
    personalised boolean NOT NULL,
    interests jsonb,
    changed_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (member_id)
);
CREATE TABLE content_mark (
    member_id text NOT NULL,
    content_id text NOT NULL,
    hidden text,
    hidden_at timestamptz,
    excluded boolean NOT NULL,
    changed_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (member_id, content_id)
);
CREATE TABLE product (
    product_id text NOT NULL,
    changed_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (product_id)
);
CREATE TABLE entitlement (
    entitlement_id text NOT NULL,
    member_id text NOT NULL,
    product_id text NOT NULL,
    expires_at timestamptz,
    changed_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (entitlement_id)
);
ALTER TABLE interaction
    ADD COLUMN watched_ms bigint NOT NULL DEFAULT 0,
    ADD COLUMN completed_at timestamptz,
    ADD COLUMN purchased_at timestamptz;
ALTER TABLE content_item
    ADD COLUMN access text NOT NULL DEFAULT '',
    ADD COLUMN duration_ms bigint;
CREATE TABLE impression (
    answer_id text NOT NULL,
    member_id text NOT NULL,
    slot text NOT NULL,
    method text NOT NULL,
    model_version text NOT NULL,
    experiment text,
    arm text,
    personalised boolean NOT NULL,
    items jsonb NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (answer_id)
);
CREATE INDEX preference_changed ON preference (changed_in);
CREATE INDEX content_mark_changed ON content_mark (changed_in);
CREATE INDEX product_changed ON product (changed_in);
CREATE INDEX entitlement_changed ON entitlement (changed_in);
-- Views whose strength depends on the duration of their content, which may become known after them.
CREATE INDEX interaction_watched ON interaction (content_id) WHERE watched_ms > 0;
CREATE INDEX impression_shown ON impression (member_id, slot, occurred_at)
"""

revision, down_revision, upgrade, downgrade = step("0002", "0001", TABLES)
