"""Files of events and features: what is read, and the sentence that each wrong file gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from reco.evaluation.command import main
from reco.evaluation.files import Event, WrongFile, read_events, read_features, read_published

HEAD = "member,content,unix_time,weight\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "events.csv"
    path.write_text(text)
    return path


def test_given_events_when_read_then_an_absent_weight_is_1(tmp_path: Path) -> None:
    assert read_events(written(tmp_path, HEAD + "m,a,5,-1\nm,b,6,\n")) == [
        Event("m", "a", 5, -1.0),
        Event("m", "b", 6, 1.0),
    ]
    assert read_events(written(tmp_path, "unix_time,content,member\n7,a,m\n")) == [Event("m", "a", 7, 1.0)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("member,content\nm,a\n", "row 1: column unix_time is missing"),
        ("", "row 1: column member is missing"),
        (HEAD, "holds no events"),
        (HEAD + "m,a,5,1\nm,,6,1\n", "row 3, column content: the value is missing"),
        (HEAD + "m,a\n", "row 2, column unix_time: the value is missing"),
        (HEAD + "m,a,soon,1\n", "row 2, column unix_time: 'soon' is not a number"),
        (HEAD + "m,a,1.5,1\n", "row 2, column unix_time: '1.5' is no time in whole seconds"),
        (HEAD + "m,a,-1,1\n", "row 2, column unix_time: '-1' is no time in whole seconds"),
        (HEAD + "m,a,1,nan\n", "row 2, column weight: 'nan' is not a number"),
        (HEAD + "m,a,1,1,9\n", "row 2: more values than columns"),
    ],
)
def test_given_a_wrong_file_when_read_then_one_sentence_names_row_and_column(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(WrongFile) as refused:
        read_events(path)
    assert str(refused.value).startswith(str(path))
    assert str(refused.value).endswith(sentence)


def test_given_no_file_when_evaluated_then_it_exits_with_1_and_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--events", str(tmp_path / "none.csv")]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert "none.csv" in shown.err


def test_given_features_when_read_then_tags_come_from_both_forms(tmp_path: Path) -> None:
    path = written(tmp_path, "content,tags,drama,year\na,x|y,1,0\nb,,0,1999\n")
    assert read_features(path) == {"a": ("x", "y", "drama"), "b": ("year",)}


def test_given_times_of_publication_when_read_then_they_are_no_tags(tmp_path: Path) -> None:
    path = tmp_path / "features.csv"
    path.write_text("content,published,red\na,12,1\nb,,0\n")
    assert read_published(path) == {"a": 12}
    assert read_features(path) == {"a": ("red",), "b": ()}
    path.write_text("content,published\na,soon\n")
    with pytest.raises(WrongFile, match="row 2, column published: 'soon' is not a number"):
        read_published(path)
