"""Generations of topics."""

from alembic import op

from eventfold import schema

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    schema.upgrade(op.get_bind().exec_driver_sql, 2)


def downgrade() -> None:
    raise RuntimeError("migrations only go forward")
