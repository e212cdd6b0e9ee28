"""The model card and the other files of an evaluation say what its report says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reco.evaluation.command import main
from reco.evaluation.outcomes import read_outcomes


def stream(folder: Path) -> Path:
    path = folder / "events.csv"
    rows = [f"m{member},c{at},{100 * member + at}" for member in range(12) for at in range(6)]
    path.write_text("member,content,unix_time\n" + "\n".join(rows))
    return path


def test_given_a_run_when_a_card_is_asked_for_then_its_figures_are_those_of_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    features, card = tmp_path / "features.csv", tmp_path / "card.md"
    features.write_text("content,tags,published\nc0,x|y,0\nc1,,50\n")
    choices = ["--seeds", "1", "--warm-up", "0.5", "--variant", "strict", "--features", str(features), "--json"]
    assert main(["--events", str(stream(tmp_path)), "--card", str(card), *choices]) == 0
    report, text = json.loads(capsys.readouterr().out), card.read_text()
    marks = report["marks"]["strict"]["hybrid"]
    assert f"| hybrid | {marks['ndcg_at_10']['mean']:.4f} ±0.0000 | {marks['hit_rate_at_20']['mean']:.4f}" in text
    assert "Window: 1970-01-01T00:00:00+00:00 to 1970-01-01T00:18:25+00:00." in text
    assert "72 events of 12 members with 6 contents." in text
    assert "Contents with tags: 1; with a time of publication: 2." in text
    assert "36 events scored for each of 1 seed(s)." in text
    assert "One seed: how much" in text
    assert ", ".join(report["columns"]) in text
    assert f"{1 - marks['hit_rate_at_20']['mean']:.1%} of what members took next" in text


def test_given_a_run_when_outcomes_are_kept_then_there_is_a_rank_for_each_scored_event(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    choices = ["--seeds", "2", "--warm-up", "0.5", "--variant", "usual", "--outcomes", str(tmp_path / "kept"), "--cold"]
    assert main(["--events", str(stream(tmp_path)), *choices]) == 0
    assert "member 2-3" in capsys.readouterr().out
    kept = [read_outcomes(tmp_path / "kept" / f"usual-{seed}.csv") for seed in (0, 1)]
    assert [len(one.keys) for one in kept] == [36, 36]
    assert set(kept[0].ranks) == {"hybrid", "blend"}


def test_given_a_folder_that_cannot_be_when_a_card_is_asked_for_then_one_sentence_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    choices = ["--seeds", "1", "--warm-up", "0.9", "--variant", "strict", "--card", str(tmp_path / "none" / "card.md")]
    assert main(["--events", str(stream(tmp_path)), *choices]) == 1
    assert "No such file" in capsys.readouterr().err


def test_given_dislikes_alone_when_evaluated_then_one_sentence_says_that_nothing_is_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "events.csv"
    path.write_text("member,content,unix_time,weight\nm,a,1,1\nm,b,2,-1\n")
    assert main(["--events", str(path), "--seeds", "1", "--warm-up", "0.5", "--variant", "strict"]) == 1
    assert "nothing could be scored" in capsys.readouterr().err
