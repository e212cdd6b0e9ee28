"""The scorer behind a pipe, growth, and what is said where something that a bench needs is absent."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bench import environments, recommending_nexteval
from bench.peers.recommending_nexteval import ROWS_AT_ONCE, _parts
from bench.recommending import convert
from bench.recommending import main as bench_ours
from bench.recommending_growth import Load, as_text, measured, stream
from bench.recommending_scorer import Scorer, answers
from reco.model.settings import Settings

SETTINGS = Settings(replay=64)


def test_given_events_when_the_scorer_is_asked_then_it_ranks_what_is_new_to_the_member() -> None:
    rows = [[member, content, 100 * member + content] for member in range(20) for content in range(6)]
    said = [json.dumps({"take": rows}), json.dumps({"rank": [[0, 5_000], [99, 5_000]], "count": 3})]
    taken, ranked = map(json.loads, answers(said, Scorer(SETTINGS)))
    assert taken == {"taken": 120}
    assert ranked["best"][0] == []  # member 0 had all six
    assert len(set(ranked["best"][1])) == 3
    assert set(ranked["best"][1]) <= {str(at) for at in range(6)}


def test_given_a_chain_when_the_scorer_has_taken_it_then_the_next_of_it_comes_first() -> None:
    scorer = Scorer(SETTINGS)
    rows = [[member, content, 100 * member + content] for member in range(20) for content in range(6)]
    scorer.answer({"take": rows})
    scorer.answer({"take": [["new", 0, 9_000], ["new", 1, 9_001]]})
    assert scorer.answer({"rank": [["new", 9_002]], "count": 1}) == {"best": [["2"]]}


def test_given_another_request_when_the_scorer_is_asked_then_it_is_refused() -> None:
    with pytest.raises(ValueError, match=r"neither take nor rank: \['forget'\]"):
        Scorer(SETTINGS).answer({"forget": 1})


def test_given_many_rows_when_sent_in_parts_then_no_second_is_split() -> None:
    rows = [["m", "c", at // 700] for at in range(3 * ROWS_AT_ONCE)]
    parts = _parts(rows)
    assert [row for part in parts for row in part] == rows
    seconds = [{row[2] for row in part} for part in parts]
    assert len(parts) > 1
    assert all(one.isdisjoint(other) for at, one in enumerate(seconds) for other in seconds[at + 1 :])


def test_given_a_size_when_pairs_are_drawn_then_they_are_seeded_in_order_and_few_items_have_many() -> None:
    pairs = list(stream(200, 5_000, np.random.default_rng(0)))
    assert pairs == list(stream(200, 5_000, np.random.default_rng(0)))
    assert [pair.first_us for pair in pairs] == sorted(pair.first_us for pair in pairs)
    counts = [count for _, count in Counter(pair.content_id for pair in pairs).most_common()]
    assert sum(counts[:20]) > 2 * 20 / 200 * 5_000


def test_given_a_small_size_when_measured_then_each_figure_is_there() -> None:
    found = measured(Load(items=60, requests=5, updates=5), seed=0)
    assert found["items"] == 60
    assert all(np.isfinite(value) and value >= 0 for value in found.values())
    assert as_text([found, found]).count("\n") == len(found) - 1


def test_given_ratings_when_converted_then_rare_items_and_late_ratings_are_left_out(tmp_path: Path) -> None:
    ratings, events = tmp_path / "u.data", tmp_path / "events.csv"
    lines = [f"{member}\t{content}\t3\t{10 - member}\n" for member in range(6) for content in ("7", "8")]
    ratings.write_text("".join([*lines, "9\t9\t5\t1\n"]))
    assert convert(ratings, events) == 12
    assert events.read_text().splitlines()[:2] == ["member,content,unix_time", "0,7,10"]
    assert convert(ratings, events, first=11) == 10  # the earliest eleven: the rare one, and five members' two each


def test_given_no_data_when_asked_for_a_bench_then_it_says_so_and_succeeds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench_ours(["--data", str(tmp_path)]) == 0
    assert "u.data is absent" in capsys.readouterr().err


def test_given_no_newer_python_when_nexteval_is_asked_for_then_it_says_so_and_succeeds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "u.data").write_text("")
    monkeypatch.setattr(recommending_nexteval, "newest_python", lambda _: None)
    assert recommending_nexteval.main(["--data", str(tmp_path)]) == 0
    assert "needs Python 3.14 or 3.13, and none was found; skipped" in capsys.readouterr().err


def test_given_an_environment_when_asked_for_again_then_it_is_made_anew_only_if_its_requirements_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Path] = []

    def make(place: Path, requirements: Path, python: str) -> None:
        place.mkdir(parents=True, exist_ok=True)
        calls.append(place)

    builders, wanted = tmp_path / "sources.txt", tmp_path / "x.txt"
    builders.write_text("")
    wanted.write_text("numpy")
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    monkeypatch.setattr(environments, "BUILDERS", builders)
    monkeypatch.setattr(environments, "_make", make)
    assert environments.made("x", wanted) == environments.made("x", wanted) == str(tmp_path / ".cache/x/bin/python")
    assert len(calls) == 1
    wanted.write_text("numpy, scipy")
    environments.made("x", wanted)
    assert len(calls) == 2
