"""Reading which endpoints there are."""

from __future__ import annotations

from eventfold import Pool
from notifications.endpoint.projections import EndpointRow
from servicekit.paging import PageStart

_COLUMNS = ", ".join(EndpointRow._fields)
_LIST = f"""SELECT {_COLUMNS} FROM endpoint
WHERE state <> 'removed' AND (%(member)s::text IS NULL OR member_id = %(member)s)
  AND (%(before)s::timestamptz IS NULL OR (registered_at, endpoint_id) < (%(before)s::timestamptz, %(after_id)s))
ORDER BY registered_at DESC, endpoint_id DESC LIMIT %(limit)s"""  # noqa: S608 - names of columns
_ONE = f"SELECT {_COLUMNS} FROM endpoint WHERE endpoint_id = %s AND state <> 'removed'"  # noqa: S608
_COUNT = "SELECT count(*) FROM endpoint WHERE member_id = %s AND state <> 'removed'"


class Endpoints:
    """Reads the index."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def one(self, endpoint_id: str) -> EndpointRow | None:
        """The endpoint, as far as it is folded; None if there is none."""
        async with self._pool.connection() as conn:
            row = await (await conn.execute(_ONE, [endpoint_id])).fetchone()
        return EndpointRow._make(row) if row else None

    async def page(self, member_id: str | None, after: PageStart | None, limit: int) -> list[EndpointRow]:
        """The newest first; of one member, or of all."""
        arguments = {
            "member": member_id,
            "before": after.at if after else None,
            "after_id": after.id if after else "",
            "limit": limit,
        }
        async with self._pool.connection() as conn:
            rows = await (await conn.execute(_LIST, arguments)).fetchall()
        return [EndpointRow._make(row) for row in rows]

    async def count(self, member_id: str) -> int:
        """How many endpoints a member has."""
        async with self._pool.connection() as conn:
            row = await (await conn.execute(_COUNT, [member_id])).fetchone()
        return int(row[0]) if row else 0
