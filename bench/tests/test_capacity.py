"""The capacity model is plain arithmetic, and its page says what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.capacity import SIZES, Assumed, Costs, Prices, main, need, tables

PAGE = (Path(__file__).parents[2] / "docs/capacity.md").read_text(encoding="utf-8")


def test_the_page_has_the_models_table() -> None:
    assert tables(SIZES, Assumed(), Costs(), Prices()) in PAGE


def test_a_case_by_hand() -> None:
    """864,000 members of whom all come, each with one command of one event, at an even rate, are 10 a second."""
    even = Assumed(
        daily_active=1, reads_a_day=0, commands_a_day=1, events_a_command=1, orders_a_day=0, peak=1, used_share=1,
        replicas=1, years_kept=1, read_tables_kept_days=365,
    )  # fmt: skip
    costs = Costs(
        command_server_ms=50, command_database_ms=20, command_kafka_ms=20, command_gateway_ms=5, event_folds_ms=5,
        store_bytes_an_event=2**30 / 864_000, table_bytes_an_event=0, topic_bytes_an_event=0,
    )  # fmt: skip
    one = need(864_000, even, costs, Prices(core=1, gib_of_memory=0, gib_of_disk=1))
    assert one.commands_per_s == one.events_per_s == 10
    assert one.all_cores == pytest.approx(1.0), "10 a second of 100 ms"
    assert one.store_gib == pytest.approx(365), "a GiB a day"
    assert one.dollars_a_month == pytest.approx(1 + 365)


def test_twice_the_members_need_twice_as_much() -> None:
    small, large = (need(count, Assumed(), Costs(), Prices()) for count in (1_000_000, 2_000_000))
    assert large.all_cores == pytest.approx(2 * small.all_cores)
    assert large.dollars_a_month == pytest.approx(2 * small.dollars_a_month)


def test_copies_and_fuller_processors_count() -> None:
    usual = need(10**6, Assumed(), Costs(), Prices())
    assert need(10**6, replace(Assumed(), replicas=1), Costs(), Prices()).dollars_a_month < usual.dollars_a_month / 2
    assert need(10**6, replace(Assumed(), used_share=0.35), Costs(), Prices()).all_cores == pytest.approx(
        2 * usual.all_cores
    )


def test_assumptions_are_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--members", "20000", "--peak", "8"]) == 0
    assert "| commands a second, busiest hour | 5.2 |" in capsys.readouterr().out
