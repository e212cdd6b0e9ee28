"""Members, and what one of them did: what several slices need."""

from __future__ import annotations

from datetime import datetime

from eventfold.errors import NotFound
from metrics.domain.kinds import INTERACTIONS_SQL
from metrics.domain.windows import Window
from metrics.projections.registry import COMMUNITY_ROLES
from metrics.reading import Reading


async def member_interactions(reading: Reading, member_id: str, window: Window) -> int:
    """Counted interactions of one member."""
    return int((await reading.row(_OF_MEMBER, [member_id, window.first_day, window.last_day]))[0])


_OF_MEMBER = f"""SELECT coalesce(sum({INTERACTIONS_SQL}), 0) FROM member_day
WHERE member_id = %s AND day BETWEEN %s AND %s"""  # noqa: S608


async def require_member(reading: Reading, member_id: str) -> None:
    """Raise `NotFound` unless there is such an account, of any role."""
    if not (await reading.row("SELECT EXISTS (SELECT FROM member WHERE member_id = %s)", [member_id]))[0]:
        raise NotFound("there is no such member", field="member_id", member_id=member_id)


async def members(reading: Reading, before: datetime) -> int:
    """Accounts of community roles registered before an instant."""
    query = "SELECT count(*) FROM member WHERE role = ANY(%s) AND registered_at < %s"
    return int((await reading.row(query, [list(COMMUNITY_ROLES), before]))[0])
