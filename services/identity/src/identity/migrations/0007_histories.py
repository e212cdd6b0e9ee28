"""Histories of the store."""

from servicekit.migrate import step

revision, down_revision, upgrade, downgrade = step("0007", "0006", tables=7)
