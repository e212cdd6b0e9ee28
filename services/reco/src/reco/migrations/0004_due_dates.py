"""Due dates of streams."""

from servicekit.migrate import step

revision, down_revision, upgrade, downgrade = step("0004", "0003", tables=4)
