"""Tables of projections, declared by NamedTuples, and the statements that follow from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from types import NoneType, UnionType
from typing import Any, Final, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

from eventfold.measured.arrays import literals

Key = tuple[Any, ...]
Row = TypeVar("Row", bound=tuple[Any, ...])
_SQL_TYPES: Mapping[Any, str] = {
    str: "text",
    int: "bigint",
    float: "double precision",
    bool: "boolean",
    bytes: "bytea",
    datetime: "timestamptz",
    date: "date",
    dict: "jsonb",
    list: "jsonb",
}
CHANGED_IN: Final = "changed_in"
_DEFAULTS: Final = {"xid8": " DEFAULT pg_current_xact_id()"}


def _sql_type(hint: Any) -> tuple[str, bool]:
    """PostgreSQL type and nullability of a column annotation such as `int`, `str | None` or `list[str]`."""
    alternatives = [part for part in get_args(hint) if part is not NoneType] if _is_optional(hint) else [hint]
    plain = get_origin(alternatives[0]) or alternatives[0]
    if len(alternatives) != 1 or plain not in _SQL_TYPES:
        raise TypeError(f"no column type for {hint}")
    return _SQL_TYPES[plain], _is_optional(hint)


def _is_optional(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint)


class ReadTable(Generic[Row]):
    """A table of a projection, declared by a NamedTuple whose first `key_columns` fields are the primary key.

    Column types follow from the annotations: str, int (bigint), float, bool, bytes, datetime (timestamptz), date, and
    dict or list (jsonb), each optionally `| None`. Migrations create the table; a test compares them with `create_sql`.

    A `followed` table has one more column, which is not part of a row: `changed_in` is the transaction that last wrote
    the row. Readers that keep up with the table use it (`eventfold.reading.following`). The migration creates an index
    on it.

    `swept_by` names a column of time by which old rows are deleted (`eventfold.fold.sweeping`): rows beyond what is
    kept may be there or not, so a comparison leaves them out. The migration creates an index on it.
    """

    def __init__(
        self, name: str, row_class: type[Row], key_columns: int = 1, *, followed: bool = False, swept_by: str = ""
    ) -> None:
        hints = get_type_hints(row_class)
        self.name = name
        self.row_class = row_class
        self.columns: tuple[str, ...] = row_class._fields  # type: ignore[attr-defined]
        self.key_columns = self.columns[:key_columns]
        self.followed = followed
        self.types = [_sql_type(hints[column]) for column in self.columns]
        if swept_by and ("timestamptz", False) not in [
            kind for column, kind in zip(self.columns, self.types, strict=True) if column == swept_by
        ]:
            raise ValueError(f"{name} cannot be swept by {swept_by}: it is no column of time that is always set")
        self.swept_by = swept_by

    def key(self, row: Row) -> Key:
        """The primary key of a row."""
        return row[: len(self.key_columns)]

    def arrays(self, rows: Sequence[tuple[Any, ...]]) -> list[str]:
        """Rows (or keys) as one array literal per column, for the statements below."""
        kinds = [kind for kind, _ in self.types]
        return literals(kinds[: len(rows[0])], rows)

    def unnest(self, count: int) -> str:
        """The first `count` columns of rows that are given as arrays."""
        return f"unnest({', '.join(f'%s::{kind}[]' for kind, _ in self.types[:count])})"

    @property
    def declared(self) -> list[tuple[str, str, bool]]:
        """Name, PostgreSQL type and nullability of each column of the table, in order."""
        own = [(name, kind, nullable) for name, (kind, nullable) in zip(self.columns, self.types, strict=True)]
        return [*own, (CHANGED_IN, "xid8", False)] if self.followed else own

    @cached_property
    def create_sql(self) -> str:
        """The statement that creates the table as declared."""
        columns = [
            f"{name} {kind}{'' if nullable else ' NOT NULL'}{_DEFAULTS.get(kind, '')}"
            for name, kind, nullable in self.declared
        ]
        return f"CREATE TABLE {self.name} ({', '.join(columns)}, PRIMARY KEY ({', '.join(self.key_columns)}))"

    @cached_property
    def load_sql(self) -> str:
        """Rows of the given keys."""
        keys = ", ".join(self.key_columns)
        columns = ", ".join(f"t.{column}" for column in self.columns)
        return (
            f"SELECT {columns} FROM {self.unnest(len(self.key_columns))} AS k({keys}) JOIN {self.name} t USING ({keys})"
        )

    @cached_property
    def upsert_sql(self) -> str:
        """Insert the given rows or replace those of the same key."""
        names = self.columns
        values = [name for name, _, _ in self.declared if name not in self.key_columns]
        action = "UPDATE SET " + ", ".join(f"{name} = EXCLUDED.{name}" for name in values) if values else "NOTHING"
        return (
            f"INSERT INTO {self.name} ({', '.join(names)}) SELECT * FROM {self.unnest(len(names))} "
            f"ON CONFLICT ({', '.join(self.key_columns)}) DO {action}"
        )

    @cached_property
    def delete_sql(self) -> str:
        """Delete the rows of the given keys."""
        keys = ", ".join(self.key_columns)
        match = " AND ".join(f"t.{name} = k.{name}" for name in self.key_columns)
        return f"DELETE FROM {self.name} t USING {self.unnest(len(self.key_columns))} AS k({keys}) WHERE {match}"
