"""Folding in memory, in the way the runtime folds over PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eventfold import Key, Projection, PublicRecord, Rows
from eventfold.fold.readmodel import given

Tables = dict[str, dict[Key, Any]]
"""The rows of each table, by key."""


def folded(projection: Projection, *batches: Sequence[PublicRecord]) -> Tables:
    """The rows after these batches. As in the runtime, the projection receives only events that it names, and can read
    only the rows that `keys` names. Unlike the runtime, which drops applied records, this applies every record."""
    tables: Tables = {table.name: {} for table in projection.tables}
    for batch in batches:
        events = given(projection, batch)
        for name, changed in projection.fold(_loaded(projection, tables, events), events).items():
            _write(tables[name], changed)
    return tables


def _loaded(projection: Projection, tables: Tables, events: Sequence[PublicRecord]) -> Rows:
    keys = projection.keys(events)
    return {name: {key: rows[key] for key in keys.get(name, ()) if key in rows} for name, rows in tables.items()}


def _write(rows: dict[Key, Any], changed: Mapping[Key, Any]) -> None:
    for key, row in changed.items():
        if row is None:
            rows.pop(key, None)
        else:
            rows[key] = row
