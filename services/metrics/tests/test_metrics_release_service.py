"""Releases from the RPC to the record: who may, what is paid, what is the same answer, what is refused and leaves
nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from metrics_facts import Fact, did, ordered, published, registered
from metrics_house import NOW, SHANGHAI, MetricsHouse, metrics_house

from eventfold.errors import DeadlineExceeded, InvalidInput, NotFound, NotPermitted
from lyceum.metrics.v1 import release_pb2 as pb
from metrics.release.domain.budget import BudgetExceeded
from metrics.release.domain.drawing import SUPPRESSED_UNDER_MEMBERS
from metrics.release.domain.loss import epsilon_of
from metrics.release.noise.process import NoiseProcess
from servicekit.caller import Caller
from servicekit.database import make_pool
from servicekit.definition import wire
from servicekit.testing import refused
from servicekit.testing.house import Registered

ADMIN, AUDITOR = Caller("admin", "admin", "s"), Caller("auditor", "auditor", "s")
CREATOR, OTHER = Caller("creator0", "creator", "s"), Caller("creator1", "creator", "s")
CONSUMER = Caller("m0", "consumer", "s")
PERIOD = "2026-03"
MEMBERS, BUYERS, RATERS, LEARNERS = 400, 100, 200, 40
MONDAY = datetime(2026, 3, 2, 12, tzinfo=SHANGHAI)
"""In the last full week before `NOW`, Tuesday the 10th."""
JANUARY = datetime(2026, 1, 5, 12, tzinfo=SHANGHAI)


def community() -> list[Fact]:
    """400 members who registered in January. All viewed content of creator0 in tea, in the last full week; 200 rated it
    with 5, 100 paid 50.00 for it. 40 also viewed creator1's content in go, and 10 completed it every week since
    January."""
    facts = [
        _published("c0", "creator0", ["tea", "rare"], "drinks"),
        _published("c1", "creator1", ["go"], "games"),
    ]
    for number in range(MEMBERS):
        member = f"m{number}"
        facts.append(registered(member, JANUARY + timedelta(minutes=number)))
        facts.append(did("view", member, MONDAY + timedelta(minutes=number), "c0"))
        if number < RATERS:
            facts.append(did("rate", member, MONDAY + timedelta(minutes=number), "c0", rating=5))
        if number < BUYERS:
            facts += ordered(f"o{number}", member, 5_000, MONDAY, product="c0", creator="creator0")
        if number < LEARNERS:
            facts.append(did("view", member, JANUARY + timedelta(days=number // 10 * 14), "c1"))
            facts.append(did("view", member, MONDAY, "c1"))
    return facts


def _published(content: str, creator: str, tags: Sequence[str], category: str) -> Fact:
    fact = published(content, JANUARY, creator, tags)
    return replace(fact, data={**fact.data, "category": category})


@pytest.fixture
async def empty(postgres_url: str, tmp_path: Path) -> AsyncIterator[MetricsHouse]:
    async with metrics_house(postgres_url, tmp_path) as house:
        yield house


@pytest.fixture
async def house(empty: MetricsHouse) -> MetricsHouse:
    await empty.hear(community())
    return empty


async def moved(house: MetricsHouse) -> None:
    """The data moves: another event is folded."""
    number = len(community()) + 1
    await house.hear([*community(), registered(f"new{number}", NOW - timedelta(days=1))])


async def recorded(house: MetricsHouse) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in await house.rows("SELECT type, stream FROM events ORDER BY position")]


def named(release: pb.Release) -> dict[str, pb.Figure]:
    return {f"{one.name} {one.partition}".strip(): one for one in release.figures}


def day(text: str) -> Timestamp:
    found = Timestamp()
    found.FromDatetime(datetime.combine(date.fromisoformat(text), datetime.min.time(), SHANGHAI) + timedelta(hours=12))
    return found


async def test_a_creator_sees_noised_figures_with_everything_needed_to_judge_them(house: MetricsHouse) -> None:
    answer = await house.call(pb.GetPrivateBenchmarkRequest(window_days=7), CREATOR)
    release, figures = answer.release, named(answer.release)
    assert (release.owner, release.period, release.accounting) == ("platform", PERIOD, "pure")
    assert release.paid and not release.earlier and not release.suppressed
    assert (release.epsilon, release.delta, release.left) == (0.5, 0.0, 11.5)
    truth = {"active_members": 400, "audiences": 440, "interactions": 640, "payers": 100, "ratings": 200}
    for name, exact in (truth | {"rating_distances": 400}).items():
        one = figures[name]
        assert one.value == int(one.value) and one.mechanism.name == "laplace"
        assert abs(one.value - exact) <= 6 * one.error, "6 half widths: once in 10^7"
        assert one.mechanism.noise_std == pytest.approx(
            one.mechanism.sensitivity / one.mechanism.epsilon * 2**0.5, rel=0.02
        )
    assert sum(one.mechanism.epsilon for one in figures.values() if not one.formula) == pytest.approx(0.5)
    assert (figures["rating_distances"].mechanism.sensitivity, figures["active_members"].mechanism.sensitivity) == (
        20,
        1,
    )
    assert (figures["rating_distances"].mechanism.low, figures["rating_distances"].mechanism.high) == (-2, 2)
    per_creator = figures["active_members_per_creator"]
    assert per_creator.formula == "audiences / creators" and release.public_numbers == {"creators": 2}
    assert per_creator.value == figures["audiences"].value / 2
    assert "0.5, 0)-differential privacy of a member" in release.guarantee
    assert (answer.window.days, answer.window.time_zone) == (7, "Asia/Shanghai")
    assert answer.window.to.ToDatetime(tzinfo=SHANGHAI).date() == date(2026, 3, 9), "the week ends with Sunday the 8th"


async def test_a_question_asked_again_at_the_same_data_is_the_same_answer_at_no_cost(house: MetricsHouse) -> None:
    first = await house.call(pb.GetPrivateBenchmarkRequest(), CREATOR)
    events = await recorded(house)
    again = await house.call(pb.GetPrivateBenchmarkRequest(), OTHER)
    assert (first.release.paid, again.release.paid, again.release.earlier) == (True, False, False)
    assert again.release.figures == first.release.figures and again.release.left == 11.5
    assert again.release.data_position == first.release.data_position and await recorded(house) == events
    assert [kind for kind, _ in events] == ["release_budget.granted", "release_budget.spent", "release.made"]


async def test_a_restatement_pays_again_or_keeps_the_earlier_answer_and_says_so(house: MetricsHouse) -> None:
    asked = pb.GetPrivateBenchmarkRequest(epsilon=1.0)
    first = (await house.call(asked, ADMIN)).release
    await moved(house)
    kept = (await house.call(pb.GetPrivateBenchmarkRequest(epsilon=1.0, accept_earlier=True), ADMIN)).release
    assert (kept.earlier, kept.paid, kept.left) == (True, False, 11.0)
    assert kept.figures == first.figures and kept.data_position == first.data_position
    paid = (await house.call(asked, ADMIN)).release
    assert (paid.earlier, paid.paid, paid.left) == (False, True, 10.0)
    assert paid.data_position != first.data_position and paid.figures != first.figures
    assert not (await house.call(asked, ADMIN)).release.paid


async def test_members_cannot_use_the_budget_up_by_asking_again_or_differently(house: MetricsHouse) -> None:
    first = (await house.call(pb.GetPublicTrendRequest(dimension="tag"), CONSUMER)).release
    await moved(house)
    again = (await house.call(pb.GetPublicTrendRequest(dimension="tag"), OTHER)).release
    assert (first.paid, again.paid, again.earlier, again.left) == (True, False, True, first.left)
    choices: dict[str, dict[str, Any]] = {
        "epsilon": {"epsilon": 0.25},
        "as_of": {"as_of": day("2026-03-01")},
        "figures": {"figures": ["conversion"]},
    }
    for field, given in choices.items():
        assert (await refused(house.call(pb.GetPrivateBenchmarkRequest(**given), CREATOR), NotPermitted)).field == field
    odd = await refused(house.call(pb.GetPrivateBenchmarkRequest(window_days=9), CREATOR), InvalidInput)
    assert odd.field == "window_days"
    await refused(house.call(pb.GetPrivateBenchmarkRequest(category="cooking"), CREATOR), NotFound)
    await refused(house.call(pb.GetPrivateBenchmarkRequest(category="games"), CREATOR), NotPermitted)
    assert len(await recorded(house)) == 3


async def test_the_open_part_of_a_budget_is_all_that_members_can_spend(postgres_url: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {"metrics_release_epsilon": 2.0, "metrics_release_open_percent": 25}
    async with metrics_house(postgres_url, tmp_path, **given) as house:
        await house.hear(community())
        assert (await house.call(pb.GetPrivateBenchmarkRequest(), CREATOR)).release.left == 1.5
        refusal = await refused(house.call(pb.GetPrivateBenchmarkRequest(window_days=7), CREATOR), BudgetExceeded)
        assert refusal.ids["left"] == "0"
        assert (await house.call(pb.GetPrivateBenchmarkRequest(window_days=7), ADMIN)).release.paid


async def test_an_overspend_is_refused_with_what_is_left_and_leaves_nothing(house: MetricsHouse) -> None:
    await house.call(pb.GetPrivateBenchmarkRequest(epsilon=9.75), ADMIN)
    events = await recorded(house)
    refusal = await refused(house.call(pb.GetPrivateBenchmarkRequest(epsilon=2.5), ADMIN), BudgetExceeded)
    assert refusal.ids["left"] == "2.25" and "epsilon 2.25" in str(refusal)
    assert await recorded(house) == events
    assert (await house.call(pb.GetPrivateBenchmarkRequest(epsilon=2.25), ADMIN)).release.left == 0
    last = await refused(house.call(pb.GetPrivateBenchmarkRequest(epsilon=0.001), ADMIN), BudgetExceeded)
    assert last.ids["left"] == "0"


async def test_200_calls_at_once_cannot_overspend(house: MetricsHouse) -> None:
    """24 releases of 0.5 fit into the grant of 12."""
    asked = [pb.GetPrivateBenchmarkRequest(window_days=days) for days in range(1, 201)]
    answers = await asyncio.gather(*(house.call(one, ADMIN) for one in asked), return_exceptions=True)
    paid = [one.release for one in answers if isinstance(one, pb.GetPrivateBenchmarkResponse)]
    assert len(paid) == 24 and all(one.paid for one in paid)
    assert {type(one) for one in answers if isinstance(one, Exception)} == {BudgetExceeded}
    [budget] = (await house.call(pb.GetPrivacyBudgetRequest(owner="platform"), ADMIN)).budgets
    assert (budget.granted, budget.spent, budget.left, budget.releases) == (12.0, 12.0, 0.0, 24)
    kinds = [kind for kind, _ in await recorded(house)]
    assert (kinds.count("release_budget.spent"), kinds.count("release.made")) == (24, 24)


async def test_two_replicas_that_release_at_once_cannot_overspend_together(house: MetricsHouse) -> None:
    """Each has its own store, pools and noise process; what holds them together is the ledger's stream."""
    async with make_pool(house.url, 8) as pool:
        wiring = wire(house.wiring.definition, house.wiring.settings, pool, lambda: None)
        server = Registered()
        await wiring.definition.register(wiring, cast(Any, server))
        other = MetricsHouse(wiring, server.rpcs, house.runner, house.url, NOW)
        asked = [pb.GetPrivateBenchmarkRequest(window_days=days) for days in range(1, 41)]
        both = [one.call(request, ADMIN) for request in asked for one in (house, other)]
        answers = await asyncio.gather(*both, return_exceptions=True)
        await wiring.closing.aclose()
    paid = [one for one in answers if isinstance(one, pb.GetPrivateBenchmarkResponse) and one.release.paid]
    assert len(paid) == 24
    assert {type(one) for one in answers if isinstance(one, Exception)} == {BudgetExceeded}
    [budget] = (await house.call(pb.GetPrivacyBudgetRequest(owner="platform"), ADMIN)).budgets
    assert (budget.spent, budget.releases) == (12.0, 24)
    kinds = [kind for kind, _ in await recorded(house)]
    assert (kinds.count("release_budget.spent"), kinds.count("release.made")) == (24, 24), "none was paid for twice"


