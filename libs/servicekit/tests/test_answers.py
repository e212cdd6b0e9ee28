"""Answers and pages are bounded by their bytes as JSON, not by how many rows they have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from edging import SECRET, serving
from google.protobuf.json_format import MessageToJson
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from eventfold.errors import AnswerTooLarge
from eventfold.publish.outgoing import Target
from eventfold.reading.consistency import Token
from lyceum.catalog.v1 import catalog_pb2 as pb
from lyceum.consistency.v1 import consistency_pb2
from servicekit import answers
from servicekit.paging import PageStart, page, parse_page_token
from servicekit.sealed_tokens import sealed

METHOD = "/lyceum.consistency.v1.ConsistencyService/Resolve"
AT = datetime(2026, 3, 1, tzinfo=UTC)
MIB = 1024 * 1024


def pages(texts: list[str], limit: int) -> list[list[pb.Comment]]:
    """What a client gets who asks until there is no token."""
    rows = list(enumerate(texts))
    found: list[list[pb.Comment]] = []
    after = 0
    while True:
        messages, token = page(
            rows[after : after + limit + 1],
            limit,
            lambda row: PageStart(AT, str(row[0])),
            lambda row: pb.Comment(text=row[1]),
        )
        found.append(messages)
        place = parse_page_token(token)
        if place is None:
            return found
        after = int(place.id) + 1


@given(st.lists(st.sampled_from(["a", "<" * 300_000, "字" * 300_000, "x" * 3 * MIB]), max_size=9), st.integers(1, 5))
def test_pages_hold_every_row_once_and_no_more_bytes_than_they_may(texts: list[str], limit: int) -> None:
    found = pages(texts, limit)
    assert [message.text for messages in found for message in messages] == texts
    for messages in found:
        assert len(messages) <= limit
        assert len(messages) <= 1 or sum(map(answers.json_bytes, messages)) <= answers.MAX_PAGE_BYTES


@given(st.text())
def test_a_texts_bytes_are_no_fewer_than_as_json_with_brackets_escaped(text: str) -> None:
    plain = MessageToJson(pb.Comment(text=text), indent=None, ensure_ascii=False) if text else ""
    escaped = plain.replace("<", r"\u003c").replace(">", r"\u003e")
    around = len(MessageToJson(pb.Comment(text="a"), indent=None)) - 1 if text else 0
    assert len(escaped.encode()) - around <= answers.text_bytes([text])


@pytest.mark.parametrize(("text", "fits"), [("<" * 2 * MIB, False), ("a" * 2 * MIB, True), ("a" * 8 * MIB, False)])
def test_an_answer_that_the_gateway_would_not_pass_on_is_refused(text: str, fits: bool) -> None:
    if fits:
        answers.check(pb.Comment(text=text))
    else:
        with pytest.raises(AnswerTooLarge, match="are the limit"):
            answers.check(pb.Comment(text=text))


async def test_the_edge_says_so_instead_of_sending_it() -> None:
    async def resolve(_: Token) -> tuple[Target, ...]:
        return (Target("<" * 2 * MIB, 0, 1),)

    request: Any = consistency_pb2.ResolveRequest(token=sealed(Token("identity", 1), SECRET)).SerializeToString()
    async with serving(resolve) as target, grpc.aio.insecure_channel(target) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary(METHOD)(request)
    status = Status.FromString(bytes(dict(refused.value.trailing_metadata() or ())["grpc-status-details-bin"]))
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION and "ANSWER_TOO_LARGE" in str(status.details)
