"""Checks of the sequence: each event has a number or waits for one, and new events enter the relay's queue."""

from __future__ import annotations

from eventfold import Connection
from eventfold.postgres import schema
from eventfold.write.rows import LAST_SEQ
from eventfold_ops.deployment import Deployment
from eventfold_ops.doctor.finding import Finding, broken, ok

TRIGGER = "note_unsequenced"
ENABLE = f"ALTER TABLE events ENABLE TRIGGER {TRIGGER}"
_FIRES = ("O", "A")

_TRIGGER = f"SELECT tgenabled::text FROM pg_trigger WHERE tgrelid = 'events'::regclass AND tgname = '{TRIGGER}'"

# Between two histories, numbers are left out on purpose (`eventfold.publish.history`). The sums of positions detect
# lost events even when as many others are unqueued; the counts alone would not.
_SEQUENCE = f"""WITH recorded AS (SELECT count(*) AS n, coalesce(sum(position), 0) AS positions FROM events),
waiting AS (SELECT count(*) AS n, coalesce(sum(position), 0) AS positions FROM unsequenced),
numbered AS (SELECT coalesce(sum(length), 0)::bigint AS n,
  coalesce(sum(length * (2 * first_position::numeric + length - 1) / 2), 0) AS positions FROM sequence_run),
left_out AS (SELECT coalesce(sum(first_seq - 1 - greatest(kept_seq, before - 1)), 0)::bigint AS n FROM (
  SELECT number, first_seq, kept_seq, lag(first_seq) OVER (ORDER BY number) AS before FROM history
) AS h WHERE number > 1)
SELECT recorded.n - waiting.n, numbered.n, {LAST_SEQ} - left_out.n - (SELECT count(*) FROM void_seq),
  recorded.positions - waiting.positions = numbered.positions
FROM recorded, waiting, numbered, left_out"""

# Runs do not overlap, so the run below an event's position shows whether the event has a number. The relay removes an
# event from `unsequenced` and numbers it in one transaction. So each snapshot sees the event in one of the two places,
# and the insertion repeats none.
_IN_NO_QUEUE = """FROM events e WHERE e.position >= coalesce((SELECT first_position + length FROM sequence_run
WHERE first_position <= e.position ORDER BY first_position DESC LIMIT 1), 0)
AND NOT EXISTS (SELECT 1 FROM unsequenced u WHERE u.position = e.position)"""
QUEUE = " ".join(f"INSERT INTO unsequenced SELECT e.position {_IN_NO_QUEUE}".split())
"""Puts events that are in no queue into the relay's queue. This lasts only if the trigger records later events."""


async def trigger(conn: Connection, _: Deployment) -> list[Finding]:
    """Whether newly recorded events enter the relay's queue."""
    row = await (await conn.execute(_TRIGGER)).fetchone()
    if row and row[0] in _FIRES:
        return [ok("trigger", "notes what is recorded")]
    says = f"{TRIGGER} on events is {'disabled' if row else 'missing'}: what is recorded is never sent"
    return [broken("trigger", says, f"{ENABLE if row else _made_again()}; then look at the sequence again")]


def _made_again() -> str:
    """The statements from the schema that create the trigger. They also work if a part of it still exists."""
    makes = (f"CREATE FUNCTION {TRIGGER}", f"CREATE TRIGGER {TRIGGER}")
    parts = [one for one in schema.all_statements() if one.startswith(makes)]
    return "; ".join(" ".join(part.replace("CREATE", "CREATE OR REPLACE", 1).split()) for part in parts)


async def sequence(conn: Connection, _: Deployment) -> list[Finding]:
    """The sequence is dense from 1 except for the numbers that histories leave out; each number has its event, and each
    event has a number or a place in the queue.

    Counts the whole store. If the counts do not agree, reads its positions once more.
    """
    row = await (await conn.execute(_SEQUENCE)).fetchone()
    events, numbers, highest, same_positions = row or (0, 0, 0, True)
    if events == numbers == highest and same_positions:
        return [ok("sequence", f"dense up to {highest}")]
    left_out = await (await conn.execute(f"SELECT count(*) {_IN_NO_QUEUE}")).fetchone()
    in_no_queue = left_out[0] if left_out else 0
    return _in_no_queue(in_no_queue) + _missing(highest - (events - in_no_queue), highest - numbers, highest)


def _in_no_queue(count: int) -> list[Finding]:
    says = f"{count} events are in nobody's queue: they have no number, and no relay looks for them"
    return [broken("sequence", says, f"the trigger first, then the queue: {ENABLE}; {QUEUE};")] if count else []


def _missing(events: int, numbers: int, highest: int) -> list[Finding]:
    says = f"{events} events are missing below {highest}, and {numbers} numbers"
    advice = "events are never deleted: restore the store from its backup"
    return [broken("sequence", says, advice)] if events or numbers else []
