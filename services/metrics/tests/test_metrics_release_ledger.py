"""Budgets: what is granted, spent and refused; and a release that is made once for a position of the data."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventfold.errors import DomainError, InvalidInput
from eventfold.testing import Story
from metrics.release.domain.budget import (
    LEDGER,
    BudgetExceeded,
    BudgetGranted,
    BudgetSpent,
    Grant,
    Ledger,
    Spend,
)
from metrics.release.domain.loss import (
    FEMTO,
    NANO,
    Loss,
    epsilon_of,
    femto_of,
    nano_epsilon_within,
    nano_of,
    nano_rho_of,
    shares,
)
from metrics.release.domain.release import POSITIONS_REMEMBERED, RELEASES, ReleaseMade, Source

GRANT = Grant("pure", Loss(nano_of(2.0), femto_of(1e-6)), open_percent=50)
ZCDP = Grant("zcdp", Loss(nano_of(0.5)), open_percent=100)
ledger, releases = Story(LEDGER.decider), Story(RELEASES.decider)
granted = ledger.given(BudgetGranted(GRANT))


def spend(amount: float, release_id: str = "r1", *, delta: float = 0.0, is_open: bool = False) -> Spend:
    return Spend(release_id, "pure", Loss(nano_of(amount), femto_of(delta)), is_open, GRANT)


def spent(amount: float, release_id: str = "r1", *, delta: float = 0.0, is_open: bool = False) -> BudgetSpent:
    return BudgetSpent(release_id, Loss(nano_of(amount), femto_of(delta)), is_open)


def test_given_nothing_when_a_release_is_paid_for_then_the_grant_is_recorded_before_it() -> None:
    ledger.when(spend(0.5)).then(BudgetGranted(GRANT), spent(0.5))


def test_given_a_grant_when_settings_change_then_the_grant_of_the_period_still_holds() -> None:
    other = replace(spend(0.5), grant=replace(GRANT, loss=Loss(1)))
    granted.when(other).then(spent(0.5))


def test_given_a_grant_when_it_is_spent_to_the_last_billionth_then_nothing_more_is() -> None:
    all_spent = granted.when(spend(1.5)).then(spent(1.5)).when(spend(0.5, "r2")).then(spent(0.5, "r2"))
    refusal = all_spent.when(replace(spend(0.1), loss=Loss(1))).refused(BudgetExceeded)
    assert refusal.ids["left"] == "0" and "epsilon 0 and delta 1e-06 are left" in str(refusal)


def test_given_spendings_when_one_is_refused_then_the_refusal_names_what_is_left() -> None:
    refusal = granted.given(spent(1.7)).when(spend(0.5)).refused(BudgetExceeded)
    assert (refusal.code, refusal.ids["left"]) == ("BUDGET_EXCEEDED", "0.3")
    assert "costs epsilon 0.5" in str(refusal) and "epsilon 0.3" in str(refusal)


def test_given_delta_spent_when_more_of_it_is_wanted_then_it_is_refused_though_epsilon_is_left() -> None:
    story = granted.given(spent(0.1, delta=6e-7))
    assert story.when(spend(0.1, "r2", delta=6e-7)).refused(BudgetExceeded).ids["left_delta"] == "4e-07"
    story.when(spend(0.1, "r2", delta=4e-7)).then(spent(0.1, "r2", delta=4e-7))


def test_given_open_callers_when_their_part_is_spent_then_the_rest_is_kept_for_those_who_answer_for_it() -> None:
    story = granted.when(spend(1.0, is_open=True)).then(spent(1.0, is_open=True))
    refusal = story.when(spend(0.1, "r2", is_open=True)).refused(BudgetExceeded)
    assert "of what all members may spend" in str(refusal) and refusal.ids["left"] == "0"
    story.when(spend(1.0, "r2")).then(spent(1.0, "r2"))


def test_given_others_spent_most_when_an_open_caller_pays_then_only_what_is_left_at_all_counts() -> None:
    granted.given(spent(1.9)).when(spend(0.5, is_open=True)).refused(BudgetExceeded)


@pytest.mark.parametrize("nano", [0, -1, -NANO])
def test_when_a_loss_is_none_then_it_is_refused(nano: int) -> None:
    granted.when(replace(spend(1.0), loss=Loss(nano))).refused(InvalidInput, field="epsilon")
    granted.when(replace(spend(1.0), loss=Loss(1, -1))).refused(InvalidInput, field="epsilon")


def test_given_a_period_in_rho_when_epsilon_is_spent_then_it_is_refused_by_its_field() -> None:
    story = ledger.given(BudgetGranted(ZCDP))
    assert "give that instead" in str(story.when(spend(0.1)).refused(InvalidInput, field="epsilon"))
    in_rho = replace(spend(0.1), accounting="zcdp")
    granted.when(in_rho).refused(InvalidInput, field="rho")
    story.when(in_rho).then(BudgetSpent("r1", Loss(nano_of(0.1)), False))


@given(st.lists(st.tuples(st.integers(1, 3 * 10**8), st.integers(0, 10**8), st.booleans()), max_size=40))
def test_however_much_is_asked_for_the_sum_of_what_was_allowed_is_exact_and_within_the_grant(
    asked: list[tuple[int, int, bool]],
) -> None:
    state, allowed = Ledger(), []
    for nano, delta, is_open in asked:
        command = Spend("r", "pure", Loss(nano, delta), is_open, GRANT)
        before = state
        try:
            state = LEDGER.decider.fold(LEDGER.decider.decide(command, state), state)
            allowed.append((nano, delta, is_open))
        except DomainError:
            assert state == before
    assert state.spent == Loss(sum(one[0] for one in allowed), sum(one[1] for one in allowed))
    assert state.open_nano == sum(one[0] for one in allowed if one[2]) <= GRANT.open_nano
    assert state.spent.within(GRANT.loss) and state.releases == len(allowed)


@given(st.integers(1, 10**12), st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_shares_add_up_exactly_and_none_is_below_its_weight(nano: int, weights: list[int]) -> None:
    parts = shares(nano, weights)
    assert sum(parts) == nano
    assert all(part >= nano * weight // sum(weights) for part, weight in zip(parts, weights, strict=True))


def test_a_payment_far_below_the_precision_of_a_float_is_still_counted() -> None:
    """openmed #2457: a positive payment vanished beside what was spent, and the exhausted budget went on paying."""
    assert 1e16 + 1.0 == 1e16, "what a ledger of floats does"
    state = Ledger(Grant("pure", Loss(10**25, 0), 100), spent=Loss(10**25 - 1))
    paid = LEDGER.decider.fold(LEDGER.decider.decide(replace(spend(1.0), loss=Loss(1)), state), state)
    assert paid.spent == Loss(10**25)
    with pytest.raises(BudgetExceeded):
        LEDGER.decider.decide(replace(spend(1.0), loss=Loss(1)), paid)


