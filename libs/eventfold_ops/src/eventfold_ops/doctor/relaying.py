"""Checks of the relay: one leads, everything is sequenced, everything is sent."""

from __future__ import annotations

from eventfold import Connection
from eventfold.write.rows import AFTER, LAST_SEQ
from eventfold_ops.deployment import Deployment
from eventfold_ops.doctor.finding import Finding, broken, ok, warning
from eventfold_ops.output import age

EXPIRED_S = 4.0
"""A successor tries every 0.5 s for a lease of 3 s. A lease that expired longer ago means that nobody tries."""
OVERDUE_S = 30.0
"""Events that wait longer than this are not reached by a leading relay."""

_LEASE = """SELECT holder, epoch, extract(epoch FROM clock_timestamp() - expires_at)::float8, cursor FROM lease
WHERE name = %s"""
_UNSEQUENCED = """SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(recorded_at)), 0)::float8
FROM unsequenced JOIN events USING (position)"""
_FIRST_UNSENT = AFTER.format(f"""{LAST_SEQ} - seq + 1,
extract(epoch FROM clock_timestamp() - recorded_at)::float8""")


async def findings(conn: Connection, deployment: Deployment) -> list[Finding]:
    """Lease, sequencing and sending; only a note for a service that emits nothing."""
    if not deployment.topics:
        return [ok("relay", "not needed: the service emits nothing")]
    lease = await (await conn.execute(_LEASE, [deployment.relay_name])).fetchone()
    unsequenced = await (await conn.execute(_UNSEQUENCED)).fetchone()
    sent = lease[-1] if lease else 0
    unsent = await (await conn.execute(_FIRST_UNSENT, {"after": sent, "rows": 1})).fetchone()
    return [
        _lease(deployment.relay_name, lease),
        _backlog("sequencing", unsequenced, "unsequenced", "see who leads, and what holds its locks"),
        await _refused(conn),
        _backlog("outbox", unsent, "sequenced and not acknowledged", "see the relay's log and Kafka"),
    ]


async def _refused(conn: Connection) -> Finding:
    rows = await (await conn.execute("SELECT event_id, reason FROM refused ORDER BY position LIMIT 3")).fetchall()
    if not rows:
        return ok("refused events", "none")
    says = "; ".join(f"{event_id}: {reason}" for event_id, reason in rows)
    return broken(
        "refused events", says, "what comes after them under their keys waits: docs/runbooks/refused-events.md"
    )


def _lease(name: str, row: tuple[str, int, float, int] | None) -> Finding:
    if row is None:
        return broken("relay lease", f"{name} has never been held", "start the service's relay")
    holder, epoch, expired_s, _ = row
    if expired_s < 0:
        return ok("relay lease", f"held by {holder} in epoch {epoch}")
    if expired_s < EXPIRED_S:
        return warning("relay lease", f"expired {age(expired_s)} ago, last held by {holder}", "look again in a moment")
    says = f"nobody leads since {age(expired_s)}; last was {holder} in epoch {epoch}"
    return broken("relay lease", says, "start the service's relay, or see why it cannot reach its database")


def _backlog(check: str, row: tuple[int, float] | None, what: str, next_step: str) -> Finding:
    count, age_s = row or (0, 0.0)
    if count == 0:
        return ok(check, f"nothing {what}")
    says = f"{count} events {what}, the oldest for {age(age_s)}"
    return (broken if age_s > OVERDUE_S else warning)(check, says, next_step)
