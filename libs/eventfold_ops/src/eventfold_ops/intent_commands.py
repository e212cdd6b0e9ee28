"""`eventfold intents`: list the intents that providers have not settled, and ask again if no answer ever came."""

from __future__ import annotations

import argparse
import random
import uuid
from datetime import UTC, datetime
from typing import Any

from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from eventfold import Ask, Connection, Context, EventStore, Item
from eventfold.errors import DomainError
from eventfold.postgres import sessions
from eventfold.timers.intents import INTENT, AskAgain, IntentReopened
from eventfold_ops.deployment import Deployment
from eventfold_ops.output import Refused, cut, say, say_either, say_json, table

MAX_LISTED = 1000
ACTOR = "operator"

_UNSETTLED = """SELECT substr(stream, length('intent-') + 1) AS number, last.provider,
  CASE last.type WHEN 'intent.unanswered' THEN 'unanswered' ELSE 'open' END AS status,
  coalesce(attempts, 0) AS asked, due_at AS next_at, last.recorded_at AS since
FROM (
  SELECT DISTINCT ON (stream) stream, type, data->>'provider' AS provider, recorded_at
  FROM events WHERE stream LIKE 'intent-%%' ORDER BY stream, version DESC
) AS last LEFT JOIN due_date ON stream_type = 'intent' AND stream = 'intent-' || stream_id
WHERE last.type IN ('intent.recorded', 'intent.reopened', 'intent.unanswered')
ORDER BY last.recorded_at LIMIT %s"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`intents list`, `intents ask-again`."""
    parser = commands.add_parser("intents", help="what providers have not settled: list, ask-again")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="open and unanswered intents, the oldest first").set_defaults(run=show_list)
    asking = actions.add_parser("ask-again", help="open an unanswered intent again, under its number")
    asking.add_argument("number", metavar="NUMBER")
    asking.set_defaults(run=ask_again)


async def show_list(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """List at most `MAX_LISTED` intents that are open or were given up. If there are more, a line on standard error
    says so. Reads all intents."""
    async with await deployment.connect() as conn:
        rows = cut(await _unsettled(conn), MAX_LISTED)
    if arguments.json:
        say_json(rows)
        return 0
    head = ("NUMBER", "PROVIDER", "STATUS", "ASKED", "NEXT", "SINCE")
    cells = [[cell if cell is not None else "-" for cell in row.values()] for row in rows]
    say(table(head, cells) if rows else "all intents are settled")
    return 0


async def _unsettled(conn: Connection) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_UNSETTLED, [MAX_LISTED + 1])
        return await cursor.fetchall()


async def ask_again(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Open an intent again. The due-date worker then queries the provider for the number before it asks for anything
    anew."""
    if IntentReopened not in deployment.codec.types:
        raise Refused(f"{deployment.name} records no intents")
    context = Context(datetime.now(UTC), ACTOR, str(uuid.uuid4()))
    async with AsyncConnectionPool(
        deployment.database_url, min_size=1, open=False, kwargs={"autocommit": True}, configure=sessions.fix
    ) as pool:
        store = EventStore(pool, deployment.codec, deployment.publisher, random.Random())  # noqa: S311 - jitter only
        try:
            handled = await store.handle(Item((Ask(INTENT, arguments.number, AskAgain()),)), context)
        except DomainError as refusal:
            raise Refused(f"{arguments.number}: {refusal}; see `intents list`") from refusal
    opened = any(outcome.events for outcome in handled.outcomes)
    sentence = "opened: the provider is asked at once" if opened else "nothing to do: it is open, or it was answered"
    say_either(arguments.json, {"number": arguments.number, "opened": opened}, sentence)
    return 0
