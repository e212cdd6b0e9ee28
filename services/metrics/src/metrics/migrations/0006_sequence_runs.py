"""The sequence of events as runs."""

from servicekit.migrate import step

revision, down_revision, upgrade, downgrade = step("0006", "0005", tables=6)
