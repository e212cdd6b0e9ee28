"""From public records through the folds to the answers: in memory, and in a real PostgreSQL, with the same results."""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from eventfold import FoldGroup, Projection, PublicRecord
from eventfold.errors import BuiltUnderOther, NotFound
from eventfold.fold.runner import FoldRunner, PartitionBatch
from eventfold.measured.times import rfc3339
from eventfold.testing import Tables, folded
from metrics.adapters.figures_memory import MemoryFigures
from metrics.adapters.figures_postgres import postgres_look
from metrics.application import answers
from metrics.application.calibrations import Calibrations
from metrics.application.figures import Figures, Orders
from metrics.bootstrap import DEFINITION
from metrics.domain.calibration import WEEKS_READ, Calibration
from metrics.domain.windows import day_of, ending
from metrics.projections.activity import activity
from metrics.projections.orders import ORDER_FACTS
from metrics.projections.registry import REGISTRY
from servicekit.migrate import migrate
from servicekit.testing import Delivered, NoAvro, migrated

SHANGHAI = ZoneInfo("Asia/Shanghai")
PROJECTIONS = (activity(SHANGHAI), REGISTRY, ORDER_FACTS)
NOW = datetime(2026, 3, 10, 12, tzinfo=SHANGHAI)
"""20:00 on 10 March; in Shanghai a day begins at 16:00 UTC."""

INTERACTIONS = ("viewed", "liked", "unliked", "commented", "shared", "rated")


@dataclass(frozen=True)
class Fact:
    """A public event before it has a place on a topic."""

    type: str
    data: dict[str, Any]

    @property
    def topic(self) -> str:
        return self.type.rsplit(".", 2)[0]


def back(days: float) -> datetime:
    return (NOW - timedelta(days=days)).astimezone(UTC)


def did(kind: str, member: str, days_back: float, content: str = "c1") -> Fact:
    subject = "learning" if kind == "completed" else "interaction"
    data = {"member_id": member, "content_id": content, "occurred_at": back(days_back)}
    return Fact(f"lyceum.catalog.{subject}.{kind}.v1", data)


def registered(member: str, days_back: float, role: str = "consumer") -> Fact:
    data = {"member_id": member, "role": role, "claimed": True, "registered_at": back(days_back)}
    return Fact("lyceum.identity.member.registered.v1", data)


def granted(member: str, role: str) -> Fact:
    data = {"member_id": member, "role": role, "previous": "consumer", "granted_at": back(0)}
    return Fact("lyceum.identity.member.role_granted.v1", data)


def published(content: str, days_back: float) -> Fact:
    return Fact("lyceum.catalog.content.published.v1", {"content_id": content, "published_at": back(days_back)})


def ordered(order: str, member: str, charged_minor: int, days_back: float, currency: str = "CNY") -> list[Fact]:
    order_data = {
        "order_id": order,
        "member_id": member,
        "charged": {"amount_minor": charged_minor, "currency": currency},
    }
    placed = Fact("lyceum.billing.order.placed.v1", {**order_data, "placed_at": back(days_back)})
    return [placed, Fact("lyceum.billing.order.paid.v1", {**order_data, "paid_at": back(days_back)})]


def records(facts: Sequence[Fact]) -> dict[tuple[str, int], list[Delivered]]:
    """Facts on two partitions per topic, by member (orders: by order), as services would have sent them."""
    topics: dict[tuple[str, int], list[Delivered]] = {}
    for seq, fact in enumerate(facts, start=1):
        key = str(fact.data.get("order_id", fact.data.get("member_id", fact.data.get("content_id"))))
        records = topics.setdefault((fact.topic, sum(key.encode()) % 2), [])
        headers = {"ce_id": f"e{seq}", "ce_type": fact.type, "ce_sequence": str(seq), "ce_time": rfc3339(NOW)}
        encoded = [(name, text.encode()) for name, text in headers.items()]
        records.append(Delivered(len(records), key.encode(), fact.data, encoded))
    return topics


def public(topic: str, partition: int, one: Delivered) -> PublicRecord:
    return PublicRecord(topic, partition, one, one.value)


