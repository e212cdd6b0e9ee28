"""Batches of imported orders: bad rows are set aside by name, the others stand."""

from __future__ import annotations

from billing.application.importing import ImportedOrder, Importing
from billing.entrypoints import parsing, shaping
from eventfold.errors import InvalidInput
from lyceum.billing.v1 import billing_pb2 as pb
from lyceum.common.v1 import common_pb2
from servicekit import validate
from servicekit.call import Call

MAX_DATASET_CHARS = 100


async def run(
    importing: Importing, request: pb.ImportOrdersRequest, call: Call
) -> tuple[list[common_pb2.ItemResult], int | None]:
    """Import a batch; returns one result for each row in its order, and the position that covers them."""
    dataset = validate.text(request.dataset, "dataset", max_chars=MAX_DATASET_CHARS)
    validate.batch_size(len(request.items))
    parsed = [_parsed(item, call) for item in request.items]
    rows = [row for row in parsed if isinstance(row, ImportedOrder)]
    imported = await importing.orders(dataset, rows, call.context(), call.deadline_s)
    results = iter(imported.results)
    shaped = [shaping.item_result(next(results)) if isinstance(row, ImportedOrder) else row for row in parsed]
    return shaped, imported.position


def _parsed(item: pb.ImportOrder, call: Call) -> ImportedOrder | common_pb2.ItemResult:
    try:
        return parsing.imported_order(item, call.now)
    except InvalidInput as error:
        return shaping.rejected(item.external_id, error)
