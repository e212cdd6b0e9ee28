"""What still holds of what was read, and of what a token stands for, once a store was restored: once, and again."""

from __future__ import annotations

import pytest

from eventfold.errors import InvalidInput
from eventfold.publish.history import History, as_json, holds_position, kept_seq, of_json, of_seq
from eventfold.reading.consistency import Token
from eventfold.vocabulary.decider import event_id

ONE = History(1, "a" * 32, 1)
TWO = History(2, "b" * 32, 1_000_040, kept_seq=24, kept_position=30)
THREE = History(3, "c" * 32, 2_000_100, kept_seq=1_000_050, kept_position=60)
ALL = [ONE, TWO, THREE]


@pytest.mark.parametrize(
    ("nonce", "kept"),
    [(ONE.nonce, 24), (TWO.nonce, 1_000_050), (THREE.nonce, None), (None, 24), ("d" * 32, 0)],
    ids=["first", "second", "present", "before there were any", "foreign"],
)
def test_of_each_history_that_holds_which_all_later_ones_kept(nonce: str | None, kept: int | None) -> None:
    assert kept_seq(ALL, nonce) == kept


def test_what_a_later_history_keeps_of_an_earlier_one_is_no_more_than_each_between_has_kept() -> None:
    further_back = [ONE, TWO, History(3, "c" * 32, 2_000_100, kept_seq=10)]
    assert kept_seq(further_back, ONE.nonce) == 10 and kept_seq(further_back, TWO.nonce) == 10


@pytest.mark.parametrize(
    ("seq", "history"), [(1, ONE), (24, ONE), (1_000_040, TWO), (2_000_099, TWO), (2_000_100, THREE)]
)
def test_a_number_belongs_to_the_history_that_gave_it(seq: int, history: History) -> None:
    assert of_seq(ALL, seq) is history


def test_an_event_at_the_same_place_of_another_history_has_another_id() -> None:
    ids = {event_id("order-1", 3, one.salt) for one in ALL}
    assert len(ids) == 3 and event_id("order-1", 3) in ids, "those of the first history stay as they were"


def test_a_token_of_another_history_holds_for_what_was_kept() -> None:
    assert holds_position(ALL, ONE.mark, 30) and not holds_position(ALL, ONE.mark, 31)
    assert holds_position(ALL, THREE.mark, 1_000) and not holds_position(ALL, "zzzzzzzz", 1)


@pytest.mark.parametrize("history", ["", ONE.mark])
def test_a_token_carries_its_history_and_older_ones_are_read(history: str) -> None:
    token = Token("catalog", 7, True, history)
    assert Token.decode(token.encode()) == token
    assert Token.decode("Y2F0YWxvZzo3Om9uZQ") == Token("catalog", 7)
    with pytest.raises(InvalidInput):
        Token.decode("Y2F0YWxvZzo3Om9uZTphOmI")  # catalog:7:one:a:b


def test_histories_travel_as_json() -> None:
    assert list(of_json(as_json(ALL))) == ALL