@given(st.integers(1, 10**10))
def test_an_epsilon_that_fits_in_rho_costs_at_most_that_rho(rho_nano: int) -> None:
    epsilon_nano = nano_epsilon_within(rho_nano)
    assert nano_rho_of(epsilon_nano) <= rho_nano < nano_rho_of(epsilon_nano + 2)
    exact = Fraction(epsilon_nano, NANO) ** 2 / 2
    assert exact <= Fraction(nano_rho_of(epsilon_nano), NANO) < exact + Fraction(1, NANO)


def test_rho_as_epsilon_and_delta_is_that_of_bun_and_steinke() -> None:
    assert epsilon_of(0.5, 1e-6) == pytest.approx(0.5 + 2 * math.sqrt(0.5 * 6 * math.log(10)))
    assert epsilon_of(0.0, 1e-6) == 0.0
    # 12 releases of sensitivity 1 at a total of epsilon 1 and delta 1e-6: noise of 18.5 against 17 by basic
    # composition.
    [rho] = [rho for rho in (n / 10**6 for n in range(1, 10**5)) if epsilon_of(rho, 1e-6) <= 1.0][-1:]
    assert math.sqrt(12 / (2 * rho)) == pytest.approx(18.5, abs=0.3) and FEMTO == NANO * 10**6


def made(position: str, **more: object) -> ReleaseMade:
    one = ReleaseMade(
        release_id=f"k@{position}",
        owner="platform",
        period="2026-11",
        question="{}",
        position=position,
        sources=(Source("activity", "t", 0, 1),),
        accounting="pure",
        loss=Loss(1),
        is_open=False,
        is_suppressed=False,
        drawn=(),
        selection=None,
        public={},
        made_at=datetime(2026, 11, 1, tzinfo=UTC),
    )
    return replace(one, **more)  # type: ignore[arg-type]


def test_given_a_release_when_the_same_position_is_released_again_then_nothing_is_recorded() -> None:
    releases.when(made("p1")).then(made("p1"))
    releases.when(made("p1")).again()
    releases.given(made("p1"), made("p2")).when(made("p1", loss=Loss(9))).then()


def test_given_a_release_when_the_data_has_moved_then_another_is_made() -> None:
    state = RELEASES.decider.fold(list(releases.given(made("p1")).when(made("p2")).then(made("p2")).events))
    assert state.version == 2 and state.last == made("p2") and state.at("p1") == made("p1") and state.at("p3") is None


def test_given_many_positions_when_one_more_comes_then_only_the_newest_are_known() -> None:
    positions = [f"p{n}" for n in range(POSITIONS_REMEMBERED + 1)]
    state = RELEASES.decider.fold([made(position) for position in positions])
    assert state.at("p0") is None and state.at("p1") and state.version == len(positions)
