"""The worked cases of the definitions, from public events to answers; and how rows come to be."""

from __future__ import annotations

import random
import shutil
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from metrics_facts import Fact, did, granted, on_topics, ordered, placed, published, registered, some_facts
from metrics_house import NOW, SHANGHAI, MetricsHouse, metrics_house
from psycopg import AsyncConnection

from eventfold import Projection
from eventfold.errors import BuiltUnderOther, NotFound
from eventfold.testing import Tables, folded
from lyceum.metrics.v1 import activity_pb2
from lyceum.metrics.v1 import metrics_pb2 as pb
from metrics.bootstrap import DEFINITION
from metrics.projections.groups import groups
from metrics.reading import postgres_look
from servicekit.migrate import migrate
from servicekit.testing import migrated

PROJECTIONS = tuple(one for group in groups(SHANGHAI) for one in group.projections)


def back(days: float) -> datetime:
    return (NOW - timedelta(days=days)).astimezone(UTC)


def stamp(at: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(at)
    return message


@pytest.fixture
async def house(postgres_url: str, tmp_path: Path) -> AsyncIterator[MetricsHouse]:
    async with metrics_house(postgres_url, tmp_path) as one:
        yield one


async def test_the_worked_score(house: MetricsHouse) -> None:
    facts = [registered("m1", back(60))]
    facts += [did(("view", "rate", "complete")[n % 3], "m1", back(7 + n * 1.4)) for n in range(20)]
    facts += [did("like", "m1", back(6.4)), did("comment", "m1", back(0)), did("unlike", "m1", back(0))]
    await house.hear([*facts, did("view", "m1", back(35))])
    found = await house.asked(pb.GetMemberRetentionRequest(member_id="m1"))
    assert (found["history"], found["current"], found["score"]) == (5.0, 2.0, 4.4)
    assert found["history_window"]["days"] == 28


async def test_the_worked_activity(house: MetricsHouse) -> None:
    facts = [registered("m1", back(90)), registered("m2", back(90))]
    facts += [did("view", "m1", back(n * 2.9)) for n in range(10)]
    await house.hear([*facts, did("view", "m1", back(30)), did("view", "m2", back(29)), did("view", "m2", back(-1))])
    mine = await house.asked(pb.GetMemberActivityRequest(member_id="m1"))
    assert (mine["interactions"], mine["rate_per_day"]) == ("10", pytest.approx(1 / 3))
    all_ = await house.asked(pb.GetActivityRequest())
    assert (all_["interactions"], all_["members"], all_["activity"]) == ("11", "2", 5.5)
    assert all_["activity_per_day"] == pytest.approx(5.5 / 30)


async def test_the_worked_revenue(house: MetricsHouse) -> None:
    facts = [registered(f"m{n}", back(20)) for n in range(1000)]
    facts += [fact for n in range(100) for fact in ordered(f"o{n}", f"m{n}", 10_000, back(3))]
    facts += ordered("free", "m500", 0, back(3)) + ordered("other", "m501", 700, back(3), currency="USD")
    await house.hear(facts + ordered("old", "m502", 900, back(40)))
    found = await house.asked(pb.GetRevenueRequest(window_days=30))
    assert (found["members"], found["payers"], found["mean_spend_minor"]) == ("1000", "100", 10_000.0)
    assert (found["conversion"], found["revenue_minor"], found["window"]["days"]) == (0.1, "1000000", 30)


async def test_revenue_of_all_time_begins_with_the_first_paid_order(house: MetricsHouse) -> None:
    facts = [registered("m1", back(50)), *ordered("o1", "m1", 900, back(40)), *ordered("o2", "m1", 100, back(0))]
    await house.hear(facts)
    found = await house.asked(pb.GetRevenueRequest())
    assert (found["revenue_minor"], found["payers"], found["window"]["days"]) == ("1000", "1", 41)
    nothing = await house.asked(pb.GetRevenueRequest(currency="EUR"))
    assert (nothing["revenue_minor"], nothing["window"]["days"]) == ("0", 1)


async def test_retention_counts_purchases_and_stops_at_the_day_of_as_of(house: MetricsHouse) -> None:
    facts = [did("view", "m1", back(3)), *ordered("o1", "m1", 0, back(2)), did("rate", "m1", back(0))]
    await house.hear([*facts, did("view", "m2", back(1))])
    found = await house.asked(pb.GetRetentionRequest(t_days=[1, 2]))
    assert (found["survived"], found["exposed"]) == ("1", "3")
    assert [one["l"] for one in found["points"]] == [pytest.approx(1 / 3), pytest.approx(1 / 9)]
    assert (found["window"]["days"], found["window"]["time_zone"]) == (4, "Asia/Shanghai")
    earlier = await house.asked(pb.GetRetentionRequest(as_of=stamp(back(2))))
    assert (earlier["survived"], earlier["exposed"]) == ("1", "1")


async def test_a_like_taken_back_is_no_activity(house: MetricsHouse) -> None:
    await house.hear([did("unlike", "m1", back(1)), did("unlike", "m1", back(0))])
    assert (await house.asked(pb.GetRetentionRequest()))["exposed"] == "0"


async def test_the_overview_counts_everything_as_of_a_day(house: MetricsHouse) -> None:
    facts = [registered("m1", back(9)), registered("m2", back(1), "creator"), registered("m3", back(9), "auditor")]
    facts += [registered("m4", back(9)), granted("m4", "importer", back(8)), published("c1", back(8))]
    facts += [published("c2", back(0)), did("view", "m1", back(8)), did("view", "m1", back(0))]
    await house.hear(
        [
            *facts,
            did("complete", "m1", back(0)),
            *ordered("o1", "m1", 500, back(5)),
            placed("o2", "m1", 1, back(4)),
        ]
    )
    now = await house.asked(pb.GetOverviewRequest())
    assert (now["members"], now["contents"], now["orders_placed"], now["orders_paid"]) == ("2", "2", "2", "1")
    assert {kind: n for kind, n in now["interactions"].items() if n != "0"} == {"view": "2", "complete": "1"}
    then = await house.asked(pb.GetOverviewRequest(as_of=stamp(back(5))))
    assert (then["members"], then["contents"], then["orders_placed"], then["orders_paid"]) == ("1", "1", "1", "1")


async def test_an_unknown_member_is_not_found(house: MetricsHouse) -> None:
    for request in (pb.GetMemberActivityRequest(member_id="no"), pb.GetMemberRetentionRequest(member_id="no")):
        with pytest.raises(NotFound) as refused:
            await house.asked(request)
        assert (refused.value.code, refused.value.ids) == ("NOT_FOUND", {"member_id": "no"})


async def test_what_an_import_dates_back_restates_the_past_and_is_listed(house: MetricsHouse) -> None:
    facts = [registered("m1", back(50)), did("view", "m1", back(0))]
    await house.hear(facts)
    asked = pb.GetMemberActivityRequest(member_id="m1", window_days=7, as_of=stamp(back(19)))
    assert (await house.asked(asked))["interactions"] == "0"
    await house.hear([*facts, did("view", "m1", back(20)).imported(NOW)])
    assert (await house.asked(asked))["interactions"] == "1"
    (listed,) = (await house.asked(activity_pb2.ListRestatementsRequest()))["restatements"]
    assert (listed["day"], listed["seen_on"], listed["reason"]) == ("2026-02-18", "2026-03-10", "import")
    assert (listed["interactions"], listed["purchases"]) == ("1", "0")


def fold_in_memory(batches: Sequence[Sequence[Any]], projections: Sequence[Projection] = PROJECTIONS) -> Tables:
    return {name: rows for one in projections for name, rows in folded(one, *batches).items()}


@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(1, 9), max_size=12))
def test_rows_do_not_depend_on_interleaving_or_on_how_batches_are_cut(seed: int, cuts: list[int]) -> None:
    partitions = {
        place: [fact.record(seq) for seq, fact in found]
        for place, found in on_topics(some_facts(seed, 30, NOW)).items()
    }
    order = [place for place, found in partitions.items() for _ in found]
    random.Random(seed).shuffle(order)
    queues = {place: list(found) for place, found in partitions.items()}
    shuffled = [queues[place].pop(0) for place in order]
    batches = []
    for size in cuts:
        batches.append(shuffled[:size])
        shuffled = shuffled[size:]
    assert fold_in_memory([*partitions.values()]) == fold_in_memory([*batches, shuffled])


