"""Public values beside the events."""

from alembic import op

from eventfold import schema

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    schema.upgrade(op.get_bind().exec_driver_sql, 3)


def downgrade() -> None:
    raise RuntimeError("migrations only go forward")
