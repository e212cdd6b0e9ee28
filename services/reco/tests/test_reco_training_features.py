"""What the features of contents and members are, and how much each weighs."""

from __future__ import annotations

import numpy as np
import pytest

from reco.model.rows import Item
from reco.training import features
from reco.training.facts import Facts, Origin
from reco.training.features import Features, of_interests, of_item, of_items, of_members
from reco.training.progress import Progress

ITEMS = [
    Item("a", "ada", "text", ("x", "y"), "code"),
    Item("b", "ada", "video", ("x",), "code"),
    Item("c", "bob", "text", ("y", "y", "z")),
]


def facts(pairs: list[tuple[int, int, float]], interests: dict[int, tuple[str, ...]], members: int) -> Facts:
    return Facts(
        origin=Origin("1:1:", ()),
        items=ITEMS,
        member_count=members,
        pair_members=np.array([member for member, _, _ in pairs], dtype=np.int64),
        pair_items=np.array([item for _, item, _ in pairs], dtype=np.int64),
        strengths=np.array([strength for _, _, strength in pairs], dtype=np.float32),
        first_us=np.arange(len(pairs), dtype=np.int64),
        interests=interests,
    )


def as_rows(table: Features, count: int) -> list[dict[str, float]]:
    rows: list[dict[str, float]] = [{} for _ in range(count)]
    for row, column, weight in zip(table.rows, table.columns, table.weights.tolist(), strict=True):
        rows[row][table.names[column]] = weight
    return rows


def test_given_a_content_when_described_then_its_tags_share_one_and_each_other_feature_weighs_one() -> None:
    assert of_item(ITEMS[2]) == {"tag:y": 0.5, "tag:z": 0.5, "creator:bob": 1.0, "kind:text": 1.0}
    assert of_item(Item("bare")) == {}


def test_given_contents_when_described_then_only_features_of_several_have_a_column() -> None:
    table = of_items(ITEMS)
    assert table.names == ("category:code", "creator:ada", "kind:text", "tag:x", "tag:y")
    assert as_rows(table, 3) == [
        {"tag:x": 0.5, "tag:y": 0.5, "category:code": 1.0, "creator:ada": 1.0, "kind:text": 1.0},
        {"tag:x": 1.0, "category:code": 1.0, "creator:ada": 1.0},
        {"tag:y": 0.5, "kind:text": 1.0},
    ]


def test_given_a_bound_when_there_are_more_features_then_the_most_frequent_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(features, "MAX_FEATURES", 1)
    assert of_items([*ITEMS, Item("d", tags=("x",))]).names == ("tag:x",)


def test_given_members_when_described_then_tags_of_what_they_took_to_and_chosen_ones_share_one() -> None:
    pairs = [(0, 0, 1.0), (0, 1, 2.0), (1, 1, 1.0), (1, 2, -1.0), (3, 2, 0.0)]
    table = of_members(facts(pairs, {0: ("x",), 2: ("x", "y")}, members=4))
    found = as_rows(table, 4)
    assert found[0] == pytest.approx({"tag:x": 3 / 4, "tag:y": 1 / 4})
    assert found[1] == {"tag:x": 1.0}
    assert found[2] == {"tag:x": 0.5, "tag:y": 0.5} == of_interests(["x", "y", "x"])
    assert found[3] == {}, "what a member did not take to says nothing of the member's taste"


def test_given_no_features_at_all_when_described_then_the_table_is_empty() -> None:
    table = of_items([Item("a"), Item("b")])
    assert table.names == () and len(table.rows) == 0


def test_given_half_of_the_work_when_shown_then_rate_and_time_left_are_told() -> None:
    progress = Progress("pairs", 2_000, lambda: 0.0)
    assert progress.line(1.0) == "pairs: 0/2,000, 0.0/s"
    progress.add(1_000)
    assert progress.line(4.0) == "pairs: 1,000/2,000, 250.0/s, 4 s left"