@pytest.mark.parametrize(
    ("zone", "instants", "last", "long"),
    [
        ("Australia/Lord_Howe", ("2024-04-06T13:00", "2024-04-07T12:59", "2024-04-07T13:15"), 1, 2),  # 24.5 hours
        ("Australia/Lord_Howe", ("2024-10-05T13:30", "2024-10-06T12:59"), 1, None),  # 23.5 hours
        ("Africa/Cairo", ("2023-10-25T21:00", "2023-10-26T20:59", "2023-10-26T21:30"), 1, 2),  # 25 hours
        ("Asia/Shanghai", ("2026-03-09T16:00", "2026-03-10T15:59"), 1, None),
    ],
)
def test_first_and_last_instants_of_a_day_lie_less_than_24_hours_apart(
    zone: str, instants: Sequence[str], last: int, long: int | None
) -> None:
    """Given events at the start and the end of one day, when folded, then what is past 24 hours is kept apart."""
    at = [datetime.fromisoformat(one).replace(tzinfo=UTC) for one in instants]
    activity = groups(ZoneInfo(zone))[1].projections[0]
    records = [did("view", "m1", one).record(seq) for seq, one in enumerate(at, start=1)]
    for arrived in (records, records[::-1]):
        (row,) = folded(activity, arrived)["member_day"].values()
        assert (row.views, row.first_at, row.last_at) == (len(at), at[0], at[last])
        assert (row.long_first_at, row.long_last_at) == ((None, None) if long is None else (at[long], at[long]))


