"""Public values beside the events."""

from servicekit.migrate import step

revision, down_revision, upgrade, downgrade = step("0003", "0002", tables=3)
