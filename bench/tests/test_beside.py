"""The report of the fold beside the JVM, and the checks of what a contestant left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest

from bench import jvm, oracle, running
from bench.beside import folds, section, sizes
from bench.oracle import WrongRows, expected
from bench.report import Ratio, Section, table, write_json
from bench.running import Rate
from bench.workload import TYPE, Load, records
from contracts.avro import AvroCodec
from lyceum_local.stack import LocalStack

URL = "postgresql://bench:secret@127.0.0.1:5432/lyceum?options=-csearch_path%3Dbench1"


def runs(*rates: float) -> list[Rate]:
    return [Rate(one, one * 2, 1e6 / one) for one in rates]


def test_the_median_counts_and_every_run_is_within_lowest_and_highest() -> None:
    found = section(1000, {"eventfold": runs(10.0, 30.0, 20.0), "jvm-loop": runs(50.0, 40.0, 60.0)}, [])

    assert found.rows[0][:6] == ("eventfold", 20.0, 40.0, 10.0, 30.0, 50_000.0)
    assert [(one.what, one.found) for one in found.ratios] == [("fold: eventfold / jvm-loop", 0.4)]


def test_a_sink_that_cannot_count_says_so_in_its_row() -> None:
    found = section(1000, {"eventfold": runs(1.0), "kafka-connect": runs(1.0)}, [])

    assert [row[-1] for row in found.rows] == ["all right, and the position", "the keys; 1 view each"]


def test_what_was_left_out_is_told_under_the_table() -> None:
    text = table([section(1000, {"eventfold": runs(1.0)}, ["Left out: jvm-loop, because Maven was not found."])])

    assert "\nLeft out: jvm-loop, because Maven was not found.\n" in text


def test_a_ratio_without_a_target_is_told_and_never_missed() -> None:
    told, missed = Ratio("a", 0.1), Ratio("b", 0.1, 0.2)

    assert (told.met, told.verdict, missed.met, missed.verdict) == (True, "", False, "missed")
    assert "| a | 0.10 |  |  |" in table([Section("t", ("x",), [], [told])])


def test_without_a_jvm_the_rest_is_measured_in_turn_and_the_reason_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def consumed(stack: object, load: Load, peer: str, work: str) -> Rate:
        asked.append(peer)
        return Rate(1.0, 1.0, 1.0)

    monkeypatch.setattr(jvm, "missing", lambda: "Maven (mvn) was not found")
    monkeypatch.setattr(running, "produce", lambda stack, load: None)
    monkeypatch.setattr(running, "consume", consumed)

    found = folds(cast(LocalStack, None), quick=True)

    assert asked == ["eventfold", "postgres-alone"] * 3
    assert found.notes[-1] == ("Left out: jvm-loop, kafka-streams, kafka-connect, because Maven (mvn) was not found.")


def test_every_size_has_a_row_with_the_medians_of_those_that_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = iter([3.0, 30.0, 300.0, 1.0, 10.0, 100.0, 2.0, 20.0, 200.0] * 3)
    monkeypatch.setattr(jvm, "missing", lambda: "Maven (mvn) was not found")
    monkeypatch.setattr(running, "produce", lambda stack, load: None)
    monkeypatch.setattr(running, "consume", lambda stack, load, peer, work: Rate(next(rates) + load.events, 1.0, 1.0))

    found = sizes(cast(LocalStack, None), quick=False)

    assert list(found.head) == ["events", "eventfold", "eventfold-general", "postgres-alone"]
    assert [row[0] for row in found.rows] == ["10,000", "100,000", "1,000,000"]
    assert found.rows[0][1:] == (10_002.0, 10_020.0, 10_200.0)


def test_the_json_has_the_rows_by_name_and_the_machine(tmp_path: Path) -> None:
    write_json(tmp_path / "found.json", [Section("t", ("x", "y"), [("a", float("nan"))], [Ratio("r", 1.0)])])

    found = json.loads((tmp_path / "found.json").read_text())
    assert found["sections"][0]["rows"] == [{"x": "a", "y": None}]
    assert found["sections"][0]["ratios"] == [{"what": "r", "found": 1.0, "wanted": None, "verdict": ""}]
    assert found["machine"]["cores"] > 0


def test_the_expected_rows_are_those_of_the_records() -> None:
    load, avro = Load(events=300, members=5, contents=7), AvroCodec()
    data = [avro.decode(one.value) for one in records(load, seed=1)]

    wanted = expected(load, seed=1)

    assert sum(wanted.pairs.values()) == sum(wanted.counters.values()) == 300
    assert {(one["member_id"], one["content_id"]) for one in data} == set(wanted.pairs)
    assert avro.decode(next(iter(records(load, seed=1))).value) == data[0], TYPE


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        ({"a": 1}, "1 of 2 rows are missing"),
        ({"a": 1, "b": 2, "c": 1}, "1 are of no event"),
        ({"a": 1, "b": 3}, "1 of 2 rows have other views"),
    ],
)
def test_other_rows_than_the_events_have_are_refused(found: dict[str, int], complaint: str) -> None:
    with pytest.raises(WrongRows, match=complaint):
        oracle.compare("bench_pair", found, {"a": 1, "b": 2}, counts=True)


def test_a_sink_that_cannot_add_is_held_to_its_keys() -> None:
    oracle.compare("bench_pair", {"a": 1, "b": 1}, {"a": 1, "b": 2}, counts=False)
    with pytest.raises(WrongRows):
        oracle.compare("bench_pair", {"a": 1}, {"a": 1, "b": 2}, counts=False)


def test_a_jvm_peer_gets_the_schema_by_the_url_and_the_account_by_its_environment() -> None:
    assert jvm.jdbc_url(URL) == "jdbc:postgresql://127.0.0.1:5432/lyceum?currentSchema=bench1"
    assert jvm.environment(URL)["BENCH_DB_PASSWORD"] == "secret"


def test_without_maven_the_reason_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert jvm.missing() == "Maven (mvn) was not found"