def fold_in_memory(
    batches: Sequence[Sequence[PublicRecord]], projections: Sequence[Projection] = PROJECTIONS
) -> Tables:
    return {name: rows for one in projections for name, rows in folded(one, *batches).items()}


Built = Callable[[Sequence[Fact]], Awaitable[Figures]]


async def in_memory(facts: Sequence[Fact]) -> Figures:
    batches = [[public(*place, one) for one in found] for place, found in records(facts).items()]
    tables = {name: list(rows.values()) for name, rows in fold_in_memory(batches).items()}
    return MemoryFigures(tables["member_day"], tables["member"], tables["content"], tables["placed_order"])


@contextlib.asynccontextmanager
async def database(postgres_url: str) -> AsyncIterator[AsyncConnectionPool[Any]]:
    async with (
        migrated(postgres_url, DEFINITION) as url,
        AsyncConnectionPool(url, min_size=1, max_size=4, open=False) as pool,
    ):
        yield pool


async def apply(pool: AsyncConnectionPool[Any], facts: Sequence[Fact], zone: ZoneInfo = SHANGHAI) -> None:
    folds = (activity(zone), REGISTRY, ORDER_FACTS)
    runner = FoldRunner(worker="t", pool=pool, avro=NoAvro(), groups=[FoldGroup("all", tuple(folds))])
    await runner.apply([PartitionBatch(*place, found) for place, found in records(facts).items()])


@pytest.fixture(params=["memory", "postgres"])
async def built(request: pytest.FixtureRequest) -> AsyncIterator[Built]:
    if request.param == "memory":
        yield in_memory
        return
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(database(request.getfixturevalue("postgres_url")))

        async def in_postgres(facts: Sequence[Fact]) -> Figures:
            await apply(pool, facts)
            return await stack.enter_async_context(postgres_look(pool, SHANGHAI)())

        yield in_postgres


async def test_the_worked_score_comes_out_of_folded_events(built: Built) -> None:
    facts = [registered("m1", 60)]
    facts += [did(("viewed", "rated", "completed")[n % 3], "m1", 7 + n * 1.4) for n in range(20)]
    facts += [did("liked", "m1", 6.4), did("commented", "m1", 0), did("unliked", "m1", 0), did("viewed", "m1", 35)]
    found = await answers.member_retention(await built(facts), "m1", NOW, SHANGHAI, Calibration())
    assert (found.engagement.history, found.engagement.current, found.engagement.score()) == (5.0, 2.0, 4.4)
    assert (found.history_window.days, found.current_window.last_day) == (28, day_of(NOW, SHANGHAI))


async def test_the_worked_activity_comes_out_of_folded_events(built: Built) -> None:
    facts = [registered("m1", 90), registered("m2", 90), *(did("viewed", "m1", n * 2.9) for n in range(10))]
    facts += [did("viewed", "m1", 30), did("viewed", "m2", 29), did("viewed", "m2", -1)]
    figures = await built(facts)
    mine = await answers.member_activity(figures, "m1", NOW, SHANGHAI, 30)
    assert (mine.interactions, mine.rate_per_day) == (10, pytest.approx(1 / 3))
    everybody = await answers.all_activity(figures, NOW, SHANGHAI, 0)
    assert (everybody.interactions, everybody.members, everybody.activity) == (11, 2, 5.5)
    assert everybody.per_day == pytest.approx(5.5 / 30)


async def test_the_worked_revenue_comes_out_of_folded_events(built: Built) -> None:
    facts = [registered(f"m{n}", 20) for n in range(1000)]
    facts += [fact for n in range(100) for fact in ordered(f"o{n}", f"m{n}", 10_000, 3)]
    facts += ordered("free", "m500", 0, 3) + ordered("other", "m501", 700, 3, "USD") + ordered("old", "m502", 900, 40)
    found, window = await answers.revenue(await built(facts), NOW, SHANGHAI, 30, "CNY")
    assert (found.members, found.payers, found.mean_spend_minor) == (1000, 100, 10_000)
    assert (found.conversion, found.product_minor, window.days) == (Fraction(1, 10), 1_000_000, 30)


