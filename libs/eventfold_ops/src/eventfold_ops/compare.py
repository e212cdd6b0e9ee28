"""`compare PROJECTION`: fold it anew beside the live one, and report whether both hold the same rows."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace

import orjson

from eventfold import Connection, Projection
from eventfold_ops import comparing
from eventfold_ops.at_live import AtTheEnd, at_live_positions
from eventfold_ops.deployment import Deployment
from eventfold_ops.doctor import witnessing
from eventfold_ops.doctor.cluster import look
from eventfold_ops.doctor.finding import Finding
from eventfold_ops.output import say
from eventfold_ops.shadow import Shadow


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command `compare`."""
    parser = commands.add_parser("compare", help="fold a projection anew and say whether the live one is equal")
    parser.set_defaults(run=run)
    parser.add_argument("projection", help="its name, as in fold_position")


async def run(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Report the differences, table by table. Returns 0 if there are none, else 1. Also returns 1 if one of this
    service's own topics is incomplete, because both copies were folded from it. Changes nothing. Raises
    `EventfoldError`.

    Both copies are read as of one moment. The live worker waits only for that moment, and then goes on.
    """
    projection = deployment.projection(arguments.projection)
    short = await _short(deployment, projection)
    async with (
        await deployment.connect() as then,
        at_live_positions(deployment, projection, _frozen(then), keep=False, fresh=True) as one,
    ):
        try:
            found = [await comparing.compare(then, table, one.live, one.shadow) for table in projection.tables]
        finally:
            await then.close()  # otherwise the shadow that it has read could not be dropped
    if short and not arguments.json:
        say("\n".join(finding.line for finding in short))
    lines = [orjson.dumps([{**asdict(one), "equal": one.equal} for one in found], default=str).decode()]
    say("\n".join(lines if arguments.json else map(describe, found)))
    return int(bool(short) or not all(compared.equal for compared in found))


async def _short(deployment: Deployment, projection: Projection) -> list[Finding]:
    """The topics that the projection reads and this service emits, and that do not hold all events of the store: then
    both copies may be equal and wrong."""
    own = replace(deployment, topics=tuple(topic for topic in deployment.topics if topic in projection.topics))
    if not own.topics:
        return []
    async with await deployment.connect() as conn:
        found = await witnessing.whole(conn, own, await look(own))
    return [finding for finding in found if finding.state != "ok"]


def _frozen(then: Connection) -> AtTheEnd:
    """Give `then` a snapshot taken while the projection's turns are held: both copies stand at the same positions."""

    async def act(_: Connection, __: Shadow) -> None:
        await then.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        await then.execute("SELECT 1")  # the first statement takes the snapshot

    return act


def describe(compared: comparing.Compared) -> str:
    """One line for a table."""
    if compared.equal:
        return f"{compared.table}: equal, {compared.live_rows:,} rows, content {compared.live_hash}"
    keys = ", ".join("/".join(map(str, key)) for key in compared.different)
    return (
        f"{compared.table}: DIFFERENT, live {compared.live_rows:,} rows, content {compared.live_hash}; "
        f"folded anew {compared.shadow_rows:,} rows, content {compared.shadow_hash}; first keys: {keys}"
    )
