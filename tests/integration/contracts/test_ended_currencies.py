"""Past orders are in currencies that have ended: the command line knows their decimals, and billing their last days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from lyceum_cli.importing.money import EXPONENTS
from servicekit.currencies import ENDED, IN_USE, is_currency


def test_both_know_the_same_currencies() -> None:
    assert EXPONENTS.keys() == ENDED.keys() | IN_USE
    assert not ENDED.keys() & IN_USE


@pytest.mark.parametrize("code", sorted(ENDED))
def test_an_ended_currency_is_one_until_its_last_day(code: str) -> None:
    assert not is_currency(code)
    assert is_currency(code, ENDED[code])
    assert not is_currency(code, ENDED[code] + timedelta(days=1))


@pytest.mark.parametrize("day", [date.min, date(2024, 1, 1), date.max])
def test_a_currency_in_use_is_one_on_any_day(day: date) -> None:
    assert is_currency("CNY") and is_currency("CNY", day)
    assert not is_currency("XAU", day) and not is_currency("ABC", day) and not is_currency("", day)


@pytest.mark.parametrize(
    ("successor_in_use_from", "codes"),
    [
        (date(2002, 1, 1), "ATS BEF DEM ESP FIM FRF GRD IEP ITL LUF NLG PTE"),
        (date(2007, 1, 1), "SIT"),
        (date(2008, 1, 1), "CYP MTL"),
        (date(2009, 1, 1), "SKK"),
        (date(2011, 1, 1), "EEK"),
        (date(2014, 1, 1), "LVL"),
        (date(2015, 1, 1), "LTL"),
        (date(2023, 1, 1), "HRK"),
        (date(2026, 1, 1), "BGN"),
    ],
)
def test_a_predecessor_of_the_euro_is_taken_on_the_day_before_it_was_replaced(
    successor_in_use_from: date, codes: str
) -> None:
    for code in codes.split():
        assert is_currency(code, successor_in_use_from - timedelta(days=1))