async def test_revenue_of_all_time_begins_with_the_first_paid_order(built: Built) -> None:
    figures = await built([registered("m1", 50), *ordered("o1", "m1", 900, 40), *ordered("o2", "m1", 100, 0)])
    found, window = await answers.revenue(figures, NOW, SHANGHAI, 0, "CNY")
    assert (found.revenue_minor, found.payers, window.days) == (1000, 1, 41)
    nothing, window = await answers.revenue(figures, NOW, SHANGHAI, 0, "EUR")
    assert (nothing.revenue_minor, window.days) == (0, 1)


async def test_retention_counts_purchases_and_stops_at_the_day_of_as_of(built: Built) -> None:
    facts = [did("viewed", "m1", 3), *ordered("o1", "m1", 0, 2), did("rated", "m1", 0), did("viewed", "m2", 1)]
    figures = await built(facts)
    found = await answers.retention(figures, NOW, SHANGHAI, [1, 2])
    assert (found.survival.survived, found.survival.exposed) == (1, 3)
    assert found.points == [(1, pytest.approx(1 / 3)), (2, pytest.approx(1 / 9))]
    assert (found.window.days, found.window.zone) == (4, SHANGHAI)
    earlier = await answers.retention(figures, back(2), SHANGHAI, [])
    assert (earlier.survival.survived, earlier.survival.exposed) == (1, 1)


async def test_a_like_taken_back_is_no_activity(built: Built) -> None:
    figures = await built([did("unliked", "m1", 1), did("unliked", "m1", 0)])
    assert (await answers.retention(figures, NOW, SHANGHAI, [])).survival.exposed == 0


async def test_days_are_days_of_the_zone(built: Built) -> None:
    before_midnight = NOW.replace(hour=23, minute=59)
    minutes_later = (NOW - before_midnight - timedelta(minutes=2)) / timedelta(days=1)
    figures = await built(
        [did("viewed", "m1", (NOW - before_midnight) / timedelta(days=1)), did("viewed", "m1", minutes_later)]
    )
    found = await answers.retention(figures, back(-1), SHANGHAI, [])
    assert (found.survival.survived, found.survival.exposed) == (1, 1)


async def test_the_overview_counts_everything_as_of_a_day(built: Built) -> None:
    facts = [registered("m1", 9), registered("m2", 1, "creator"), registered("m3", 9, "auditor"), registered("m4", 9)]
    facts += [granted("m4", "importer"), published("c1", 8), published("c2", 0), did("viewed", "m1", 8)]
    facts += [
        did("viewed", "m1", 0),
        did("completed", "m1", 0),
        *ordered("o1", "m1", 500, 5),
        ordered("o2", "m1", 1, 4)[0],
    ]
    figures = await built(facts)
    now = await answers.overview(figures, NOW, SHANGHAI)
    assert (now.members, now.contents, now.orders) == (2, 2, Orders(placed=2, paid=1))
    assert {kind: count for kind, count in now.interactions.items() if count} == {"view": 2, "complete": 1}
    then = await answers.overview(figures, back(5), SHANGHAI)
    assert (then.members, then.contents, then.orders) == (1, 1, Orders(placed=1, paid=1))


async def test_an_unknown_member_is_not_found(built: Built) -> None:
    figures = await built([registered("m1", 1)])
    with pytest.raises(NotFound):
        await answers.member_activity(figures, "nobody", NOW, SHANGHAI, 0)
    with pytest.raises(NotFound):
        await answers.member_retention(figures, "nobody", NOW, SHANGHAI, Calibration())


def some_facts(seed: int, count: int) -> list[Fact]:
    draw = random.Random(seed)
    facts = [
        registered(f"m{n}", draw.uniform(-5, 300), draw.choice(["consumer", "creator", "admin"])) for n in range(12)
    ]
    for number in range(count):
        member, days_back = f"m{draw.randrange(12)}", draw.choice([draw.uniform(-3, 5), draw.uniform(0, 250)])
        if draw.random() < 0.3:
            facts += ordered(f"o{number}", member, draw.randrange(3) * 500, days_back, draw.choice(["CNY", "USD"]))
        else:
            facts.append(did(draw.choice([*INTERACTIONS, "completed"]), member, days_back))
    return facts


