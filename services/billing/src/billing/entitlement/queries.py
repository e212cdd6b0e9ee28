"""Entitlements by member."""

from __future__ import annotations

from billing.entitlement.projections import TABLE, EntitlementRow
from billing.reading import before, rows_of
from eventfold import Pool
from servicekit.paging import PageStart

_ENTITLEMENT = f"SELECT {', '.join(TABLE.columns)} FROM entitlement"  # noqa: S608 - declared names


class Entitlements:
    """Reads what members may use."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def of(self, member_id: str, after: PageStart | None, limit: int) -> list[EntitlementRow]:
        """What a member may use, newest first."""
        below, values = before("granted_at", "entitlement_id", after)
        sql = f"{_ENTITLEMENT} WHERE member_id = %s{below} ORDER BY granted_at DESC, entitlement_id DESC LIMIT %s"
        return [EntitlementRow._make(row) for row in await rows_of(self._pool, sql, [member_id, *values, limit])]
