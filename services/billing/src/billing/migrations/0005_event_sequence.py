"""The sequence of events in a table of its own."""

from servicekit.migrate import step

revision, down_revision, upgrade, downgrade = step("0005", "0004", tables=5)
