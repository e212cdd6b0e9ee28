"""Batch imports: who may import, how items are read, and the result of each item."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import TypeVar

from google.protobuf.message import Message
from psycopg import DataError

from eventfold import Context, Outcome
from eventfold.errors import DomainError, InvalidInput, NotFound
from lyceum.common.v1.common_pb2 import ItemResult
from servicekit import validate
from servicekit.call import Call, current_call

IMPORTER = "importer"
MAX_DATASET_CHARS = 100
MAX_EXTERNAL_ID_CHARS = 200

Item = TypeVar("Item")
Row = TypeVar("Row")
Record = Callable[[list[Row]], Awaitable[tuple[Sequence[Outcome], int | None]]]
RecordWith = Callable[[Sequence[Row], Context], Awaitable[tuple[Sequence[Outcome], int | None]]]

Check = Callable[[Sequence[Row]], Awaitable[Sequence[DomainError | None]]]
KnownMembers = Callable[[Collection[str]], Awaitable[Collection[str]]]

SPOILING = (DomainError, DataError)
"""Failures that one row can cause in a statement or lookup for many rows: a destroyed key, a value that PostgreSQL
refuses."""


def check_batch(call: Call, dataset: str, count: int) -> None:
    """Only importers may import, with a named data set, and at most `validate.MAX_BATCH_ITEMS` items at once."""
    call.require_caller().require(IMPORTER)
    validate.text(dataset, "dataset", max_chars=MAX_DATASET_CHARS)
    validate.batch_size(count)


async def run(
    external_ids: Sequence[str],
    items: Iterable[Item],
    parse: Callable[[Item], Row],
    record: Record[Row],
    id_of: Callable[[Row], str],
    check: Check[Row] | None = None,
) -> tuple[list[ItemResult], int | None]:
    """Record the items that can be parsed. Returns one result per item, in order, and a position that covers them all.

    `check` returns for each parsed row why it is refused, or None. `record` returns one outcome per row, in order. A
    row on which it fails is rejected alone.
    """
    rows = parse_items(items, parse)
    if check is not None:
        rows = await _checked(rows, check)
    outcomes, position = await _recorded([row for row in rows if not isinstance(row, DomainError)], record)
    return results(external_ids, rows, outcomes, id_of), position


async def answered(
    external_ids: Sequence[str],
    items: Iterable[Item],
    parse: Callable[[Item], Row],
    record: RecordWith[Row],
    id_of: Callable[[Row], str],
    check: Check[Row] | None = None,
) -> tuple[list[ItemResult], str]:
    """As `run`, within the present call. Returns the results, and the token that covers them all."""
    call = current_call()
    found, position = await run(external_ids, items, parse, lambda rows: record(rows, call.context()), id_of, check)
    return found, await call.recorded(position, covers_all=True)


async def _checked(rows: Sequence[Row | DomainError], check: Check[Row]) -> list[Row | DomainError]:
    refusals = iter(await check([row for row in rows if not isinstance(row, DomainError)]))
    return [row if isinstance(row, DomainError) else next(refusals) or row for row in rows]


def naming_members(known: KnownMembers, id_of: Callable[[Row], str], field: str) -> Check[Row]:
    """A check of the member that each row names by an external id in `field`; `known` are those who are registered."""

    async def check(rows: Sequence[Row]) -> Sequence[DomainError | None]:
        members = await known({id_of(row) for row in rows})
        refusal = NotFound("there is no such member in the data set; import members first", field=field)
        return [None if id_of(row) in members else refusal for row in rows]

    return check


async def _recorded(rows: list[Row], record: Record[Row]) -> tuple[Sequence[Outcome], int | None]:
    """Record all rows at once. If one of them spoils that, record them in halves, so that only this row is refused.

    The first half is recorded before the second is tried. If another failure then ends the call, a caller who repeats
    it finds duplicates.
    """
    try:
        return await record(rows)
    except SPOILING as failure:
        if len(rows) <= 1:
            return [Outcome(error=_refusal(failure)) for _ in rows], None
    half = len(rows) // 2
    first, at_first = await _recorded(rows[:half], record)
    second, at_second = await _recorded(rows[half:], record)
    return [*first, *second], max((at for at in (at_first, at_second) if at is not None), default=None)


def _refusal(failure: Exception) -> DomainError:
    return failure if isinstance(failure, DomainError) else InvalidInput("holds what the database does not take")


def parse_items(items: Iterable[Item], parse: Callable[[Item], Row]) -> list[Row | DomainError]:
    """Each parsed item, or the reason why it cannot be parsed."""
    return [_parsed(item, parse) for item in items]


def _parsed(item: Item, parse: Callable[[Item], Row]) -> Row | DomainError:
    try:
        if isinstance(item, Message):
            validate.texts(item, within_items=True)
        return parse(item)
    except DomainError as refusal:
        return refusal


def results(
    external_ids: Sequence[str],
    rows: Sequence[Row | DomainError],
    outcomes: Iterable[Outcome],
    id_of: Callable[[Row], str],
) -> list[ItemResult]:
    """One result per item. `outcomes` belong to the rows that could be parsed, in order."""
    decided = iter(outcomes)
    found = []
    for external_id, row in zip(external_ids, rows, strict=True):
        if isinstance(row, DomainError):
            found.append(_rejected(external_id, row))
        else:
            found.append(_decided(external_id, id_of(row), next(decided)))
    return found


def _decided(external_id: str, row_id: str, outcome: Outcome) -> ItemResult:
    if outcome.error:
        return _rejected(external_id, outcome.error)
    return ItemResult(external_id=external_id, status="created" if outcome.events else "duplicate", id=row_id)


def _rejected(external_id: str, refusal: DomainError) -> ItemResult:
    return ItemResult(
        external_id=external_id, status="rejected", error_field=refusal.field or "", error_reason=str(refusal)
    )
