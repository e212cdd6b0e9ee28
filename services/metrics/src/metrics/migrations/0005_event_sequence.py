"""The sequence of events in a table of its own."""

from alembic import op

from eventfold import schema

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    schema.upgrade(op.get_bind().exec_driver_sql, 5)


def downgrade() -> None:
    raise RuntimeError("migrations only go forward")