async def test_200_calls_at_once_with_one_question_pay_once_and_get_one_answer(house: MetricsHouse) -> None:
    answers = await asyncio.gather(*(house.call(pb.GetPrivateBenchmarkRequest(), ADMIN) for _ in range(200)))
    assert sum(one.release.paid for one in answers) == 1
    assert len({one.release.SerializeToString() for one in map(without_paid, answers)}) == 1
    assert [kind for kind, _ in await recorded(house)].count("release.made") == 1


def without_paid(answer: pb.GetPrivateBenchmarkResponse) -> pb.GetPrivateBenchmarkResponse:
    answer.release.paid = False
    return answer


async def test_a_commit_that_fails_half_way_leaves_neither_payment_nor_answer(house: MetricsHouse) -> None:
    async with house.pool.connection() as conn:
        await conn.execute(
            b"""CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN IF NEW.type = 'release.made' THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$"""
        )
        await conn.execute(b"CREATE TRIGGER fails BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION fails()")
    with pytest.raises(psycopg.Error):
        await house.call(pb.GetPrivateBenchmarkRequest(), ADMIN)
    assert await recorded(house) == []
    async with house.pool.connection() as conn:
        await conn.execute(b"DROP TRIGGER fails ON events")
    assert (await house.call(pb.GetPrivateBenchmarkRequest(), ADMIN)).release.left == 11.5


