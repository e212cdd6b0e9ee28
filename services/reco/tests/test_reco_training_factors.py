"""Published factors: equal factors are equal bytes, any other bytes are refused, and servers get their vectors."""

from __future__ import annotations

import io
from dataclasses import replace
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco.model.parts.base import Profile
from reco.model.parts.given import Given
from reco.model.rows import Item
from reco.model.state import version_of
from reco.training import factors
from reco.training.factors import FactorsRefused, Trained, Vectors, from_bytes, to_bytes
from reco.training.facts import Origin, Position
from reco.training.serving import Serving

ORIGIN = Origin("10:12:11", (Position("factors", "t.interaction", 0, 7), Position("preferences", "t.preference", 3, 9)))


def vectors(*rows: tuple[str, list[float]], dimensions: int = 3) -> Vectors:
    matrix = np.array([row for _, row in rows], dtype=np.float32).reshape(len(rows), dimensions)
    return Vectors(tuple(name for name, _ in rows), matrix)


def trained() -> Trained:
    """Two dimensions and the bias."""
    return Trained(
        engine="lightfm",
        origin=ORIGIN,
        items=vectors(("a", [1, 0, 0.5]), ("编程", [0, 1, 0]), ("c", [-1, 0, 0])),
        features=vectors(("tag:x", [0, 2, 0.25]), ("tag:y", [2, 0, 0]), ("kind:text", [0.5, 0.5, 1])),
        tastes=vectors(("tag:x", [0, 4, 0]), ("tag:y", [2, 0, 0])),
    )


def same(one: Trained, other: Trained) -> bool:
    pairs = [(one.items, other.items), (one.features, other.features), (one.tastes, other.tastes)]
    alike = all(a.names == b.names and np.array_equal(a.matrix, b.matrix) for a, b in pairs)
    return alike and (one.engine, one.origin) == (other.engine, other.origin)


def profile(*items: int, member: int = 5) -> Profile:
    numbers = np.array(items, dtype=np.int64)
    return Profile(member, 0, numbers, numbers, np.zeros(0, np.int64), numbers, len(items))


def test_given_factors_when_written_and_read_then_they_are_the_same_and_have_the_same_version() -> None:
    body = to_bytes(trained())
    assert same(from_bytes(body), trained())
    assert to_bytes(trained()) == body and len(version_of(body)) == 12


@given(st.lists(st.text(), unique=True, min_size=1, max_size=5))
def test_given_any_names_when_written_and_read_then_they_are_the_same(names: list[str]) -> None:
    items = Vectors(tuple(names), np.arange(2 * len(names), dtype=np.float32).reshape(-1, 2))
    none = vectors(dimensions=2)
    one = Trained("spark", ORIGIN, items, none, none)
    try:
        body = to_bytes(one)
    except UnicodeEncodeError:  # a lone surrogate is no text that a database holds
        return
    assert same(from_bytes(body), one)


@given(st.data())
def test_given_bytes_with_one_changed_when_read_then_they_are_refused_or_say_the_same(data: st.DataObject) -> None:
    body = bytearray(to_bytes(trained()))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= data.draw(st.integers(1, 255))
    try:
        found = from_bytes(bytes(body))
    except FactorsRefused:
        return
    assert same(found, trained()), "only what stands beside the arrays may change unseen"


@given(st.binary(max_size=200))
def test_given_any_bytes_when_read_then_they_are_refused(body: bytes) -> None:
    with pytest.raises(FactorsRefused):
        from_bytes(body)


def test_given_half_of_the_bytes_when_read_then_they_are_refused() -> None:
    body = to_bytes(trained())
    with pytest.raises(FactorsRefused, match="cannot be read"):
        from_bytes(body[: len(body) // 2])


def test_given_a_pickle_among_the_arrays_when_read_then_it_is_refused() -> None:
    out = io.BytesIO()
    np.savez(out, version=np.array([{"a": 1}], dtype=object))
    with pytest.raises(FactorsRefused, match="cannot be read"):
        from_bytes(out.getvalue())


def test_given_another_version_when_read_then_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factors, "VERSION", 2)
    body = to_bytes(trained())
    monkeypatch.undo()
    with pytest.raises(FactorsRefused, match="another version"):
        from_bytes(body)


def test_given_few_bytes_that_unpack_to_many_when_read_then_they_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as packed:
        packed.writestr("items.npy", bytes(2_000_000))
    monkeypatch.setattr(factors, "MAX_BYTES", 1_000_000)
    assert len(out.getvalue()) < 100_000
    with pytest.raises(FactorsRefused, match=r"unpacks to [0-9,]+ bytes, and 1,000,000 are the most"):
        from_bytes(out.getvalue())


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (replace(trained(), items=vectors(("a", [1, 0, np.nan]))), "not a finite number"),
        (replace(trained(), items=vectors(("a", [1, 0, 0]), ("a", [1, 0, 0]))), "are not as many"),
        (replace(trained(), items=vectors()), "there are no factors"),
        (replace(trained(), features=vectors(("tag:x", [1, 0]), dimensions=2)), "different lengths"),
    ],
)
def test_given_wrong_factors_when_written_then_they_are_refused(wrong: Trained, sentence: str) -> None:
    with pytest.raises(FactorsRefused, match=sentence):
        to_bytes(wrong)


def test_given_a_known_and_a_new_content_when_asked_then_the_new_one_is_the_sum_of_its_features() -> None:
    serving = Serving(trained())
    known, new = serving.item(Item("编程", tags=("x",))), serving.item(Item("new", tags=("x", "y", "z"), kind="text"))
    assert known is not None and known.tolist() == [0, 1, 0]
    expected = np.array([0, 2, 0.25]) / 3 + np.array([2, 0, 0]) / 3 + np.array([0.5, 0.5, 1])
    assert new is not None and new.tolist() == pytest.approx(expected.tolist())
    assert serving.item(Item("stranger", tags=("z",))) is None


def test_given_a_member_without_history_when_asked_then_the_interests_decide() -> None:
    found = Serving(trained()).chosen(["x", "y", "unheard"])
    assert found is not None and found.tolist() == pytest.approx([2 / 3, 4 / 3])
    assert Serving(trained()).chosen(["unheard"]) is None


def test_given_trained_vectors_when_given_to_the_model_then_it_scores_by_bias_and_vectors() -> None:
    """A member is the mean of the contents had, or what the interests say; whoever has neither gets no scores."""
    part = Given()
    part.take(0, Item("a"))
    part.give(Serving(trained()))
    for number, row in ((2, Item("编程")), (3, Item("new", tags=("x",))), (4, Item("stranger"))):
        part.take(number, row)
    weight = 0.5 ** (1 / 5)
    member = np.array([weight, 1]) / (1 + weight)
    scores = part.scores(profile(2, 0, 4), 5)["given"]
    expected = [member[0] + 0.5, member[1], 2 * member[1] + 0.25]
    assert scores[[0, 2, 3]].tolist() == pytest.approx(expected)
    assert scores[[1, 4]].tolist() == pytest.approx([min(expected)] * 2)
    assert part.scores(replace(profile(), interests=("y",)), 5)["given"][0] == 2 + 0.5
    assert part.scores(profile(4), 5) == {}


def test_given_vectors_when_others_are_given_then_nothing_of_the_first_is_left() -> None:
    part = Given()
    part.take(0, Item("a"))
    part.give(Serving(trained()))
    assert part.scores(profile(0), 1)["given"].tolist() == [1.5]
    part.give(Serving(replace(trained(), items=vectors(("a", [0, 3, 0])))))
    assert part.scores(profile(0), 1)["given"].tolist() == [9.0]
