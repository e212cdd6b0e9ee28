"""Event store and member directory."""

from alembic import op

from eventfold import schema

revision = "0001"
down_revision = None


def upgrade() -> None:
    execute = op.get_bind().exec_driver_sql
    schema.upgrade(execute, 1)
    execute(
        "CREATE TABLE member_directory (member_id text NOT NULL, role text NOT NULL, claimed boolean NOT NULL, "
        "registered_at timestamptz NOT NULL, PRIMARY KEY (member_id))"
    )


def downgrade() -> None:
    raise RuntimeError("migrations only go forward")
