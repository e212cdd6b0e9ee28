"""Names of advisory locks. PostgreSQL has one room of them for each database, whatever schemas share it."""

from __future__ import annotations


def key(kind: str, name: str = "''") -> str:
    """SQL for the key of a lock: of this installation's schema, a kind of lock and an SQL expression for what it is of.

    Every advisory lock is taken under such a key, so that two installations in one database never wait for each other,
    and two kinds of lock of one never for what is only named alike.
    """
    return f"hashtextextended({qualified(kind, name)}, 0)"


def qualified(kind: str, name: str = "''") -> str:
    """SQL for the text that `key` hashes, for functions that hash it themselves.

    Its collation is told: names have one of their own, a function that is given one compares by it within, and could
    then use no index over texts.
    """
    return f"current_schema() COLLATE \"default\" || '|{kind}|' || {name}"
