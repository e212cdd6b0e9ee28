"""Histories of the store."""

from servicekit.migrate import step

revision, down_revision, upgrade, downgrade = step("0008", "0007", tables=7)
