"""The event store's tables and the factors' read tables."""

from __future__ import annotations

from alembic import op

from eventfold import schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE interaction (
    member_id text NOT NULL,
    content_id text NOT NULL,
    weight bigint NOT NULL,
    rating bigint,
    rated_at timestamptz,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    lane bigint NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (member_id, content_id)
);
CREATE INDEX interaction_changed ON interaction (lane, seq);
CREATE TABLE content_item (
    content_id text NOT NULL PRIMARY KEY,
    creator_id text NOT NULL,
    kind text NOT NULL,
    title text NOT NULL,
    tags jsonb NOT NULL,
    category text,
    published_at timestamptz NOT NULL,
    lane bigint NOT NULL,
    seq bigint NOT NULL
);
CREATE INDEX content_item_changed ON content_item (lane, seq)
"""


def upgrade() -> None:
    connection = op.get_bind()
    schema.upgrade(connection.exec_driver_sql, 1)
    for statement in schema.statements(TABLES):
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    raise RuntimeError("migrations go forward only")
