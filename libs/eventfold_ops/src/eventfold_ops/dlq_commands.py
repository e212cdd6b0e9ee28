"""`eventfold dlq`: list and show parked records, redrive them, or give them up."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from eventfold.errors import Poison
from eventfold.fold.passing import of_one_record
from eventfold_ops import dlq
from eventfold_ops.deployment import Deployment
from eventfold_ops.output import Refused, cut, say, say_either, say_json, table


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`dlq list`, `dlq show`, `dlq redrive`, `dlq discard`."""
    parser = commands.add_parser("dlq", help="parked records: list, show, redrive, discard")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="what is parked, in the order to redrive")
    listing.add_argument("projection", nargs="?", metavar="PROJECTION")
    listing.set_defaults(run=show_list)
    showing = _on_event(actions.add_parser("show", help="headers, reason and bytes of one parked record"))
    showing.set_defaults(run=show)
    redriving = actions.add_parser("redrive", help="fold all parked records of a key, in order, all or none")
    redriving.add_argument("projection", metavar="PROJECTION")
    redriving.add_argument("record_key", metavar="RECORD_KEY")
    redriving.set_defaults(run=redrive)
    discarding = _on_event(actions.add_parser("discard", help="give up one parked record for ever"))
    discarding.add_argument("--yes", action="store_true", help="without it nothing is discarded")
    discarding.set_defaults(run=discard)


def _on_event(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("projection", metavar="PROJECTION")
    parser.add_argument("event_id", metavar="EVENT_ID")
    return parser


async def show_list(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """List at most `dlq.MAX_LISTED` parked records. If there are more, a line on standard error says so."""
    if arguments.projection:
        deployment.projection(arguments.projection)
    async with await deployment.connect() as conn:
        letters = cut(await dlq.parked(conn, arguments.projection, dlq.MAX_LISTED + 1), dlq.MAX_LISTED)
    if arguments.json:
        say_json([asdict(letter) for letter in letters])
        return 0
    rows = [
        (
            one.projection,
            one.record_key,
            one.event_id,
            f"{one.topic}[{one.partition}]@{one.offset}",
            one.parked_at,
            one.reason,
        )
        for one in letters
    ]
    say(table(("PROJECTION", "RECORD_KEY", "EVENT_ID", "PLACE", "PARKED", "REASON"), rows) if rows else "none parked")
    return 0


async def show(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Show one parked record, decoded if this build can decode it."""
    async with await deployment.connect() as conn:
        found = await dlq.content(conn, arguments.projection, arguments.event_id)
    data, failure = _decoded(deployment, found.value)
    described = {
        **asdict(found.letter),
        "waiting_behind": found.waiting,
        "headers": found.headers,
        "value_hex": found.value.hex(),
        "data": data,
        "undecodable": failure,
    }
    if arguments.json:
        say_json(described)
        return 0
    for name, value in described.items():
        if isinstance(value, dict):
            say(f"{name}:")
            say("\n".join(f"  {key}: {entry}" for key, entry in value.items()))
        elif value is not None:
            say(f"{name}: {value}")
    return 0


def _decoded(deployment: Deployment, value: bytes) -> tuple[Any, str | None]:
    """The data, or why this build cannot read it: whatever error a codec raises, the bytes are still shown."""
    try:
        return deployment.avro.decode(value), None
    except Exception as failure:  # noqa: BLE001 - the record is poison: anything may be wrong with it
        return None, f"{type(failure).__name__}: {failure}"


async def redrive(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Fold the key's parked records in one transaction, wherever the fold's position is now."""
    projection = deployment.projection(arguments.projection)
    async with await deployment.connect() as conn:
        try:
            count = await dlq.redrive(conn, projection, deployment.avro, arguments.record_key)
        except dlq.NothingParked:
            raise
        except Exception as failure:
            if not of_one_record(failure):
                raise
            advice = "deploy the corrected fold and redrive again, or see `dlq show` and `dlq discard`"
            said = str(failure) if isinstance(failure, Poison) else f"{type(failure).__name__} in its fold"
            raise Refused(f"nothing was redriven: {said}; {advice}") from failure
    say_either(arguments.json, {"redriven": count}, f"redrove {count} records of {arguments.record_key}")
    return 0


async def discard(deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Give up one record. Without --yes, refuses and reports how many records wait behind it."""
    async with await deployment.connect() as conn:
        found = await dlq.content(conn, arguments.projection, arguments.event_id)
        key = found.letter.record_key
        behind = f"{found.waiting} records of {key} wait behind it"
        if not arguments.yes:
            raise Refused(f"{arguments.event_id} would be lost to {arguments.projection}; {behind}; repeat with --yes")
        await dlq.discard(conn, arguments.projection, arguments.event_id)
    then = f"; next: dlq redrive {arguments.projection} {key}" if found.waiting else ""
    say_either(arguments.json, {"discarded": 1, "waiting_behind": found.waiting}, f"discarded; {behind}{then}")
    return 0
