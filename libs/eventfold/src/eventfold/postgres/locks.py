"""Names of advisory locks. PostgreSQL has one name space for them in each database, shared by all schemas."""

from __future__ import annotations


def key(kind: str, name: str = "''") -> str:
    """SQL for the key of a lock. It is made of this installation's schema, the kind of lock, and an SQL expression for
    the locked object's name.

    Every advisory lock is taken under such a key. So two installations in one database never wait for each other, and
    two kinds of lock never collide on the same name.
    """
    return f"hashtextextended({qualified(kind, name)}, 0)"


def qualified(kind: str, name: str = "''") -> str:
    """SQL for the text that `key` hashes, for functions that hash it themselves.

    The collation is stated because type `name` has a collation of its own. A function that gets such an argument
    compares by that collation inside, and could then use no index over texts.
    """
    return f"current_schema() COLLATE \"default\" || '|{kind}|' || {name}"
