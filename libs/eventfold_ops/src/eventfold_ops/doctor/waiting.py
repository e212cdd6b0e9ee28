"""Checks of due dates: due streams are looked at, and settled after few looks."""

from __future__ import annotations

from eventfold import Connection
from eventfold_ops.deployment import Deployment
from eventfold_ops.doctor.finding import Finding, broken, ok, warning
from eventfold_ops.output import age

OVERDUE_S = 30.0
"""A worker looks once a second, and its successor comes within 4 s. If a date is later than this, no worker looks."""
MANY_LOOKS = 10

_DUE = """SELECT count(*) FILTER (WHERE due_at <= clock_timestamp()),
  coalesce(extract(epoch FROM clock_timestamp() - min(due_at)), 0)::float8,
  count(*) FILTER (WHERE attempts >= %s), count(*) FROM due_date"""
_UNSETTLED = """SELECT stream_type, stream_id FROM due_date WHERE attempts >= %s
ORDER BY attempts DESC, stream_id LIMIT 1"""


async def due_dates(conn: Connection, _: Deployment) -> list[Finding]:
    """Whether a worker looks at due dates, and which streams are looked at again and again."""
    row = await (await conn.execute(_DUE, [MANY_LOOKS])).fetchone()
    overdue, late_s, unsettled, waiting = row or (0, 0.0, 0, 0)
    if overdue and late_s > OVERDUE_S:
        says = f"{overdue} streams are due, the oldest for {age(late_s)}"
        return [broken("due dates", says, "start the service's server: its due-date worker looks at them")]
    if unsettled:
        kind, stream_id = await (await conn.execute(_UNSETTLED, [MANY_LOOKS])).fetchone() or ("", "")
        says = f"{unsettled} streams were looked at {MANY_LOOKS} times or more, {kind} {stream_id} the most"
        return [warning("due dates", says, "see the log for what is refused when due, or the provider's state")]
    return [ok("due dates", f"{waiting} streams wait, none is late")]