@pytest.mark.parametrize("seed", range(4))
async def test_both_implementations_agree(postgres_url: str, seed: int) -> None:
    facts = some_facts(seed, 300)
    memory = await in_memory(facts)
    async with database(postgres_url) as pool:
        await apply(pool, facts)
        async with postgres_look(pool, SHANGHAI)() as postgres:
            for as_of in (NOW, back(1), back(100)):
                assert await _everything(memory, as_of) == await _everything(postgres, as_of)


async def _everything(figures: Figures, as_of: datetime) -> list[Any]:
    week = ending(day_of(as_of, SHANGHAI), 7, SHANGHAI)
    weeks = await figures.member_weeks(week, WEEKS_READ)
    return [
        await answers.retention(figures, as_of, SHANGHAI, [1, 7]),
        await answers.all_activity(figures, as_of, SHANGHAI, 30),
        await answers.member_activity(figures, "m1", as_of, SHANGHAI, 90),
        *[await answers.revenue(figures, as_of, SHANGHAI, days, "CNY") for days in (0, 45)],
        await answers.overview(figures, as_of, SHANGHAI),
        sorted((one.registered_week, sorted(one.interactions.items())) for one in weeks),
        await figures.registered_by_week(week, WEEKS_READ),
        await answers.member_retention(
            figures, "m1", as_of, SHANGHAI, await Calibrations().get(figures, as_of, SHANGHAI)
        ),
    ]


@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(1, 9), max_size=12))
def test_rows_do_not_depend_on_interleaving_or_on_how_batches_are_cut(seed: int, cuts: list[int]) -> None:
    partitions = records(some_facts(seed, 30))
    in_turn = [[public(*place, one) for one in found] for place, found in partitions.items()]
    order = [place for place, found in partitions.items() for _ in found]
    random.Random(seed).shuffle(order)
    queues = {place: list(found) for place, found in partitions.items()}
    shuffled = [public(*place, queues[place].pop(0)) for place in order]
    batches = []
    for size in cuts:
        batches.append(shuffled[:size])
        shuffled = shuffled[size:]
    assert fold_in_memory(in_turn) == fold_in_memory([*batches, shuffled])


async def test_records_delivered_again_are_counted_once(postgres_url: str) -> None:
    facts = some_facts(1, 50)
    async with database(postgres_url) as pool:
        await apply(pool, facts)
        async with postgres_look(pool, SHANGHAI)() as figures:
            once = await _everything(figures, NOW)
        await apply(pool, facts)
        async with postgres_look(pool, SHANGHAI)() as figures:
            assert await _everything(figures, NOW) == once


async def test_what_an_import_dates_back_restates_the_past(postgres_url: str) -> None:
    async with database(postgres_url) as pool:
        facts = [registered("m1", 50), did("viewed", "m1", 0)]
        await apply(pool, facts)
        await apply(pool, [*facts, did("viewed", "m1", 20)])
        async with postgres_look(pool, SHANGHAI)() as figures:
            assert (await answers.member_activity(figures, "m1", back(19), SHANGHAI, 7)).interactions == 1


async def test_another_zone_halts_the_fold_and_the_answers(postgres_url: str) -> None:
    async with database(postgres_url) as pool:
        await apply(pool, [did("viewed", "m1", 0)])
        with pytest.raises(BuiltUnderOther, match="METRICS_ZONE=Asia/Shanghai, and this process has METRICS_ZONE=UTC"):
            await apply(pool, [did("viewed", "m1", 0), did("viewed", "m1", 0)], ZoneInfo("UTC"))
        with pytest.raises(BuiltUnderOther):
            await postgres_look(pool, ZoneInfo("UTC"))().__aenter__()


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


async def test_migrated_columns_are_those_that_the_projections_declare(postgres_url: str) -> None:
    tables = [table for projection in PROJECTIONS for table in projection.tables]
    async with database(postgres_url) as pool, pool.connection() as conn:
        for table in tables:
            found = await conn.execute(
                """SELECT column_name, data_type, is_nullable = 'YES' FROM information_schema.columns
                   WHERE table_schema = current_schema() AND table_name = %s ORDER BY ordinal_position""",
                [table.name],
            )
            expected = [
                (column, kind.replace("timestamptz", "timestamp with time zone"), null)
                for column, kind, null in table.declared
            ]
            assert await found.fetchall() == expected
