"""Generations of topics."""

from servicekit.migrate import step

revision, down_revision, upgrade, downgrade = step("0002", "0001", tables=2)
