"""The service on a real PostgreSQL: who may ask for whom, what is left out, what members say about it, impressions."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from contracts.events import billing, catalog
from eventfold.errors import InvalidInput, NotFound, NotPermitted, Unauthenticated
from lyceum.reco.v1 import reco_pb2 as pb
from reco.bootstrap import DEFINITION
from reco.recommendation.slice import SHARED
from reco.training.factors import Trained, Vectors
from reco.training.facts import Origin
from reco.training.publication import publish
from servicekit.caller import Caller
from servicekit.testing import House, housed

NOW = datetime(2026, 3, 10, 20, tzinfo=UTC)
ME, OTHER = Caller("me", "consumer", "s"), Caller("other", "consumer", "s")
AUDITOR = Caller("boss", "auditor", "s")


class RecoHouse(House):
    """What is done again and again here."""

    async def published(self, *content_ids: str, **fields: Any) -> None:
        for content_id in content_ids:
            data: dict[str, Any] = {
                "content_id": content_id,
                "creator_id": f"creator of {content_id}",
                "kind": "text",
                "title": content_id.upper(),
                "excerpt": "",
                "tags": ["python"],
                "category": "code",
                "access": "free",
                "body_sha256": None,
                "media_uri": None,
                "duration_ms": None,
                "lesson_count": 0,
                "published_at": NOW - timedelta(days=9),
            }
            fact = cast(catalog.ContentPublished, {**data, **fields})
            await self.told(catalog.CONTENT_PUBLISHED, fact)

    async def viewed(self, member_id: str, *content_ids: str, watched_ms: int = 0, days_ago: float = 1.0) -> None:
        for content_id in content_ids:
            fact: catalog.InteractionViewed = {
                "member_id": member_id,
                "content_id": content_id,
                "watched_ms": watched_ms,
                "occurred_at": NOW - timedelta(days=days_ago),
            }
            await self.told(catalog.INTERACTION_VIEWED, fact)

    async def completed(self, member_id: str, content_id: str) -> None:
        data: Any = {"member_id": member_id, "content_id": content_id, "occurred_at": NOW}
        await self.told(catalog.LEARNING_COMPLETED, data)

    async def granted(self, member_id: str, product_id: str) -> None:
        data: billing.EntitlementGranted = {
            "entitlement_id": str(uuid.uuid4()),
            "member_id": member_id,
            "product_id": product_id,
            "source": "purchase",
            "order_id": "o",
            "granted_at": NOW,
            "expires_at": None,
        }
        await self.told(billing.ENTITLEMENT_GRANTED, data)

    async def ask(self, request: Any, caller: Caller | None = ME) -> Any:
        """The answer after everything recorded has been folded and read."""
        await self.settle()
        await SHARED.factors(self.wiring).refresh()
        return await self.call(request, caller)

    async def recommended(self, caller: Caller = ME, /, **fields: Any) -> list[str]:
        found = await self.ask(pb.RecommendRequest(**{"method": "items", **fields}), caller)
        return [one.content_id for one in found.items]

    async def say(self, content_id: str, kind: str, caller: Caller = ME) -> None:
        await self.call(pb.GiveFeedbackRequest(content_id=content_id, kind=kind), caller)


@pytest.fixture
async def house(postgres_url: str, tmp_path: Path) -> AsyncIterator[RecoHouse]:
    async with housed(DEFINITION, postgres_url, tmp_path, RecoHouse, reco_explored_share=0.0) as one:
        one.now = NOW
        yield one


async def test_given_nobody_when_recommendations_are_asked_for_then_a_token_is_needed(house: RecoHouse) -> None:
    with pytest.raises(Unauthenticated):
        await house.call(pb.RecommendRequest())


async def test_given_another_member_when_asked_for_then_only_operators_get_an_answer(house: RecoHouse) -> None:
    await house.published("a", "b")
    await house.viewed("me", "b")
    with pytest.raises(NotPermitted):
        await house.recommended(OTHER, member_id="me")
    assert await house.recommended(AUDITOR, member_id="me") == await house.recommended() == ["a"]


@pytest.mark.parametrize("method", ["", "hybrid", "items", "members", "content", "popular"])
async def test_given_a_member_without_history_when_asked_by_any_method_then_there_is_an_answer(
    house: RecoHouse, method: str
) -> None:
    await house.published("a", "b")
    assert sorted(await house.recommended(Caller("new", "consumer", "s"), method=method)) == ["a", "b"]


@pytest.mark.parametrize("method", ["hybrid", "items", "members", "content", "popular"])
async def test_given_what_must_not_be_shown_when_asked_by_any_method_then_it_is_left_out(
    house: RecoHouse, method: str
) -> None:
    """Had, owned, hidden, own, and paid content that nobody can buy."""
    await house.published("had", "owned", "hidden", "open")
    await house.published("own", creator_id="me")
    await house.published("unsold", access="paid")
    await house.viewed("me", "had")
    await house.granted("me", "owned")
    await house.settle()
    await house.say("hidden", "hide")
    assert await house.recommended(method=method) == ["open"]


async def test_given_paid_content_when_it_is_priced_then_it_may_be_recommended(house: RecoHouse) -> None:
    await house.published("sold", access="paid")
    assert await house.recommended() == []
    priced: Any = {
        "product_id": "sold",
        "creator_id": "c",
        "title": "T",
        "pricing": "one_off",
        "price": {"amount_minor": 100, "currency": "CNY"},
        "previous": None,
        "priced_at": NOW,
    }
    await house.told(billing.PRODUCT_PRICED, priced)
    assert await house.recommended() == ["sold"]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("creator_id", "creator of a", ["a"]),
        ("category", "art", ["b"]),
        ("tag", "ink", ["b"]),
        ("kind", "video", ["b"]),
        ("access", "free", ["a", "b"]),
        ("access", "paid", []),
    ],
)
@pytest.mark.parametrize("method", ["hybrid", "items"])
async def test_given_a_filter_when_asked_then_only_what_passes_is_recommended(
    house: RecoHouse, method: str, field: str, value: str, expected: list[str]
) -> None:
    await house.published("a")
    await house.published("b", category="art", tags=["ink"], kind="video")
    assert sorted(await house.recommended(method=method, **{field: value})) == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [("limit", -1), ("limit", 101), ("method", "magic"), ("kind", "scroll"), ("access", "public"), ("slot", "a\nb")],
)
async def test_given_bad_input_when_asked_then_the_field_is_named(house: RecoHouse, field: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await house.call(pb.RecommendRequest(**{field: value}), ME)
    assert refusal.value.field == field


@pytest.mark.parametrize("method", ["", "hybrid", "members", "content"])
async def test_given_a_method_that_learns_when_the_past_is_asked_for_then_it_is_refused_by_name(
    house: RecoHouse, method: str
) -> None:
    request = pb.RecommendRequest(method=method)
    request.as_of.FromDatetime(NOW)
    with pytest.raises(InvalidInput, match=f"method {method or 'hybrid'}: set method to items or popular") as refusal:
        await house.call(request, ME)
    assert refusal.value.field == "as_of"


@pytest.mark.parametrize("method", ["items", "popular"])
async def test_given_an_exact_method_when_the_past_is_asked_for_then_nothing_later_counts_and_nothing_is_logged(
    house: RecoHouse, method: str
) -> None:
    await house.published("a", "b", "c")
    await house.viewed("other", "a", days_ago=3)
    await house.viewed("other", "c", days_ago=1)
    request = pb.RecommendRequest(method=method)
    request.as_of.FromDatetime(NOW - timedelta(days=2))
    found = await house.ask(request)
    assert [one.content_id for one in found.items] == ["a", "b", "c"] and found.answer_id == ""
    assert found.as_of == request.as_of


async def test_given_hidden_content_when_it_is_shown_again_then_it_comes_back(house: RecoHouse) -> None:
    await house.published("a", "b")
    await house.settle()
    await house.say("a", "not_interested")
    assert await house.recommended() == ["b"]
    (hidden,) = (await house.ask(pb.GetPreferencesRequest())).hidden
    assert (hidden.content_id, hidden.title, hidden.reason) == ("a", "A", "not_interested")
    await house.say("a", "unhide")
    assert await house.recommended() == ["a", "b"]
    assert list((await house.ask(pb.GetPreferencesRequest())).hidden) == []


async def test_given_feedback_on_content_that_nobody_published_then_it_is_not_found(house: RecoHouse) -> None:
    with pytest.raises(NotFound):
        await house.say("nothing", "hide")
    assert await house.rows("SELECT 1 FROM events") == []


@pytest.mark.parametrize("kind", ["", "HIDE", "delete"])
async def test_given_feedback_of_an_unknown_kind_then_it_is_refused(house: RecoHouse, kind: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await house.say("a", kind)
    assert refusal.value.field == "kind"


async def test_given_personalisation_switched_off_when_asked_then_behaviour_drives_nothing(house: RecoHouse) -> None:
    await house.published("a", "b", "c")
    await house.viewed("me", "a")
    await house.viewed("other", "a", "c")
    personal = await house.ask(pb.RecommendRequest(method="items"))
    assert personal.items[0].reason == "similar" and personal.personalised
    await house.call(pb.SetPreferencesRequest(personalised=False), ME)
    plain = await house.ask(pb.RecommendRequest(method="items"))
    assert {one.reason for one in plain.items} == {"popular"} and not plain.personalised
    assert "a" not in {one.content_id for one in plain.items}
    assert not (await house.ask(pb.RecommendRequest())).personalised


async def test_given_choices_when_only_one_is_made_then_the_other_stays(house: RecoHouse) -> None:
    await house.call(pb.SetPreferencesRequest(interests=pb.Interests(tags=["ink", "python", "ink"])), ME)
    await house.call(pb.SetPreferencesRequest(personalised=False), ME)
    mine = await house.ask(pb.GetPreferencesRequest())
    assert (mine.personalised, list(mine.interests.tags)) == (False, ["ink", "python"])
    others = await house.ask(pb.GetPreferencesRequest(), OTHER)
    assert (others.personalised, list(others.interests.tags)) == (True, [])
    with pytest.raises(InvalidInput):
        await house.call(pb.SetPreferencesRequest(), ME)


async def test_given_a_choice_repeated_when_it_changes_nothing_then_nothing_is_recorded(house: RecoHouse) -> None:
    for _ in range(3):
        await house.call(pb.SetPreferencesRequest(personalised=False), ME)
    assert len(await house.rows("SELECT 1 FROM events")) == 1


async def test_given_an_excluded_content_when_signals_are_listed_then_it_says_so_and_weighs_nothing(
    house: RecoHouse,
) -> None:
    await house.published("a", "b")
    await house.viewed("me", "a", days_ago=2)
    await house.completed("me", "b")
    await house.settle()
    await house.say("b", "exclude")
    found = [
        (one.content_id, one.signal, one.strength, one.excluded)
        for one in (await house.ask(pb.ListSignalsRequest())).signals
    ]
    assert found == [("b", "complete", 0.0, True), ("a", "view", 1.0, False)]


async def test_given_a_short_look_when_the_duration_becomes_known_later_then_it_counts_against(
    house: RecoHouse,
) -> None:
    await house.viewed("me", "a", watched_ms=5_000)
    await house.published("b")
    assert list((await house.ask(pb.ListSignalsRequest())).signals) == []
    await house.published("a", kind="video", duration_ms=600_000)
    assert [one.strength for one in (await house.ask(pb.ListSignalsRequest())).signals] == [-1.0]
    profile = SHARED.factors(house.wiring).copy.model.standing.profile("me", 0)
    assert (len(profile.items), len(profile.disliked)) == (0, 1)


async def test_given_begun_content_when_finished_or_hidden_then_it_is_no_longer_to_be_continued(
    house: RecoHouse,
) -> None:
    await house.published("a", "b", "c")
    await house.published("d", duration_ms=1_000)
    await house.viewed("me", "a", "b", "c")
    await house.viewed("me", "d", watched_ms=960)
    await house.completed("me", "b")
    await house.settle()
    await house.say("c", "hide")
    found = (await house.ask(pb.ListContinueLearningRequest())).items
    assert [one.content_id for one in found] == ["a"]


async def test_given_members_alike_when_a_member_asks_then_no_id_is_told_and_tastes_of_few_neither(
    house: RecoHouse,
) -> None:
    await house.published("a", "b")
    await house.viewed("me", "a")
    for number in range(19):
        await house.viewed(f"m{number}", "a", "b")
    few = await house.ask(pb.ListSimilarMembersRequest(member_id="me"))
    assert (list(few.members), list(few.taste)) == ([], [])
    await house.viewed("m19", "a")
    many = await house.ask(pb.ListSimilarMembersRequest(member_id="me"))
    assert list(many.members) == [] and [(one.tag, one.share_percent) for one in many.taste] == [("python", 100)]
    named = await house.ask(pb.ListSimilarMembersRequest(member_id="me", limit=1), AUDITOR)
    assert [(one.member_id, one.similarity) for one in named.members] == [("m19", 1.0)]
    with pytest.raises(NotPermitted):
        await house.ask(pb.ListSimilarMembersRequest(member_id="me"), OTHER)


async def test_given_old_and_new_signals_when_trending_is_asked_for_then_the_new_weigh_more(house: RecoHouse) -> None:
    await house.published("old", "new")
    await house.viewed("m1", "old", days_ago=30)
    await house.viewed("m2", "old", days_ago=30)
    await house.viewed("m3", "new", days_ago=2)
    found = (await house.ask(pb.ListTrendingRequest(half_life_hours=48), None)).items
    assert [(one.content_id, one.score) for one in found] == [("new", 0.5), ("old", round(2 * 0.5**15, 9))]
    assert [one.content_id for one in (await house.ask(pb.ListTrendingRequest(creator_id="creator of old"))).items] == [
        "old"
    ]


async def test_given_an_answer_to_a_member_when_recorded_then_the_slot_does_not_repeat_it_in_the_session(
    house: RecoHouse,
) -> None:
    await house.published("a", "b", "c")
    first = await house.ask(pb.RecommendRequest(limit=1, slot="feed"))
    await SHARED.recorder(house.wiring).drain()
    second = await house.ask(pb.RecommendRequest(limit=3, slot="feed"))
    elsewhere = await house.ask(pb.RecommendRequest(limit=3, slot="side"))
    shown = first.items[0].content_id
    assert shown not in {one.content_id for one in second.items}
    assert len(second.items) == 2 and len(elsewhere.items) == 3
    (row,) = await house.rows("SELECT answer_id, member_id, slot, items FROM impression")
    assert row[:3] == (first.answer_id, "me", "feed")
    assert [(one["content_id"], one["propensity"]) for one in row[3]] == [(shown, 1.0)]


async def test_given_shown_content_when_the_member_takes_it_within_a_day_then_it_is_an_outcome(
    house: RecoHouse,
) -> None:
    """What was seen before, or a day later, is none."""
    await house.published("a", "b", "c")
    shown = await house.ask(pb.RecommendRequest(slot="feed"))
    await SHARED.recorder(house.wiring).drain()
    await house.viewed("me", "a", days_ago=-0.5)
    await house.viewed("me", "b", days_ago=-1.5)
    await house.viewed("other", "c", days_ago=-0.5)
    request = pb.ListOutcomesRequest()
    getattr(request, "from").FromDatetime(NOW - timedelta(days=1))
    request.to.FromDatetime(NOW + timedelta(seconds=1))
    (found,) = (await house.ask(request, AUDITOR)).outcomes
    assert (found.slot, found.method, found.answers, found.shown, found.taken) == ("feed", "hybrid", 1, 3, 1)
    assert found.taken_share == pytest.approx(1 / 3) and len(shown.items) == 3
    request.to.FromDatetime(NOW + timedelta(days=99))
    with pytest.raises(InvalidInput) as refusal:
        await house.ask(request, AUDITOR)
    assert refusal.value.field == "to"
    getattr(request, "from").FromDatetime(NOW - timedelta(days=30, seconds=1))
    request.to.FromDatetime(NOW)
    with pytest.raises(InvalidInput, match="within the last 30 days") as refusal:
        await house.ask(request, AUDITOR)
    assert refusal.value.field == "from"
    with pytest.raises(NotPermitted):
        await house.ask(request, ME)


async def test_given_vectors_trained_apart_when_in_use_then_answers_and_impressions_name_them(house: RecoHouse) -> None:
    await house.published("a")
    before = await house.ask(pb.RecommendRequest())
    none = Vectors((), np.zeros((0, 3), dtype=np.float32))
    items = Vectors(("a",), np.ones((1, 3), dtype=np.float32))
    async with house.pool.connection() as conn:
        said = await publish(conn, Trained("lightfm", Origin("1:1:", ()), items, none, none), took_ms=1)
    unused = await house.ask(pb.RecommendRequest(slot="second"))
    parts = SHARED.of(house.wiring)
    assert await parts.trained.load(parts.factors.copy.model)
    after = await house.ask(pb.RecommendRequest(slot="third"))
    assert before.model_version == unused.model_version == "blend"
    assert after.model_version == f"blend+{said.version}"
    assert (await house.ask(pb.RecommendRequest(method="items"))).model_version == ""
    await SHARED.recorder(house.wiring).drain()
    await house.settle()
    rows = await house.rows("SELECT slot, model_version FROM impression WHERE method = 'hybrid' ORDER BY slot")
    assert rows == [("home", "blend"), ("second", "blend"), ("third", after.model_version)]


async def test_given_impressions_older_than_what_is_kept_when_swept_then_they_are_gone_and_a_rebuild_says_the_same(
    house: RecoHouse,
) -> None:
    """The events stay. Folded anew they bring old rows back, until the next sweep: then both hold the same again."""
    await house.published("a", "b")
    house.now = datetime.now(UTC) - timedelta(days=31)
    await house.ask(pb.RecommendRequest(slot="old"))
    house.now = datetime.now(UTC) - timedelta(days=29)
    await house.ask(pb.RecommendRequest(slot="new"))
    await SHARED.recorder(house.wiring).drain()
    await house.settle()
    every = await house.rows("SELECT slot, answer_id, items FROM impression ORDER BY occurred_at")
    assert [row[0] for row in every] == ["old", "new"]
    for _ in range(2):
        await swept(house)
        assert await house.rows("SELECT slot, answer_id, items FROM impression") == every[1:]
        async with house.pool.connection() as conn:
            await conn.execute("TRUNCATE impression")
            await conn.execute("DELETE FROM fold_position WHERE projection = 'impressions'")
        house.position = house.offsets["lyceum.reco.impression"] = 0
        await house.settle()
        assert len(await house.rows("SELECT 1 FROM impression")) == 2
    assert len(await house.rows("SELECT 1 FROM events")) == 2


async def swept(house: RecoHouse) -> None:
    """Lets the sweeper of the process run until it pauses."""
    work = SHARED.background(house.wiring)["sweeper"]
    sweeping = asyncio.ensure_future(cast(Any, work()))
    while not [row for row in await house.rows("SELECT count(*) FROM impression") if row[0] < 2]:
        assert not sweeping.done()
        await asyncio.sleep(0)
    sweeping.cancel()


async def test_given_an_operator_who_looks_at_a_member_when_answered_then_no_impression_is_logged(
    house: RecoHouse,
) -> None:
    await house.published("a")
    assert (await house.ask(pb.RecommendRequest(member_id="me"), AUDITOR)).answer_id == ""


async def test_given_popular_and_similar_content_when_anybody_asks_then_it_is_told_with_its_formula(
    house: RecoHouse,
) -> None:
    await house.published("a", "b")
    await house.viewed("m1", "b")
    found = await house.ask(pb.ListPopularRequest(limit=1), None)
    (one,) = found.items
    assert (one.content_id, one.title, one.score, one.reason) == ("b", "B", 1.0, "popular")
    assert "distinct members" in found.formula and one.words.zh and one.words.en
    assert found.as_of.ToDatetime(tzinfo=UTC) == NOW
    with pytest.raises(NotFound):
        await house.ask(pb.ListSimilarRequest(content_id="zzz"), None)


@pytest.mark.parametrize(("caller", "shown"), [(None, False), (ME, False), (AUDITOR, True)])
async def test_given_freshness_when_told_then_only_operators_see_how_many_events_there_were(
    house: RecoHouse, caller: Caller | None, shown: bool
) -> None:
    await house.published("a")
    (source,) = (await house.ask(pb.ListPopularRequest(), caller)).freshness.sources
    assert source.projection == "factors" and (source.sequence > 0) is shown
