"""Text that no database can keep is refused where it enters, by the name of its field."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from edging import serving
from google.rpc.status_pb2 import Status
from psycopg import DataError, OperationalError

from eventfold import Outcome
from eventfold.errors import InvalidInput, KeyDestroyed
from lyceum.billing.v1 import billing_pb2
from lyceum.catalog.v1 import catalog_pb2
from lyceum.consistency.v1 import consistency_pb2
from servicekit import imports, validate

NUL = "a\x00b"
METHOD = "/lyceum.consistency.v1.ConsistencyService/Resolve"


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (catalog_pb2.PublishContentRequest(title=NUL), "title"),
        (catalog_pb2.PublishContentRequest(title="a", tags=["b", NUL]), "tags[1]"),
        (
            catalog_pb2.PublishContentRequest(lessons=[catalog_pb2.Lesson(title="a"), catalog_pb2.Lesson(title=NUL)]),
            "lessons[1].title",
        ),
        (catalog_pb2.PublishContentRequest(media=catalog_pb2.Media(uri=NUL)), "media.uri"),
        (catalog_pb2.ImportContentsRequest(dataset=NUL), "dataset"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_nul_is_found_wherever_it_is(message: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        validate.texts(message)
    assert refused.value.field == field


def test_items_of_a_batch_are_left_to_it_and_other_bytes_of_0_are_fine() -> None:
    validate.texts(catalog_pb2.ImportContentsRequest(items=[catalog_pb2.ImportContent(title=NUL)]))
    validate.texts(billing_pb2.TrialBalanceLine(currency="CNY", debit_minor=2**21))


async def test_an_item_with_a_nul_in_any_field_is_rejected_alone() -> None:
    items = [catalog_pb2.ImportContent(external_id=str(n), category=NUL if n == 1 else "a") for n in range(3)]

    async def record(rows: list[str]) -> tuple[list[Outcome], int | None]:
        return [Outcome() for _ in rows], 1

    found, _ = await imports.run(["0", "1", "2"], items, lambda item: item.external_id, record, lambda row: row)
    assert [(one.external_id, one.status, one.error_field) for one in found] == [
        ("0", "duplicate", ""),
        ("1", "rejected", "category"),
        ("2", "duplicate", ""),
    ]


async def refusal(call: Callable[[Any], Awaitable[Any]], request: Any) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(request)
    trailing = dict(refused.value.trailing_metadata() or ())
    return Status.FromString(bytes(trailing["grpc-status-details-bin"]))


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (consistency_pb2.ResolveRequest(token=NUL).SerializeToString(), "token"),
        (b"\n\x02\xed\xa0", "request"),  # half of a surrogate
        (b"\xff\xff\xff", "request"),
    ],
    ids=["NUL", "no UTF-8", "no message"],
)
async def test_the_edge_refuses_it_and_asks_nobody(raw: bytes, field: str) -> None:
    async def nobody(_: Any) -> None:
        raise AssertionError("not asked")

    async with serving(nobody) as target, grpc.aio.insecure_channel(target) as channel:
        status = await refusal(channel.unary_unary(METHOD), raw)
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert field in str(status.details)


@pytest.mark.parametrize("failure", [KeyDestroyed("m3"), DataError("a value that nobody thought of")], ids=str)
@pytest.mark.parametrize("bad", [{3}, {0, 4}, set(range(5))], ids=str)
async def test_a_row_that_spoils_what_is_done_for_all_is_rejected_alone(failure: Exception, bad: set[int]) -> None:
    recorded: list[int] = []

    async def record(rows: list[int]) -> tuple[list[Outcome], int | None]:
        if bad & set(rows):
            raise failure
        recorded.extend(rows)
        return [Outcome() for _ in rows], max(rows, default=None)

    keys = [str(n) for n in range(5)]
    found, position = await imports.run(keys, range(5), lambda item: item, record, str)
    good = [n for n in range(5) if n not in bad]
    assert recorded == good and position == max(good, default=None)
    assert [one.status for one in found] == ["rejected" if n in bad else "duplicate" for n in range(5)]


async def test_what_is_no_rows_fault_fails_the_whole() -> None:
    async def record(_: list[int]) -> tuple[list[Outcome], int | None]:
        raise OperationalError("the database is away")

    with pytest.raises(OperationalError):
        await imports.run(["0", "1"], range(2), lambda item: item, record, str)
