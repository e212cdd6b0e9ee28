"""The settings that decide what is in a projection's rows, recorded beside the rows.

Processes of one service get their settings one by one, and one of them may get another value than the rest. Whoever
folds or reads such rows compares its own values with the recorded ones before. Only a rebuild changes what is recorded:
together with the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from eventfold.errors import BuiltUnderOther
from eventfold.postgres.sessions import Connection

Settings = Mapping[str, Mapping[str, str]]
"""By the name of a projection: the names and values of the settings that decide what is in its rows."""

_FOUND = "SELECT projection, setting, value FROM built_under WHERE projection = ANY(%s)"
_NOTE = """INSERT INTO built_under SELECT * FROM unnest(%s::text[], %s::text[], %s::text[])
ON CONFLICT (projection, setting) DO NOTHING"""


async def check(conn: Connection, wanted: Settings) -> None:
    """Raise `BuiltUnderOther` for the first setting whose recorded value is another. What is not recorded is not
    compared."""
    if wanted:
        _refuse_difference(wanted, await _found(conn, wanted))


async def keep(conn: Connection, wanted: Settings) -> None:
    """As `check`, and record the settings that are not recorded yet. In the caller's transaction, if there is one."""
    if not wanted:
        return
    found = await _found(conn, wanted)
    missing = [(*place, value) for place, value in _each(wanted) if place not in found]
    if missing:
        await conn.execute(_NOTE, _columns(missing))
        found = await _found(conn, wanted)  # another process may have recorded its own values first
    _refuse_difference(wanted, found)


async def differences(conn: Connection, wanted: Settings) -> Sequence[BuiltUnderOther]:
    """The refusal for each setting whose recorded value is another. Raises none of them."""
    return list(_differences(wanted, await _found(conn, wanted)))


async def _found(conn: Connection, wanted: Settings) -> dict[tuple[str, str], str]:
    cursor = await conn.execute(_FOUND, [list(wanted)])
    return {(projection, setting): value for projection, setting, value in await cursor.fetchall()}


def _each(wanted: Settings) -> Iterable[tuple[tuple[str, str], str]]:
    for projection, settings in sorted(wanted.items()):
        for setting, value in sorted(settings.items()):
            yield (projection, setting), value


def _columns(rows: Sequence[tuple[str, str, str]]) -> list[list[str]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _differences(wanted: Settings, found: Mapping[tuple[str, str], str]) -> Iterable[BuiltUnderOther]:
    for place, value in _each(wanted):
        if found.get(place, value) != value:
            yield BuiltUnderOther(*place, found[place], value)


def _refuse_difference(wanted: Settings, found: Mapping[tuple[str, str], str]) -> None:
    for refusal in _differences(wanted, found):
        raise refusal
