"""Due dates of streams."""

from alembic import op

from eventfold import schema

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    schema.upgrade(op.get_bind().exec_driver_sql, 4)


def downgrade() -> None:
    raise RuntimeError("migrations only go forward")