async def test_another_zone_halts_the_fold_and_the_answers(postgres_url: str, tmp_path: Path) -> None:
    async with metrics_house(postgres_url, tmp_path) as house:
        await house.hear([did("view", "m1", back(0))])
        wanted = "METRICS_ZONE=Asia/Shanghai, and this process has METRICS_ZONE=UTC"
        with pytest.raises(BuiltUnderOther, match=wanted):
            await postgres_look(house.pool, ZoneInfo("UTC"))().__aenter__()


async def test_the_build_before_goes_on_reading_the_zone_that_days_were_counted_in(
    postgres_url: str, tmp_path: Path
) -> None:
    """Given days counted by the build before, when they are migrated, then both builds see their zone."""
    shutil.copy(DEFINITION.migrations / "0001_initial.py", tmp_path)
    async with (
        migrated(postgres_url, replace(DEFINITION, migrations=tmp_path)) as url,
        await AsyncConnection.connect(url, autocommit=True) as conn,
    ):
        await conn.execute("INSERT INTO day_zone VALUES ('days', 'Asia/Shanghai')")
        migrate(url, DEFINITION.migrations)
        recorded = await conn.execute("SELECT projection, setting, value FROM built_under")
        assert await recorded.fetchall() == [("activity", "METRICS_ZONE", "Asia/Shanghai")]
        before = await conn.execute("SELECT t.zone FROM unnest('{days}'::text[]) k(name) JOIN day_zone t USING (name)")
        assert await before.fetchall() == [("Asia/Shanghai",)]


async def test_migrated_columns_are_those_that_the_projections_declare(house: MetricsHouse) -> None:
    for table in (table for projection in PROJECTIONS for table in projection.tables):
        found = await house.rows(
            """SELECT column_name, data_type, is_nullable = 'YES' FROM information_schema.columns
               WHERE table_schema = current_schema() AND table_name = %s ORDER BY ordinal_position""",
            table.name,
        )
        assert found == [
            (column, kind.replace("timestamptz", "timestamp with time zone"), null)
            for column, kind, null in table.declared
        ]


async def test_facts_heard_again_change_nothing(house: MetricsHouse) -> None:
    facts: list[Fact] = some_facts(3, 200, NOW)
    await house.hear(facts)
    tables = [table.name for projection in PROJECTIONS for table in projection.tables]
    once = [await house.rows(f"SELECT * FROM {name} ORDER BY 1, 2") for name in tables]  # noqa: S608
    await house.hear(facts)
    assert [await house.rows(f"SELECT * FROM {name} ORDER BY 1, 2") for name in tables] == once  # noqa: S608
