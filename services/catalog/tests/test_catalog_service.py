"""The service on a real PostgreSQL: publishing, gated reading, interactions, imports, comments."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from catalog.bootstrap import DEFINITION
from catalog.content.domain import AccessNeeded
from contracts.events.billing import ENTITLEMENT_GRANTED, EntitlementGranted
from contracts.events.identity import MEMBER_REGISTERED, MemberRegistered
from contracts.external_ids import imported_id
from eventfold.errors import InvalidInput, NotFound, NotPermitted, Unauthenticated
from lyceum.catalog.v1 import catalog_pb2 as pb
from servicekit.call import current_call
from servicekit.caller import Caller
from servicekit.testing import House, housed, refused

CREATOR, READER = Caller("maker", "creator", "s"), Caller("reader", "consumer", "s")
IMPORTER = Caller("boss", "importer", "s")
PAST = datetime(1998, 4, 1, tzinfo=UTC)
BODY = "正文" * 300


SERVICE = "lyceum.catalog.v1.CatalogService"


class CatalogHouse(House):
    """What is done again and again here."""

    async def publish(self, **fields: Any) -> str:
        request = pb.PublishContentRequest(**{"title": "T", "kind": "text", "body": BODY, "access": "free", **fields})
        return str((await self.call(request, CREATOR)).content_id)

    async def act(self, content_id: str, caller: Caller = READER, **fields: Any) -> str:
        request = pb.RecordInteractionRequest(content_id=content_id, interaction=pb.Interaction(**fields))
        return str((await self.call(request, caller)).status)

    async def registered(self, external_id: str) -> None:
        """Identity tells of a member of the data set."""
        member_id = imported_id("member", "d", external_id)
        fact = MemberRegistered(member_id=member_id, role="creator", claimed=False, registered_at=PAST)
        await self.told(MEMBER_REGISTERED, fact, key=member_id)

    async def grant(self, member_id: str, product_id: str, expires_at: datetime | None = None) -> None:
        granted: EntitlementGranted = {
            "entitlement_id": str(uuid.uuid4()),
            "member_id": member_id,
            "product_id": product_id,
            "source": "purchase",
            "order_id": "o",
            "granted_at": PAST,
            "expires_at": expires_at,
        }
        await self.told(ENTITLEMENT_GRANTED, granted)


@pytest.fixture
async def house(postgres_url: str, tmp_path: Path) -> AsyncIterator[CatalogHouse]:
    async with housed(DEFINITION, postgres_url, tmp_path, CatalogHouse) as one:
        for external_id in ("1", "7"):
            await one.registered(external_id)
        yield one


async def test_the_short_form_answers_exactly_its_sentence(house: CatalogHouse) -> None:
    request = pb.PublishRequest(title="Python编程基础", author="某人", content="…")
    answer = await house.call(request, CREATOR)
    assert answer.message == "Content published successfully."
    assert [name.name for name, _ in answer.ListFields()] == ["message"]


async def test_the_short_form_says_the_contents_id_in_a_header(house: CatalogHouse) -> None:
    ids = set()
    for _ in range(2):
        await house.call(pb.PublishRequest(title="T", content="B"), CREATOR, idempotency_key="k1")
        ids.add(dict(current_call().headers)["x-lyceum-content-id"])
    [content_id] = ids
    assert (await house.call(pb.GetContentRequest(content_id=content_id))).title == "T"


async def test_only_creators_publish(house: CatalogHouse) -> None:
    request = pb.PublishRequest(title="T", content="B")
    await refused(house.call(request), Unauthenticated)
    for caller in (READER, IMPORTER):
        await refused(house.call(request, caller), NotPermitted)
    assert await house.rows("SELECT count(*) FROM events") == [(0,)]


async def test_publishing_again_under_one_key_publishes_once(house: CatalogHouse) -> None:
    request = pb.PublishContentRequest(title="T", kind="text", body="B", access="free")
    answers = [await house.call(request, CREATOR, idempotency_key="k1") for _ in range(2)]
    assert answers[0].content_id == answers[1].content_id
    assert answers[0].consistency_token == answers[1].consistency_token
    assert await house.rows("SELECT count(*) FROM events") == [(1,)]


async def test_bylines_and_comments_are_sealed_in_the_database(house: CatalogHouse) -> None:
    content_id = await house.publish(byline="Karoline")
    await house.act(content_id, kind="comment", comment="Herzlichst")
    text = str(await house.rows("SELECT e::text FROM events e"))
    assert "Karoline" not in text and "Herzlichst" not in text
    assert (await house.call(pb.GetContentRequest(content_id=content_id))).byline == "Karoline"


async def test_paid_content_opens_for_its_creator_and_for_who_is_entitled(house: CatalogHouse) -> None:
    content_id = await house.publish(access="paid")
    request = pb.GetContentRequest(content_id=content_id)
    for caller, reason in ((None, "anonymous"), (READER, "not_entitled"), (IMPORTER, "not_entitled")):
        answer = await house.call(request, caller)
        assert (answer.access.reason, answer.access.allowed, answer.body) == (reason, False, "")
        assert answer.excerpt == BODY[:200]
    assert (await house.call(request, CREATOR)).body == BODY
    await house.grant(READER.member_id, content_id)
    answer = await house.call(request, READER)
    assert (answer.access.reason, answer.body) == ("entitled", BODY)


async def test_the_longest_of_several_entitlements_decides(house: CatalogHouse) -> None:
    content_id = await house.publish(access="paid")
    request = pb.GetContentRequest(content_id=content_id)
    await house.grant(READER.member_id, content_id, datetime.now(UTC) - timedelta(days=1))
    assert (await house.call(request, READER)).access.reason == "not_entitled"
    end = datetime.now(UTC) + timedelta(days=1)
    await house.grant(READER.member_id, content_id, end)
    assert (await house.call(request, READER)).access.expires_at.ToDatetime(tzinfo=UTC) == end
    await house.grant(READER.member_id, content_id)
    assert not (await house.call(request, READER)).access.HasField("expires_at")


async def test_what_is_not_there_is_not_found(house: CatalogHouse) -> None:
    await refused(house.call(pb.GetContentRequest(content_id="nothing")), NotFound)
    await refused(house.act("nothing", kind="like"), NotFound)
    await refused(house.call(pb.GetContentRequest(content_id="\x00")), InvalidInput)


async def test_acts_are_counted_once_each(house: CatalogHouse) -> None:
    content_id = await house.publish()
    acts: list[tuple[dict[str, Any], str]] = [
        ({"kind": "view", "client_key": "k"}, "created"),
        ({"kind": "view", "client_key": "k"}, "duplicate"),
        ({"kind": "view"}, "created"),
        ({"kind": "like"}, "created"),
        ({"kind": "like"}, "duplicate"),
        ({"kind": "rate", "rating": 2}, "created"),
        ({"kind": "rate", "rating": 5}, "created"),
        ({"kind": "share", "channel": "mail"}, "created"),
        ({"kind": "comment", "comment": "好"}, "created"),
        ({"kind": "complete"}, "created"),
        ({"kind": "complete"}, "duplicate"),
    ]
    for fields, status in acts:
        assert await house.act(content_id, **fields) == status
    await house.act(content_id, CREATOR, kind="rate", rating=1)
    await house.settle()
    counters = (await house.call(pb.GetContentRequest(content_id=content_id))).counters
    assert counters == pb.Counters(views=2, likes=1, comments=1, shares=1, ratings=2, rating_sum=6, completions=1)


async def test_acting_needs_a_member(house: CatalogHouse) -> None:
    content_id = await house.publish()
    request = pb.RecordInteractionRequest(content_id=content_id, interaction=pb.Interaction(kind="like"))
    await refused(house.call(request), Unauthenticated)


async def test_in_a_batch_each_act_stands_or_falls_alone(house: CatalogHouse) -> None:
    content_id = await house.publish()
    request = pb.RecordInteractionsRequest()
    kinds = [("a", content_id, "like"), ("b", "nothing", "like"), ("c", content_id, "hug"), ("d", content_id, "like")]
    for key, where, kind in kinds:
        request.items.add(content_id=where, interaction=pb.Interaction(kind=kind, client_key=key))
    results = (await house.call(request, READER)).results
    assert [(one.external_id, one.status, one.error_field) for one in results] == [
        ("a", "created", ""),
        ("b", "rejected", "content_id"),
        ("c", "rejected", "kind"),
        ("d", "duplicate", ""),
    ]


async def test_the_feed_is_newest_first_and_paged_without_gap_or_repeat(house: CatalogHouse) -> None:
    ids = [await house.publish(title=f"T{n}", tags=["even" if n % 2 == 0 else "odd"]) for n in range(7)]
    await house.settle()
    seen, token = [], ""
    for _ in range(10):
        page = await house.call(pb.ListContentsRequest(page_size=3, page_token=token))
        seen += [one.content_id for one in page.contents]
        token = page.next_page_token
        if not token:
            break
    assert seen == ids[::-1]
    tagged = await house.call(pb.ListContentsRequest(tag="odd"))
    assert [one.content_id for one in tagged.contents] == ids[::-1][1::2]
    assert not (await house.call(pb.ListContentsRequest(creator_id="other"))).contents


async def test_comments_are_read_in_order_and_an_erased_author_falls_silent(house: CatalogHouse) -> None:
    content_id = await house.publish()
    for caller, text in ((READER, "first"), (CREATOR, "second"), (READER, "third")):
        await house.act(content_id, caller, kind="comment", comment=text)
    await house.settle()
    request = pb.ListCommentsRequest(content_id=content_id, page_size=2)
    page = await house.call(request)
    assert [one.text for one in page.comments] == ["first", "second"]
    request.page_token = page.next_page_token
    assert [one.text for one in (await house.call(request)).comments] == ["third"]
    async with house.wiring.pool.connection() as conn:
        await house.wiring.subject_keys.destroy(conn, READER.member_id)
    everything = await house.call(pb.ListCommentsRequest(content_id=content_id))
    assert [one.text for one in everything.comments] == ["", "second", ""]


def contents(count: int) -> pb.ImportContentsRequest:
    request = pb.ImportContentsRequest(dataset="d")
    for number in range(count):
        item = request.items.add(
            external_id=str(number), creator_external_id="1", title=f"T{number}", kind="video", access="free"
        )
        item.published_at.FromDatetime(PAST)
    return request


def interactions(*rows: tuple[str, dict[str, Any]]) -> pb.ImportInteractionsRequest:
    request = pb.ImportInteractionsRequest(dataset="d")
    for external_id, fields in rows:
        item = request.items.add(external_id=external_id, member_external_id="7", content_external_id="0")
        item.interaction.CopyFrom(pb.Interaction(**fields))
        item.occurred_at.FromDatetime(PAST + timedelta(minutes=len(request.items)))
    return request


async def test_imported_content_belongs_to_the_imported_member_and_keeps_its_date(house: CatalogHouse) -> None:
    results = (await house.call(contents(2), IMPORTER)).results
    assert [one.id for one in results] == [imported_id("content", "d", "0"), imported_id("content", "d", "1")]
    answer = await house.call(pb.GetContentRequest(content_id=results[0].id))
    assert answer.creator_id == imported_id("member", "d", "1")
    await house.settle()
    listed = await house.call(pb.ListContentsRequest())
    assert {one.published_at.ToDatetime(tzinfo=UTC) for one in listed.contents} == {PAST}


async def test_imports_need_the_role(house: CatalogHouse) -> None:
    for request in (contents(1), interactions(("a", {"kind": "like"}))):
        await refused(house.call(request), Unauthenticated)
        await refused(house.call(request, CREATOR), NotPermitted)


async def test_an_import_of_interactions_run_again_changes_nothing(house: CatalogHouse) -> None:
    """Given likes taken back, ratings changed and more looks than client keys are remembered, when it runs again,
    then every row is known and not one event is added."""
    await house.call(contents(1), IMPORTER)
    rows: list[tuple[str, dict[str, Any]]] = [
        ("a", {"kind": "rate", "rating": 4}),
        ("b", {"kind": "rate", "rating": 5}),
        ("c", {"kind": "like"}),
        ("d", {"kind": "like"}),
        ("e", {"kind": "unlike"}),
        ("f", {"kind": "comment", "comment": "好"}),
        *((f"v{n}", {"kind": "view"}) for n in range(60)),
    ]
    first = await house.call(interactions(*rows), IMPORTER)
    assert [one.status for one in first.results] == ["created"] * 3 + ["duplicate"] + ["created"] * 62
    before = await house.rows("SELECT count(*), max(position) FROM events")
    again = await house.call(interactions(*rows), IMPORTER)
    assert {one.status for one in again.results} == {"duplicate"}
    assert again.consistency_token == first.consistency_token != ""
    assert await house.rows("SELECT count(*), max(position) FROM events") == before


async def test_bad_rows_of_an_import_are_refused_alone(house: CatalogHouse) -> None:
    await house.call(contents(1), IMPORTER)
    request = interactions(("a", {"kind": "like"}), ("b", {"kind": "rate", "rating": 9}), ("", {"kind": "like"}))
    request.items.add(external_id="x", member_external_id="7", content_external_id="absent").interaction.kind = "like"
    request.items[3].occurred_at.FromDatetime(PAST)
    results = (await house.call(request, IMPORTER)).results
    assert [(one.status, one.error_field) for one in results] == [
        ("created", ""),
        ("rejected", "rating"),
        ("rejected", "external_id"),
        ("rejected", "content_id"),
    ]


async def test_imported_acts_carry_their_own_time_and_are_flagged(house: CatalogHouse) -> None:
    await house.call(contents(1), IMPORTER)
    await house.call(interactions(("a", {"kind": "like"})), IMPORTER)
    query = "SELECT occurred_at, meta->>'backfill', partition_key FROM events WHERE type = 'interaction.liked'"
    expected = (PAST + timedelta(minutes=1), "true", imported_id("member", "d", "7"))
    assert await house.rows(query) == [expected]


async def test_what_names_a_member_of_nobodys_is_refused_alone(house: CatalogHouse) -> None:
    request = contents(2)
    request.items[1].creator_external_id = "nobody"
    results = (await house.call(request, IMPORTER)).results
    assert [(one.status, one.error_field) for one in results] == [("created", ""), ("rejected", "creator_external_id")]
    acts = interactions(("a", {"kind": "like"}), ("b", {"kind": "like"}))
    acts.items[0].member_external_id = "nobody"
    results = (await house.call(acts, IMPORTER)).results
    assert [(one.status, one.error_field) for one in results] == [("rejected", "member_external_id"), ("created", "")]


@pytest.mark.parametrize("fields", [{"kind": "rate", "rating": 5}, {"kind": "complete"}], ids=["rate", "complete"])
async def test_only_who_may_read_content_rates_or_completes_it(house: CatalogHouse, fields: dict[str, Any]) -> None:
    content_id = await house.publish(access="paid")
    with pytest.raises(AccessNeeded):
        await house.act(content_id, **fields)
    assert await house.act(content_id, CREATOR, **fields) == "created"
    await house.grant(READER.member_id, content_id, datetime.now(UTC) - timedelta(days=1))
    with pytest.raises(AccessNeeded):
        await house.act(content_id, **fields)
    await house.grant(READER.member_id, content_id)
    assert await house.act(content_id, **fields) == "created"
    assert await house.act(await house.publish(), **fields) == "created"


async def test_in_a_batch_each_act_needs_access_of_its_own(house: CatalogHouse) -> None:
    closed, opened = await house.publish(access="paid"), await house.publish(access="paid")
    await house.grant(READER.member_id, opened)
    request = pb.RecordInteractionsRequest()
    for content_id, kind in ((closed, "complete"), (opened, "complete"), (closed, "view")):
        request.items.add(content_id=content_id).interaction.kind = kind
    results = (await house.call(request, READER)).results
    assert [(one.status, one.error_field) for one in results] == [
        ("rejected", "content_id"),
        ("created", ""),
        ("created", ""),
    ]
