"""Round trips to PostgreSQL of each RPC, held to what they are: whoever needs more says so here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from catalog.bootstrap import DEFINITION
from eventfold.testing import counted
from lyceum.catalog.v1 import catalog_pb2 as pb
from servicekit.caller import Caller
from servicekit.testing import House, housed

CREATOR, READER = Caller("maker", "creator", "s"), Caller("reader", "consumer", "s")


@pytest.fixture
async def house(postgres_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with housed(DEFINITION, postgres_url, tmp_path, House) as one:
        yield one


def liking(content_id: str, n: int) -> Any:
    return pb.RecordInteractionRequest(
        content_id=content_id, interaction=pb.Interaction(kind="view", client_key=f"{n}")
    )


def rating(content_id: str, n: int) -> Any:
    return pb.RecordInteractionRequest(content_id=content_id, interaction=pb.Interaction(kind="rate", rating=n % 5 + 1))


def commenting(content_id: str, n: int) -> Any:
    return pb.RecordInteractionRequest(
        content_id=content_id, interaction=pb.Interaction(kind="comment", comment=f"{n}")
    )


def publishing(content_id: str, n: int) -> Any:
    return pb.PublishContentRequest(title=f"{n}", kind="text", body="b", byline="somebody", access="free")


def reading(content_id: str, n: int) -> Any:
    return pb.GetContentRequest(content_id=content_id)


def reading_comments(content_id: str, n: int) -> Any:
    return pb.ListCommentsRequest(content_id=content_id)


@pytest.mark.parametrize(
    ("asking", "caller", "round_trips"),
    [
        (publishing, CREATOR, 4),
        (liking, READER, 2),
        (rating, READER, 3),  # whether they may
        (commenting, READER, 4),
        (reading, READER, 3),
        (reading_comments, READER, 3),
    ],
)
async def test_each_costs_so_many_round_trips(house: House, asking: Any, caller: Caller, round_trips: int) -> None:
    published = await house.call(publishing("", 0), CREATOR)
    for n in range(3):
        await house.call(commenting(published.content_id, n), READER)
    await house.settle()
    for n in range(2):
        await house.call(asking(published.content_id, n + 10), caller)
    async with counted() as cost:
        await house.call(asking(published.content_id, 12), caller)
    assert cost.round_trips == round_trips
