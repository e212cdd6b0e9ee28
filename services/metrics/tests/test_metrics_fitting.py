"""Survival and buying models: against published figures, plain sums, and data drawn from the models themselves."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.fitting import buying, survival
from metrics.fitting.command import main

HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491, 468, 445, 427, 409, 394]
"""Survivors of a thousand, years 0 to 12 (Fader, Hardie 2007, "High End")."""


def test_given_the_published_cohort_when_fitted_by_sbg_then_parameters_and_projection_are_the_published_ones() -> None:
    fitted = survival.fit_sbg(HIGH_END[:8])
    assert fitted.parameters == pytest.approx({"alpha": 0.668, "beta": 3.806}, abs=1e-3)
    assert fitted.log_likelihood == pytest.approx(-1611.16, abs=1e-2)
    assert [round(100 * fitted.share(period), 2) for period in range(8, 13)] == [46.04, 43.58, 41.42, 39.51, 37.80]


@pytest.mark.parametrize(("model", "error"), [("pt", 15.09), ("sbg", 2.83), ("bdw", 1.27)])
def test_given_the_published_cohort_when_judged_on_later_years_then_errors_are_the_published_ones(
    model: str, error: float
) -> None:
    fitted = survival.MODELS[model](HIGH_END[:8])
    assert survival.held_out_error(fitted, HIGH_END, 7) == pytest.approx(error, abs=5e-3)


def test_given_a_cohort_when_models_are_compared_then_the_one_with_the_least_rolling_error_is_chosen() -> None:
    errors = survival.rolling_errors(HIGH_END, ahead=4)
    assert survival.chosen(HIGH_END).model == min(errors, key=lambda name: errors[name] or math.inf) == "bdw"
    assert survival.chosen(HIGH_END[:2]).model == "pt", "too few periods to judge by"


cohorts = st.lists(st.integers(0, 500), min_size=1, max_size=12).map(lambda one: [500, *sorted(one, reverse=True)])


@settings(max_examples=25, deadline=None)
@given(cohorts)
@pytest.mark.filterwarnings("error")
def test_given_any_cohort_when_fitted_then_shares_fall_from_one_and_the_likelihood_is_that_of_the_shares(
    cohort: list[float],
) -> None:
    for fit in survival.MODELS.values():
        fitted = fit(cohort)
        shares = [fitted.share(period) for period in range(len(cohort) + 3)]
        assert shares[0] == pytest.approx(1.0)
        assert all(0 <= after <= before + 1e-12 for before, after in pairwise(shares))
        plain = 0.0
        for period in range(1, len(cohort)):
            left = cohort[period - 1] - cohort[period]
            plain += left * math.log(max(shares[period - 1] - shares[period], 1e-300)) if left else 0.0
        plain += cohort[-1] * math.log(max(shares[len(cohort) - 1], 1e-300)) if cohort[-1] else 0.0
        assert fitted.log_likelihood == pytest.approx(plain, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(
    ("survivors", "said"),
    [
        ([10], "two periods"),
        ([10, 11], "period 1: 11 survivors after 10"),
        ([10, -1], "period 1: -1"),
        ([0, 0], "nobody"),
        ([10, math.nan], "period 1: nan"),
        ([math.inf, 1], "period 0: inf"),
    ],
)
def test_given_counts_that_no_cohort_has_when_fitted_then_they_are_refused(survivors: list[float], said: str) -> None:
    for fit in survival.MODELS.values():
        with pytest.raises(survival.NotASurvival, match=said):
            fit(survivors)


def drawn(buyers: int) -> buying.Histories:
    """Histories drawn step by step from BG/NBD with r 0.6, alpha 5, a 0.9, b 2.5, watched for 40 to 60 weeks."""
    chance = np.random.default_rng(3)
    found = []
    for _ in range(buyers):
        rate, leaving, watched = chance.gamma(0.6, 1 / 5.0), chance.beta(0.9, 2.5), chance.uniform(40, 60)
        at, bought = 0.0, 0
        while chance.random() >= (leaving if bought else 0.0):
            after = at + chance.exponential(1 / rate)
            if after > watched:
                break
            at, bought = after, bought + 1
        found.append((bought, at, watched))
    columns = np.array(found).T
    return buying.Histories(columns[0], columns[1], columns[2])


def test_given_histories_of_known_buyers_when_fitted_then_the_parameters_are_found_again() -> None:
    fitted = buying.fit_bgnbd(drawn(12_000))
    assert (fitted.r, fitted.alpha) == (pytest.approx(0.6, rel=0.12), pytest.approx(5.0, rel=0.15))
    assert fitted.a / (fitted.a + fitted.b) == pytest.approx(0.9 / 3.4, rel=0.12)


def test_given_a_new_buyer_when_expected_then_it_is_the_mean_of_many_drawn_ones() -> None:
    histories = drawn(12_000)
    fitted = buying.BgNbd(0.6, 5.0, 0.9, 2.5, 0.0)
    expected = fitted.expected_of_new(histories.watched).mean()
    spread = histories.frequency.std() / math.sqrt(len(histories.frequency))
    assert abs(histories.frequency.mean() - expected) < 4 * spread


def test_given_spending_of_known_buyers_when_fitted_then_the_parameters_are_found_again() -> None:
    chance = np.random.default_rng(5)
    purchases = chance.integers(1, 12, 20_000).astype(np.float64)
    scale = chance.gamma(3.7, 1 / 15.0, 20_000)
    spent = chance.gamma(6.0 * purchases) / scale / purchases
    fitted = buying.fit_gamma_gamma(spent, purchases)
    assert (fitted.p, fitted.q, fitted.gamma) == pytest.approx((6.0, 3.7, 15.0), rel=0.1)
    assert fitted.mean(spent, purchases).mean() == pytest.approx(6.0 * 15.0 / 2.7, rel=0.05)


@pytest.mark.parametrize(
    ("row", "said"),
    [((-1, 0, 5), "frequency"), ((1.5, 1, 5), "frequency"), ((0, 1, 5), "recency"), ((1, 6, 5), "T"), ((1, 1, 0), "T")],
)
def test_given_numbers_that_no_history_has_when_fitted_then_the_row_is_named(
    row: tuple[float, float, float], said: str
) -> None:
    columns = np.array([(1, 2, 5), row], dtype=np.float64).T
    with pytest.raises(buying.NotAHistory, match=said) as refused:
        buying.fit_bgnbd(buying.Histories(columns[0], columns[1], columns[2]))
    assert refused.value.row == 1


def written(folder: Path, text: str) -> str:
    path = folder / "file.csv"
    path.write_text(text)
    return str(path)


def test_given_a_file_of_survivors_when_the_command_runs_then_it_prints_the_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = "\n".join(f"{period},{count}" for period, count in enumerate(HIGH_END))
    path = written(tmp_path, f"period,survivors\n{lines}\n")
    assert main(["--model", "sbg", "--survivors", path, "--fit-periods", "7", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parameters"]["alpha"] == pytest.approx(0.668, abs=1e-3)
    assert found["held_out_error_percent"] == pytest.approx(2.83, abs=5e-3)
    assert len(found["projection"]) == 13
    assert main(["--model", "sbg", "--survivors", path, "--fit-periods", "7"]) == 0
    assert capsys.readouterr().out.count("held out") == 5


@pytest.mark.parametrize(
    ("arguments", "text", "said"),
    [
        (["--model", "pt", "--survivors"], "period,survivors\n0,10\n2,9\n", "row 2, column period: 2 where 1"),
        (["--model", "pt", "--survivors"], "period,survivors\n0,10\n1,x\n", "row 2, column survivors: 'x'"),
        (["--model", "pt", "--survivors"], "a,b\n1,2\n", "the column period is missing"),
        (["--model", "pt", "--survivors"], "period,survivors\n", "no rows"),
        (["--model", "pt", "--fit-periods", "9", "--survivors"], "period,survivors\n0,10\n1,9\n", "must be 1 to 1"),
        (["--model", "bgnbd", "--summary"], "frequency,recency,T\n1,9,3\n", "T must be"),
        (["--model", "bgnbd", "--survivors"], "period,survivors\n0,1\n", "needs --summary"),
    ],
)
def test_given_a_wrong_file_when_the_command_runs_then_a_sentence_names_the_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], text: str, said: str
) -> None:
    assert main([*arguments, written(tmp_path, text)]) == 1
    assert said in capsys.readouterr().err
