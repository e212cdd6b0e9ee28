"""What is left out of an answer: by member, and for everybody, whose part is looked at and not copied."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from reco.model.model import Model
from reco.model.settings import Settings
from reco.recommendation.application.copy import Copy
from reco.recommendation.application.eligibility import left_out
from reco.recommendation.application.pairs import Bounds
from reco.recommendation.projections import EntitlementRow, ItemRow, MarkRow, ProductRow

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def copy(paid: int = 0) -> Copy:
    made = Copy(Bounds(1_000, 1_000, 10), lambda: Model(Settings(replay=1), np.random.default_rng(0)))
    rows = [("free", "free", "somebody"), ("own", "free", "m"), *((f"paid{at}", "paid", "x") for at in range(paid))]
    made.take_items([ItemRow(one, by, "text", one, [], None, NOW, access, None) for one, access, by in rows])
    return made


def test_given_much_that_nobody_can_buy_when_left_out_then_it_is_not_copied_for_the_answer() -> None:
    one = copy(paid=500)
    found = left_out(one, "m", NOW)
    assert found.mine == {"own"} and "paid7" in found and "free" not in found
    assert set(found) == {"own", *(f"paid{at}" for at in range(500))}
    one.take_products([ProductRow("paid7")])
    assert "paid7" not in found, "what is left out is looked at where it stands"


def test_given_more_to_leave_out_when_added_then_it_is_left_out_too_and_nothing_else_changes() -> None:
    one = copy(paid=1)
    found = left_out(one, "m", NOW)
    more = found.and_also(["seen", "own"])
    assert more.mine == {"own", "seen"} and "paid0" in more
    assert "seen" not in found and one.inaccessible == {"paid0"} and set(one.created_by("m")) == {"own"}


def test_given_what_a_member_owns_or_hid_when_left_out_then_it_is_as_long_as_that_holds() -> None:
    one = copy()
    one.take_marks([MarkRow("m", "hidden", "hide", NOW), MarkRow("m", "excluded", excluded=True)])
    ends = {"ever": None, "still": NOW + timedelta(microseconds=1), "ended": NOW}
    one.take_entitlements([EntitlementRow(name, "m", name, end) for name, end in ends.items()])
    assert left_out(one, "m", NOW).mine == {"own", "hidden", "ever", "still"}
    assert left_out(one, "n", NOW).mine == set()