async def test_noise_that_does_not_come_leaves_neither_payment_nor_answer(
    house: MetricsHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(*_: Any) -> Any:
        raise DeadlineExceeded("noise")

    with monkeypatch.context() as patched:
        patched.setattr(NoiseProcess, "draw", late)
        await refused(house.call(pb.GetPrivateBenchmarkRequest(), ADMIN), DeadlineExceeded)
    assert await recorded(house) == []
    assert (await house.call(pb.GetPrivateBenchmarkRequest(), ADMIN)).release.left == 11.5


@pytest.mark.parametrize("field", ["epsilon", "rho"])
@pytest.mark.parametrize("amount", [0.0, -1.0, float("nan"), float("inf"), float("-inf"), 1e-9, 1e9])
async def test_a_loss_that_is_none_or_out_of_bounds_is_refused_by_its_field(
    empty: MetricsHouse, field: str, amount: float
) -> None:
    given: dict[str, Any] = {field: amount}
    requests = [
        pb.GetPrivateBenchmarkRequest(**given),
        pb.GetPublicTrendRequest(dimension="tag", **given),
        pb.GetReleasedRetentionRequest(cohort="2026-01", **given),
    ]
    for request in requests:
        for caller in (ADMIN, CREATOR):
            refusal = await refused(empty.call(request, caller), InvalidInput)
            assert refusal.field == field and "must be from" in str(refusal)
    assert await recorded(empty) == []


@pytest.mark.parametrize(
    ("request_message", "field"),
    [
        (pb.GetPrivateBenchmarkRequest(window_days=-1), "window_days"),
        (pb.GetPrivateBenchmarkRequest(window_days=367), "window_days"),
        (pb.GetPrivateBenchmarkRequest(figures=["everything"]), "figures"),
        (pb.GetPrivateBenchmarkRequest(figures=["conversion"] * 11), "figures"),
        (pb.GetPrivateBenchmarkRequest(currency="yuan"), "currency"),
        (pb.GetPrivateBenchmarkRequest(category="x" * 101), "category"),
        (pb.GetPrivateBenchmarkRequest(as_of=day("2026-03-10")), "as_of"),
        (pb.GetPrivateBenchmarkRequest(as_of=day("2026-04-10")), "as_of"),
        (pb.GetPrivateBenchmarkRequest(rho=0.1), "rho"),
        (pb.GetPublicTrendRequest(), "dimension"),
        (pb.GetPublicTrendRequest(dimension="member"), "dimension"),
        (pb.GetReleasedRetentionRequest(), "cohort"),
        (pb.GetReleasedRetentionRequest(cohort="2026-13"), "cohort"),
        (pb.GetReleasedRetentionRequest(cohort="0000-01"), "cohort"),
        (pb.GetReleasedRetentionRequest(cohort="2026-03"), "cohort"),
        (pb.GetReleasedRetentionRequest(cohort="2026-01", period_days=91), "period_days"),
        (pb.GetReleasedRetentionRequest(cohort="2026-01", periods=25), "periods"),
        (pb.GetReleasedRetentionRequest(cohort="2026-01", creator_id="x" * 201), "creator_id"),
        (pb.GetPrivacyBudgetRequest(period="x" * 21), "period"),
        (pb.GetPrivacyBudgetRequest(page_size=201), "page_size"),
        (pb.GetPrivacyBudgetRequest(page_token="?"), "page_token"),
    ],
    ids=str,
)
async def test_bad_input_is_refused_by_its_field_and_leaves_nothing(
    empty: MetricsHouse, request_message: Any, field: str
) -> None:
    assert (await refused(empty.call(request_message, ADMIN), InvalidInput)).field == field
    assert await recorded(empty) == []


async def test_too_few_members_are_paid_for_and_not_shown(empty: MetricsHouse) -> None:
    await empty.hear(community()[:40])
    asked = pb.GetPrivateBenchmarkRequest(epsilon=5.0)
    release = (await empty.call(asked, ADMIN)).release
    assert release.suppressed and release.paid and not release.figures and not release.public_numbers
    assert (release.suppressed_under_members, release.left) == (SUPPRESSED_UNDER_MEMBERS, 7.0)
    again = (await empty.call(asked, ADMIN)).release
    assert again.suppressed and not again.paid
    [(data,)] = await empty.rows("SELECT data FROM events WHERE type = 'release.made'")
    assert data["drawn"] == [] and data["public"] == {}


async def test_nobody_active_at_all_is_as_good_a_question_as_any(empty: MetricsHouse) -> None:
    await empty.hear(community()[:2])
    for request in (
        pb.GetPrivateBenchmarkRequest(epsilon=6.0),
        pb.GetPublicTrendRequest(dimension="category"),
        pb.GetReleasedRetentionRequest(cohort="2026-01"),
    ):
        assert (await empty.call(request, ADMIN)).release.suppressed


async def test_a_retention_curve_never_rises_and_its_cohort_is_counted_once(house: MetricsHouse) -> None:
    asked = pb.GetReleasedRetentionRequest(cohort="2026-01", period_days=7, epsilon=1.0)
    answer = await house.call(asked, ADMIN)
    figures = answer.release.figures
    curve = [one.value for one in figures if one.name == "retention"]
    survivors = [one.value for one in figures if one.name == "survivors"]
    assert answer.periods == len(curve) == len(survivors) == 5, (
        "of the days until the 9th of March 5 weeks are over for all"
    )
    assert all(one >= other for one, other in pairwise(curve)) and all(0 <= one <= 1 for one in curve)
    assert all(one >= other for one, other in pairwise(survivors)) and min(survivors) >= 0
    cohort = named(answer.release)["cohort"]
    assert abs(cohort.value - MEMBERS) <= 6 * cohort.error
    assert all(one.mechanism.epsilon == 1.0 and one.mechanism.sensitivity == 1 for one in figures if not one.formula)
    errors = [one.error for one in figures if one.name == "survivors"]
    assert errors == sorted(errors, reverse=True), "later survivors are sums of fewer noises"
    assert answer.release.left == 11.0, "one histogram, paid once"


async def test_a_creator_pays_for_their_own_cohorts_and_sees_no_other_creators(house: MetricsHouse) -> None:
    own = pb.GetReleasedRetentionRequest(cohort="2026-01", creator_id="creator1", period_days=14, epsilon=2.0)
    release = (await house.call(own, OTHER)).release
    assert (release.owner, release.left, release.suppressed) == ("creator1", 10.0, True), "40 members are too few"
    await refused(house.call(own, CREATOR), NotPermitted)
    await refused(house.call(own, CONSUMER), NotPermitted)
    [platform] = (await house.call(pb.GetPrivacyBudgetRequest(owner="platform"), ADMIN)).budgets
    assert platform.spent == 0 and not platform.opened
    [mine] = (await house.call(pb.GetPrivacyBudgetRequest(owner="creator1"), OTHER)).budgets
    assert (mine.spent, mine.left, mine.releases, mine.opened) == (2.0, 10.0, 1, True)


async def test_trends_show_what_many_are_active_with_and_drop_the_rest(house: MetricsHouse) -> None:
    asked = pb.GetPublicTrendRequest(dimension="tag", epsilon=5.0)
    release = (await house.call(asked, ADMIN)).release
    shown = {one.partition: one for one in release.figures}
    assert set(shown) == {"tea", "rare"}, "go has 40 members"
    for one in shown.values():
        assert abs(one.value - MEMBERS) <= 6 * one.error and one.mechanism.sensitivity == 3
    assert release.selection.name == "truncated_geometric" and release.delta == release.selection.delta == 1e-8
    assert release.selection.epsilon + release.figures[0].mechanism.epsilon == 5.0
    assert [one.value for one in release.figures] == sorted((one.value for one in release.figures), reverse=True)
    category = (await house.call(pb.GetPublicTrendRequest(dimension="category"), CONSUMER)).release
    assert [one.partition for one in category.figures] in (["drinks"], [])


async def test_the_gauge_shows_what_is_granted_spent_and_left_to_operators_and_creators_their_own(
    house: MetricsHouse,
) -> None:
    asked = pb.GetPrivacyBudgetRequest(owner="platform")
    [before] = (await house.call(asked, AUDITOR)).budgets
    assert (before.period, before.granted, before.spent, before.left, before.opened) == (PERIOD, 12.0, 0.0, 12.0, False)
    await house.call(pb.GetPublicTrendRequest(dimension="tag"), CONSUMER)
    await house.call(pb.GetReleasedRetentionRequest(cohort="2026-01", creator_id="creator0"), CREATOR)
    [after] = (await house.call(asked, AUDITOR)).budgets
    assert (after.spent, after.left, after.open_left, after.releases) == (0.5, 11.5, 5.5, 1)
    assert (after.delta_spent, after.delta, after.epsilon) == (1e-8, 1e-8, 0.5)
    await house.settle()
    listed = (await house.call(pb.GetPrivacyBudgetRequest(), ADMIN)).budgets
    assert [one.owner for one in listed] == ["creator0", "platform"]
    assert listed[1] == after, "the list and the ledger agree"
    page = await house.call(pb.GetPrivacyBudgetRequest(page_size=1), ADMIN)
    rest = await house.call(pb.GetPrivacyBudgetRequest(page_size=1, page_token=page.next_page_token), ADMIN)
    assert [*page.budgets, *rest.budgets] == [*listed] and not rest.next_page_token
    assert not (await house.call(pb.GetPrivacyBudgetRequest(period="2026-02"), ADMIN)).budgets
    assert (await house.call(pb.GetPrivacyBudgetRequest(owner="creator0"), CREATOR)).budgets[0].spent == 0.5
    for caller, request in [(CREATOR, asked), (CREATOR, pb.GetPrivacyBudgetRequest(owner="creator1"))]:
        await refused(house.call(request, caller), NotPermitted)
    await refused(house.call(pb.GetPrivacyBudgetRequest(owner="m0"), CONSUMER), NotPermitted)


async def test_consumers_see_trends_and_nothing_else(house: MetricsHouse) -> None:
    for request in (pb.GetPrivateBenchmarkRequest(), pb.GetReleasedRetentionRequest(cohort="2026-01")):
        await refused(house.call(request, CONSUMER), NotPermitted)
    assert (await house.call(pb.GetPublicTrendRequest(dimension="tag"), CONSUMER)).release.paid


async def test_a_period_in_rho_has_gaussian_noise_and_says_what_it_is_in_epsilon(
    postgres_url: str, tmp_path: Path
) -> None:
    async with metrics_house(postgres_url, tmp_path, metrics_release_accounting="zcdp") as house:
        await house.hear(community())
        release = (await house.call(pb.GetPrivateBenchmarkRequest(rho=0.1), ADMIN)).release
        assert (release.accounting, release.rho, release.epsilon, release.left) == ("zcdp", 0.1, 0.0, 0.4)
        drawn = [one for one in release.figures if not one.formula]
        assert {one.mechanism.name for one in drawn} == {"gaussian"}
        assert sum(one.mechanism.rho for one in drawn) == pytest.approx(0.1)
        assert "zero-concentrated" in release.guarantee
        trend = (await house.call(pb.GetPublicTrendRequest(dimension="tag", rho=0.1), ADMIN)).release
        assert trend.selection.epsilon == pytest.approx(0.1**0.5, abs=1e-6), "half of the rho: epsilon^2 / 2"
        assert (
            await refused(house.call(pb.GetPrivateBenchmarkRequest(epsilon=0.1), ADMIN), InvalidInput)
        ).field == "epsilon"
        [budget] = (await house.call(pb.GetPrivacyBudgetRequest(owner="platform"), ADMIN)).budgets
        assert (budget.accounting, budget.granted, budget.spent) == ("zcdp", 0.5, 0.2)
        assert budget.epsilon == pytest.approx(epsilon_of(0.2, 1e-6)) and budget.delta == pytest.approx(1e-6 + 1e-8)
        assert "Bun and Steinke" in budget.conversion


async def test_a_new_period_begins_with_a_new_grant_and_the_same_question_stays_free(house: MetricsHouse) -> None:
    asked = pb.GetPrivateBenchmarkRequest(as_of=day("2026-03-01"))
    first = (await house.call(asked, ADMIN)).release
    house.now = datetime(2026, 4, 1, 0, 30, tzinfo=SHANGHAI)
    [budget] = (await house.call(pb.GetPrivacyBudgetRequest(owner="platform"), ADMIN)).budgets
    assert (budget.period, budget.spent, budget.left) == ("2026-04", 0.0, 12.0)
    again = (await house.call(asked, ADMIN)).release
    assert (again.paid, again.period, again.left) == (False, PERIOD, 12.0) and again.figures == first.figures


async def test_what_is_published_holds_released_numbers_and_no_member(house: MetricsHouse) -> None:
    release = (await house.call(pb.GetPrivateBenchmarkRequest(), ADMIN)).release
    [granted, made] = [
        house.wiring.avro.decode(value)
        for (value,) in await house.rows(
            "SELECT public_value FROM events WHERE public_value IS NOT NULL ORDER BY position"
        )
    ]
    assert (granted["owner"], granted["period"], granted["granted_nano"]) == ("platform", PERIOD, 12 * 10**9)
    assert (made["cost_nano"], made["data_position"]) == (5 * 10**8, release.data_position)
    figures = named(release)
    assert {one["name"]: one["value"] for one in made["numbers"]} == {
        name: one.value for name, one in figures.items() if not one.formula
    }
    for text in (str(granted), str(made)):
        assert "m0" not in text and "member_id" not in text and "'admin'" not in text


async def test_members_whose_rows_are_gone_are_in_no_release_made_after(house: MetricsHouse) -> None:
    asked = pb.GetReleasedRetentionRequest(cohort="2026-01", epsilon=2.0)
    before = named((await house.call(asked, ADMIN)).release)["cohort"]
    async with house.pool.connection() as conn:
        await conn.execute(b"DELETE FROM member WHERE member_id LIKE 'm1%'")
    await moved(house)
    after = named((await house.call(asked, ADMIN)).release)["cohort"]
    gone = 1 + 10 + 100
    assert abs(before.value - MEMBERS) <= 6 * before.error and abs(after.value - MEMBERS + gone) <= 6 * after.error
