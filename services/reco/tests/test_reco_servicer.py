"""The service's edge: who may ask for whom, what is refused, and when the factors are refreshed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from eventfold.errors import InvalidInput, NotFound, NotPermitted, Unauthenticated
from eventfold.reading.following import Mark
from lyceum.reco.v1 import reco_pb2
from reco.application.live_factors import LiveFactors, Look, Reached
from reco.application.pairs import Bounds, Pairs
from reco.entrypoints.policies import POLICIES, SERVICE
from reco.entrypoints.servicer import RecoServicer
from reco.projections.factors import ItemRow, PairRow
from servicekit.call import Call, enter_call
from servicekit.caller import Caller
from servicekit.policy import guarded
from servicekit.reading import ReadGate

NOW = datetime(2026, 3, 10, 20, tzinfo=UTC)


class Tables:
    """Read tables that grow by one pair whenever they are read."""

    def __init__(self) -> None:
        self.reads = 0

    async def read_changes(self, last: Mark | None, pairs: Pairs) -> Look:
        self.reads += 1
        pairs.take_items([ItemRow(content, "cr", "text", content.upper(), [], None, NOW) for content in "ab"])
        pairs.take_pairs([PairRow(f"m{self.reads}", "b", 1, None, None, NOW, NOW)])
        return Look(Mark("snapshot", "copy"), [Reached("lyceum.catalog.interaction", 1, self.reads, NOW)], pairs)


class OpenGate(ReadGate):
    """Every token is satisfied at once."""

    def __init__(self) -> None:
        pass

    async def wait(self, call: Call, reads: Sequence[str]) -> bool:
        return True


@pytest.fixture
def servicer() -> RecoServicer:
    factors = LiveFactors(Tables(), Pairs(Bounds(10, 10, 10)))
    admitting: RecoServicer = guarded(SERVICE, [(RecoServicer(factors), POLICIES)], OpenGate())
    return admitting


def called_by(role: str | None, member_id: str = "me", **metadata: str) -> None:
    caller = None if role is None else Caller(member_id, role, "session")
    sent = {name.replace("_", "-"): value for name, value in metadata.items()}
    enter_call(Call("rpc", sent, caller, NOW, "reco", b"", None))  # type: ignore[arg-type]


async def test_recommendations_need_a_caller(servicer: RecoServicer) -> None:
    called_by(None)
    with pytest.raises(Unauthenticated):
        await servicer.Recommend(reco_pb2.RecommendRequest(), None)


async def test_a_member_gets_its_own_and_only_operators_those_of_others(servicer: RecoServicer) -> None:
    called_by("consumer", "m1")
    own = await servicer.Recommend(reco_pb2.RecommendRequest(), None)
    assert [one.content_id for one in own.items] == ["a"]
    with pytest.raises(NotPermitted):
        await servicer.Recommend(reco_pb2.RecommendRequest(member_id="m2"), None)
    called_by("auditor")
    assert (await servicer.Recommend(reco_pb2.RecommendRequest(member_id="m1"), None)).items == own.items


async def test_popular_and_similar_content_is_open_to_everybody(servicer: RecoServicer) -> None:
    called_by(None)
    popular = await servicer.ListPopular(reco_pb2.ListPopularRequest(limit=1), None)
    assert [(one.content_id, one.title, one.score, one.reason) for one in popular.items] == [("b", "B", 1.0, "popular")]
    assert list((await servicer.ListSimilar(reco_pb2.ListSimilarRequest(content_id="b"), None)).items) == []
    with pytest.raises(NotFound):
        await servicer.ListSimilar(reco_pb2.ListSimilarRequest(content_id="zzz"), None)


@pytest.mark.parametrize("limit", [-1, 101])
async def test_limits_are_bounded(servicer: RecoServicer, limit: int) -> None:
    called_by(None)
    with pytest.raises(InvalidInput) as refused:
        await servicer.ListPopular(reco_pb2.ListPopularRequest(limit=limit), None)
    assert refused.value.field == "limit"


async def test_an_answer_says_its_formula_moment_and_freshness(servicer: RecoServicer) -> None:
    called_by(None)
    found = await servicer.ListPopular(reco_pb2.ListPopularRequest(), None)
    (source,) = found.freshness.sources
    assert (source.projection, source.topic, source.partition) == ("factors", "lyceum.catalog.interaction", 1)
    assert found.as_of.ToDatetime(tzinfo=UTC) == NOW and "distinct members" in found.formula


@pytest.mark.parametrize(("role", "shown"), [(None, False), ("creator", False), ("auditor", True)])
async def test_only_operators_see_how_many_events_there_were(
    servicer: RecoServicer, role: str | None, shown: bool
) -> None:
    called_by(role)
    (source,) = (await servicer.ListPopular(reco_pb2.ListPopularRequest(), None)).freshness.sources
    assert (source.sequence > 0) is shown


async def test_a_call_with_a_token_header_reads_the_tables_anew_and_others_use_the_copy(servicer: RecoServicer) -> None:
    async def score(**metadata: str) -> float:
        called_by(None, **metadata)
        return (await servicer.ListPopular(reco_pb2.ListPopularRequest(limit=1), None)).items[0].score

    assert [await score(), await score(), await score(x_lyceum_after="token")] == [1.0, 1.0, 2.0]
