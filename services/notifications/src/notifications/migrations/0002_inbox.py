"""What happened to members, and how far they have read.

Expands: the code before it runs on.
"""

from servicekit.migrate import step

TABLES = """
CREATE TABLE notification (
    member_id text NOT NULL, notification_id text NOT NULL, kind text NOT NULL, occurred_at timestamptz NOT NULL,
    product_id text, order_id text, amount_minor bigint, currency text, role text,
    PRIMARY KEY (member_id, notification_id)
);
CREATE INDEX notification_by_time ON notification (member_id, occurred_at DESC, notification_id DESC);
CREATE TABLE inbox_read (member_id text NOT NULL, read_until timestamptz NOT NULL, PRIMARY KEY (member_id));
"""

revision, down_revision, upgrade, downgrade = step("0002", "0001", TABLES)
